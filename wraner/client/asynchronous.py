"""The client for asyncio: the verbs of the API as methods to await.

What a call is, how it is retried and what its answer means is shared with `Client`; here is only
sending and sleeping. A client belongs to one event loop, where many tasks may use it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx
from pydantic import BaseModel

from wraner.client import calls
from wraner.client.calls import Call, ExtractQuestion, ModerateQuestion, OffsetUnit
from wraner.client.exchange import Exchange, Server
from wraner.client.pack_calls import DOMAINS, POLICY_SETS, WHOLE_PAGE, Expected, PackCalls, Place
from wraner.client.replies import ExamplePage, Extractions, Health, PackList, PackSummary, Verdicts
from wraner.client.retries import STANDARD, Retry
from wraner.packs import Domain, JudgedExample, PolicySet, TaggedExample

T = TypeVar("T")
P = TypeVar("P", bound=BaseModel)
E = TypeVar("E", bound=BaseModel)


class AsyncClient:
    """A wraner server. Close it, or use it in `async with`.

    `timeout_s` is how long the server may stay silent. Every method raises an
    `ApiError` where the server refuses, `Unreachable` where none answers and `NotWraner` where
    something else does (see `wraner.client.problems`).
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        timeout_s: float = 120.0,
        retry: Retry = STANDARD,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Connect on first use. Raises InvalidInput for a URL that is none, or no timeout."""
        self._server = Server(url, timeout_s, retry)
        self._http = httpx.AsyncClient(
            base_url=url, timeout=self._server.timeout, transport=transport
        )
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def extract(
        self,
        texts: str | Sequence[str],
        *,
        domain: str | None = None,
        inline: Domain | None = None,
        entity_types: Sequence[str] | None = None,
        k: int | None = None,
        min_score: float = 0.0,
        offset_unit: OffsetUnit = "codepoint",
    ) -> Extractions:
        """Find the entities of a domain, stored (`domain`) or sent along (`inline`), in texts.

        One result a text, for a single one too. `entity_types` limits the answer, `k` is how many
        examples are retrieved a text (None: the server's setting), `min_score` is in 0..1.
        """
        question = ExtractQuestion(
            texts=texts,
            domain=domain,
            inline=inline,
            entity_types=entity_types,
            k=k,
            min_score=min_score,
            offset_unit=offset_unit,
        )
        return await self._send(question.call())

    async def moderate(
        self,
        texts: str | Sequence[str],
        *,
        policy_set: str | None = None,
        inline: PolicySet | None = None,
        policies: Sequence[str] | None = None,
        exhaustive: bool = False,
        threshold: float | None = None,
    ) -> Verdicts:
        """Judge texts against policies, stored (`policy_set`) or sent along (`inline`).

        One result a text, for a single one too. `policies` are judged without a shortlist,
        `exhaustive` judges all; `threshold` is in 0..1 (None: the policies' own).
        """
        question = ModerateQuestion(
            texts=texts,
            policy_set=policy_set,
            inline=inline,
            policies=policies,
            exhaustive=exhaustive,
            threshold=threshold,
        )
        return await self._send(question.call())

    async def health(self) -> Health:
        """Ask whether the server lives."""
        return await self._send(calls.health())

    async def ready(self) -> Health:
        """Ask whether requests can be answered; its status is "starting" where not yet.

        Raises `Busy` where the server is shutting down.
        """
        return await self._send(calls.ready())

    async def domains(self) -> PackList:
        """List the stored domains, without examples."""
        return await self._send(DOMAINS.list())

    async def domain(self, name: str) -> PackSummary:
        """Read a domain without its examples, which are counted."""
        return await self._send(DOMAINS.read(name))

    async def put_domain(
        self, name: str, domain: Domain, *, if_match: str | None = None, if_none_match: bool = False
    ) -> PackSummary:
        """Store a domain, live for the next request.

        `if_match`: only in place of this version; `if_none_match`: only where there is none. Either
        raises `Stale` otherwise.
        """
        return await self._send(DOMAINS.put(name, domain, Expected(if_match, if_none_match)))

    async def delete_domain(self, name: str, *, if_match: str | None = None) -> None:
        """Remove a domain; with `if_match` only this version of it."""
        return await self._send(DOMAINS.delete(name, Expected(if_match)))

    async def domain_examples(
        self, name: str, *, after: str = "", limit: int = 100
    ) -> ExamplePage[TaggedExample]:
        """Read up to `limit` examples behind the one with the id `after` ("": from the first)."""
        return await self._send(DOMAINS.examples(name, after=after, limit=limit))

    def iterate_domain_examples(self, name: str) -> AsyncIterator[TaggedExample]:
        """Read all examples, page by page. Raises Stale where the domain changes meanwhile."""
        return self._all(DOMAINS, name)

    async def add_domain_examples(
        self, name: str, examples: Sequence[TaggedExample], *, if_match: str | None = None
    ) -> PackSummary:
        """Add examples; those that are there already change nothing.

        Raises `Conflict` where an id is taken by other content.
        """
        return await self._send(DOMAINS.add(name, examples, Expected(if_match)))

    async def delete_domain_example(
        self, name: str, example_id: str, *, if_match: str | None = None
    ) -> PackSummary:
        """Remove an example."""
        return await self._send(DOMAINS.remove(name, example_id, Expected(if_match)))

    async def policy_sets(self) -> PackList:
        """List the stored policy sets, without examples."""
        return await self._send(POLICY_SETS.list())

    async def policy_set(self, name: str) -> PackSummary:
        """Read a policy set without its examples, which are counted."""
        return await self._send(POLICY_SETS.read(name))

    async def put_policy_set(
        self,
        name: str,
        policy_set: PolicySet,
        *,
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> PackSummary:
        """Store a policy set; see `put_domain`."""
        return await self._send(
            POLICY_SETS.put(name, policy_set, Expected(if_match, if_none_match))
        )

    async def delete_policy_set(self, name: str, *, if_match: str | None = None) -> None:
        """Remove a policy set; see `delete_domain`."""
        return await self._send(POLICY_SETS.delete(name, Expected(if_match)))

    async def policy_set_examples(
        self, name: str, *, after: str = "", limit: int = 100
    ) -> ExamplePage[JudgedExample]:
        """Read a page of examples; see `domain_examples`."""
        return await self._send(POLICY_SETS.examples(name, after=after, limit=limit))

    def iterate_policy_set_examples(self, name: str) -> AsyncIterator[JudgedExample]:
        """Read all examples, page by page; see `iterate_domain_examples`."""
        return self._all(POLICY_SETS, name)

    async def add_policy_set_examples(
        self, name: str, examples: Sequence[JudgedExample], *, if_match: str | None = None
    ) -> PackSummary:
        """Add examples; see `add_domain_examples`."""
        return await self._send(POLICY_SETS.add(name, examples, Expected(if_match)))

    async def delete_policy_set_example(
        self, name: str, example_id: str, *, if_match: str | None = None
    ) -> PackSummary:
        """Remove an example."""
        return await self._send(POLICY_SETS.remove(name, example_id, Expected(if_match)))

    async def _all(self, kind: PackCalls[P, E], name: str) -> AsyncIterator[E]:
        place = Place()
        while place.after is not None:
            page = await self._send(kind.examples(name, after=place.after, limit=WHOLE_PAGE))
            place = place.past(page)
            for example in page.examples:
                yield example

    async def _send(self, call: Call[T]) -> T:
        exchange = Exchange(call, self._server)
        while True:
            try:
                response = await self._http.request(
                    call.method, call.path, content=exchange.content, headers=exchange.headers
                )
            except httpx.RequestError as error:
                wait_s = exchange.wait_after_failure(error)
            else:
                again_s = exchange.wait_after(response)
                if again_s is None:
                    return exchange.read(response)
                wait_s = again_s
            await self._sleep(wait_s)
