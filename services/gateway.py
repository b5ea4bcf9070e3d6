"""The gateway: checked requests in, answers out.

Resolves a pack's name to a version and a task to an adapter once and passes both on, so no answer
mixes versions.
Everything that it needs is injected. Knows no HTTP and no Ray.
"""

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from services import replies
from services.adapters import AdapterChoice
from services.conditions import Condition
from services.drop_in import read_drop_in
from services.intake import (
    check_choice,
    check_definitions,
    check_examples_fit,
    check_known,
    check_lengths,
    check_texts,
)
from services.ports import PackReader, PackWriter, Written
from services.problems import at_pointer
from services.schema import (
    AddJudgedExamples,
    AddTaggedExamples,
    DamagedPack,
    ExtractRequest,
    ExtractResponse,
    ModerateRequest,
    ModerateResponse,
    Versions,
)
from services.settings import Settings
from wraner.adapters import Task
from wraner.engine import Engine
from wraner.errors import (
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    Overloaded,
    Unavailable,
    WranerError,
)
from wraner.extract import Extractor, ExtractTask
from wraner.moderate import ModerateTask, Moderator
from wraner.pack_folders import read_definitions
from wraner.packs import (
    Domain,
    EntityType,
    Example,
    Pack,
    PolicySet,
    check_pack,
    definitions_of,
    version,
)
from wraner.policies import Verdict
from wraner.registry import Kind, Stored, kind_of
from wraner.retrieval import PackRef, Retriever

Result = TypeVar("Result")

_READY_WITHIN_S = 5.0
_NOTHING = Domain(entity_types=(EntityType(name="nothing"),))
_NO_PACK = PackRef(version(_NOTHING), inline=_NOTHING)


class Gateway:
    """Every verb of the contract.

    Attributes:
        limits: what one call may ask for.
        drop_in: the policies that answer for other APIs' categories.
    """

    def __init__(
        self,
        *,
        extractor: Extractor,
        moderator: Moderator,
        engine: Engine,
        retriever: Retriever,
        packs: PackReader,
        writer: PackWriter,
        settings: Settings,
    ) -> None:
        self._extractor = extractor
        self._moderator = moderator
        self._engine = engine
        self._retriever = retriever
        self._packs = packs
        self._writer = writer
        self._settings = settings
        self._adapters = AdapterChoice(settings)
        self._model = ""
        self._answering = 0
        self.limits = settings.limits
        self.drop_in = read_drop_in(settings.drop_in)

    async def extract(self, request: ExtractRequest) -> ExtractResponse:
        """Find entities."""
        texts = _texts(request.text)
        check_choice(request.domain, request.inline, field="domain", limits=self.limits)
        check_texts(texts, self.limits, several=texts is request.text)
        domain, pack = await self._resolve(Kind.DOMAIN, request.domain, request.inline, "domain")
        assert isinstance(domain, Domain)
        check_known(request.entity_types or (), domain.labels, field="entity_types")
        task = ExtractTask(
            domain=domain,
            pack=pack,
            texts=texts,
            labels=request.entity_types or (),
            k=self.limits.default_k if request.k is None else request.k,
            min_score=request.min_score,
            adapter=await asyncio.to_thread(self._adapters.of, Task.NER),
            deadline=self.deadline(),
        )
        found = await self._in_time(self._extractor.extract(task), task.deadline)
        return ExtractResponse(
            results=[
                replies.extraction(text, one, request.offset_unit)
                for text, one in zip(texts, found, strict=True)
            ],
            versions=await self._versions(task.adapter, pack, found[0].index),
        )

    async def moderate(self, request: ModerateRequest) -> ModerateResponse:
        """Judge texts against policies."""
        verdicts, versions = await self.judge(request)
        return ModerateResponse(results=[replies.verdict(v) for v in verdicts], versions=versions)

    async def judge(
        self,
        request: ModerateRequest,
        *,
        among: tuple[str, ...] = (),
        beside: tuple[tuple[str, ...], ...] = (),
        deadline: float | None = None,
    ) -> tuple[list[Verdict], Versions]:
        """Return a verdict a text, in their order, and what gave them.

        A shortlist is drawn and completed as `ModerateTask` says of `among` and `beside`.
        `deadline` is that of a call that asks several times; None: this is the whole call.
        """
        texts = _texts(request.text)
        check_choice(request.policy_set, request.inline, field="policy_set", limits=self.limits)
        check_texts(texts, self.limits, several=texts is request.text)
        policies, pack = await self._resolve(
            Kind.POLICY_SET, request.policy_set, request.inline, "policy_set"
        )
        assert isinstance(policies, PolicySet)
        check_known(request.policies or (), [p.id for p in policies.policies], field="policies")
        adapter = await asyncio.to_thread(self._adapters.of, Task.MODERATION)
        task = ModerateTask(
            policy_set=policies,
            pack=pack,
            texts=texts,
            policies=request.policies or (),
            exhaustive=request.exhaustive,
            among=among,
            beside=beside,
            threshold=request.threshold,
            adapter=adapter,
            fusion=await asyncio.to_thread(self._adapters.calibration, adapter),
            deadline=self.deadline() if deadline is None else deadline,
        )
        found = await self._in_time(self._moderator.moderate(task), task.deadline)
        return found, await self._versions(task.adapter, pack, found[0].index)

    async def list_packs(self, kind: Kind) -> tuple[list[Stored], list[DamagedPack]]:
        """Return all packs of a kind, and apart those that cannot be read."""
        whole, damaged = [], []
        for name in await asyncio.to_thread(self._packs.names, kind):
            try:
                whole.append(await self.pack(kind, name))
            except NotFound:  # deleted since it was listed
                continue
            except Unavailable as error:
                damaged.append(DamagedPack(name=name, detail=str(error)))
        return whole, damaged

    async def pack(self, kind: Kind, name: str) -> Stored:
        """Return the current definitions under a name."""
        return await asyncio.to_thread(self._stored, kind, name)

    async def put(self, name: str, pack: Pack, condition: Condition) -> Written:
        """Store a pack."""
        await asyncio.to_thread(check_pack, pack)
        check_definitions(pack, self.limits, pointer="")
        check_lengths(pack.examples, self.limits, pointer="/examples")
        return await self._writer.put(name, pack, condition)

    async def delete(self, kind: Kind, name: str, condition: Condition) -> None:
        """Remove a pack."""
        await self._writer.delete(kind, name, condition)

    async def examples(
        self, kind: Kind, name: str, *, after: str, limit: int
    ) -> tuple[str, list[Example], str | None]:
        """Return the version, a page of its examples, and where the next page begins."""
        current = (await self.pack(kind, name)).version

        def read() -> list[Example]:
            return self._packs.examples(kind, name, current, after=after, limit=limit + 1)

        page = await asyncio.to_thread(read)
        more = page[limit - 1].id if len(page) > limit else None
        return current, page[:limit], more

    async def add(
        self,
        kind: Kind,
        name: str,
        request: AddTaggedExamples | AddJudgedExamples,
        condition: Condition,
    ) -> Written:
        """Add examples to a pack."""
        check_examples_fit(request.examples, self.limits, pointer="/examples")
        return await self._writer.add(kind, name, request.examples, condition)

    async def remove(self, kind: Kind, name: str, example_id: str, condition: Condition) -> Written:
        """Remove an example from a pack."""
        return await self._writer.remove(kind, name, example_id, condition)

    async def missing(self) -> str:
        """Return what keeps the service from answering, "" where nothing does."""
        try:
            async with asyncio.timeout(_READY_WITHIN_S):
                await self._adapters.warm(self._engine)
                # Without a text, since one would wait behind those of every request.
                await self._retriever.neighbours(_NO_PACK, [], 1)
                await asyncio.to_thread(self._packs.names, Kind.DOMAIN)
        except TimeoutError:
            return "the engine or the retriever does not answer"
        except Exception as error:
            return str(error) if isinstance(error, WranerError) else "a part is not there yet"
        return ""

    def is_awaited(self, kind: Kind, name: str) -> bool:
        """Return whether a retriever imports a pack that is not stored, as it starts.

        It imports what `wraner.registry.missing_shipped` names.
        """
        if not _ships(self._settings.packs_dir / name, kind):
            return False
        others = (other for other in Kind if other is not kind)
        taken = any(name in self._packs.names(other) for other in others)
        return not taken and not any(self._packs.was_deleted(any_kind, name) for any_kind in Kind)

    def _stored(self, kind: Kind, name: str) -> Stored:
        return self._packs.stored(kind, name, self._packs.current(kind, name))

    async def _resolve(
        self, kind: Kind, name: str | None, inline: Pack | None, field: str
    ) -> tuple[Pack, PackRef]:
        """Return the definitions to use and where to search their examples."""
        if inline is not None:
            return await asyncio.to_thread(_checked_inline, inline)
        try:
            stored = await self.pack(kind, str(name))
        except (NotFound, InvalidInput, Unavailable) as error:
            raise at_pointer(error, f"/{field}") from error
        return stored.definitions, PackRef(stored.version)

    def deadline(self) -> float:
        """Return by when a call that begins now is answered, in seconds since the epoch."""
        return time.time() + self.limits.request_timeout_s

    async def _in_time(self, work: Coroutine[Any, Any, Result], deadline: float) -> Result:
        if self._answering >= self._settings.gateway_queue:
            work.close()
            raise Overloaded(
                f"{self._answering} requests are in work, which is the limit "
                f"(WRANER_GATEWAY_QUEUE); try again later"
            )
        self._answering += 1
        try:
            async with asyncio.timeout(deadline - time.time()):
                return await work
        except NotFound as error:  # names are resolved by now: it is the chosen adapter
            raise Unavailable(str(error)) from error
        except TimeoutError:
            raise DeadlineExceeded(
                f"the request took longer than {self.limits.request_timeout_s:g} s "
                f"(WRANER_REQUEST_TIMEOUT_S); send less at once (texts, definitions, examples) or "
                f"try again later"
            ) from None
        finally:
            self._answering -= 1

    async def _versions(self, adapter: str, pack: PackRef, index: str) -> Versions:
        if not self._model:  # the weights of a running service never change
            self._model = (await self._engine.info()).model
        return Versions(model=self._model, adapter=adapter, pack=pack.version, index=index)


def _texts(text: Any) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text


def _ships(folder: Path, kind: Kind) -> bool:
    try:
        return kind_of(read_definitions(folder)) is kind
    except InvalidInput:
        return False


def _checked_inline(inline: Pack) -> tuple[Pack, PackRef]:
    try:
        check_pack(inline)
    except InvalidInput as error:
        raise error.under("/inline") from None
    return definitions_of(inline), PackRef(version(inline), inline)
