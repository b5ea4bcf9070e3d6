"""The shelf: the stored packs of one kind, by the same verbs for both kinds.

Large packs are sent in pieces, each only on top of the one before. Knows no terminal.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from wraner.client.asynchronous import AsyncClient
from wraner.client.problems import Invalid
from wraner.client.replies import PackList, PackSummary
from wraner.errors import InvalidInput
from wraner.packs import Domain, Example, Pack, PolicySet, definitions_of
from wraner.registry import Kind

PIECE_EXAMPLES = 1_000
"""Examples of one call; the server's limit unless set otherwise (WRANER_MAX_CHANGED_EXAMPLES)."""
PIECE_BYTES = 1_500_000
"""Bytes of one call's examples; the server's limit on bodies is above (WRANER_MAX_BODY_BYTES)."""
_PAGE = 1_000

Counted = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The verbs of the API for one kind of pack; see `AsyncClient` for what each raises."""

    kind: Kind
    list: Callable[[], Awaitable[PackList]]
    read: Callable[[str], Awaitable[PackSummary]]
    put: Callable[..., Awaitable[PackSummary]]
    delete: Callable[[str], Awaitable[None]]
    page: Callable[..., Awaitable[Any]]
    add: Callable[..., Awaitable[PackSummary]]
    remove: Callable[..., Awaitable[PackSummary]]

    def definitions(self, about: PackSummary) -> Pack:
        """Return what a pack defines, without its examples."""
        if self.kind is Kind.DOMAIN:
            return Domain(description=about.description, entity_types=about.entity_types)
        return PolicySet(description=about.description, policies=about.policies)

    async def examples(self, name: str) -> tuple[str, tuple[Example, ...]]:
        """Return a pack's version with all its examples.

        Raises:
            InvalidInput: the pack changed meanwhile.
        """
        found: tuple[Example, ...] = ()
        page = await self.page(name, limit=_PAGE)
        version = page.version
        while True:
            found += page.examples
            if page.version != version:
                raise InvalidInput(f"{name!r} changed while it was read; try again")
            if page.next is None:
                return version, found
            page = await self.page(name, after=page.next, limit=_PAGE)

    async def whole(self, name: str) -> tuple[PackSummary, tuple[Example, ...]]:
        """Return a pack's definitions with all its examples, of one version.

        Raises:
            InvalidInput: the pack changed meanwhile.
        """
        about = await self.read(name)
        version, examples = await self.examples(name)
        if version != about.version:
            raise InvalidInput(f"{name!r} changed while it was read; try again")
        return about, examples

    async def pack(self, name: str) -> tuple[PackSummary, Pack]:
        """Return `whole` as a pack, with what says of which version. Raises as it does."""
        about, examples = await self.whole(name)
        return about, self.definitions(about).model_copy(update={"examples": examples})

    async def store(
        self, name: str, pack: Pack, *, replace: bool, counted: Counted = lambda _: None
    ) -> PackSummary:
        """Store a pack of any size; without `replace` only where none has the name.

        In one call wherever the server takes it, which counts new and changed examples alone; in
        pieces a pack that is replaced is without the later ones for a while.

        Raises:
            Stale: the name is taken, or somebody else changed the pack between two pieces.
        """
        if replace and (whole := await self.rewrite(name, pack)):
            counted(len(pack.examples))
            return whole
        pieces = pieces_of(pack.examples)
        first: Sequence[Example] = next(pieces, [])
        later: list[Sequence[Example]] = []
        while True:
            start = definitions_of(pack).model_copy(update={"examples": tuple(first)})
            try:
                stored = await self.put(name, start, if_none_match=not replace)
                break
            except Invalid as error:
                first, rest = _halved(first, error)
                later.insert(0, rest)
        counted(len(first))
        return await self.extend(name, chain(later, pieces), stored, counted=counted)

    async def rewrite(
        self, name: str, pack: Pack, *, if_match: str | None = None
    ) -> PackSummary | None:
        """Store a pack in one call; None, and nothing is stored, where one cannot carry it."""
        if not fits_a_body(pack):
            return None
        try:
            return await self.put(name, pack, if_match=if_match)
        except Invalid as error:
            if not _is_too_much(error):
                raise
            return None

    async def extend(
        self,
        name: str,
        pieces: Iterable[Sequence[Example]],
        stored: PackSummary,
        *,
        counted: Counted = lambda _: None,
    ) -> PackSummary:
        """Add pieces of examples on top of what is `stored`, each on top of the one before."""
        for piece in pieces:
            try:
                stored = await self.add(name, piece, if_match=stored.version)
            except Invalid as error:
                stored = await self.extend(name, _halved(piece, error), stored, counted=counted)
            else:
                counted(len(piece))
        return stored


def _is_too_much(error: Invalid) -> bool:
    """Return whether the server takes fewer bytes or examples a call."""
    return error.is_too_large or error.pointer == "/examples"


def _halved(
    piece: Sequence[Example], error: Invalid
) -> tuple[Sequence[Example], Sequence[Example]]:
    """Return both halves of a piece that a server finds too large, or raise its error."""
    if not _is_too_much(error) or len(piece) < 2:
        raise error
    half = len(piece) // 2
    return piece[:half], piece[half:]


def shelf(client: AsyncClient, kind: Kind) -> Shelf:
    """Return the verbs of one kind."""
    if kind is Kind.DOMAIN:
        return Shelf(
            kind,
            list=client.domains,
            read=client.domain,
            put=client.put_domain,
            delete=client.delete_domain,
            page=client.domain_examples,
            add=client.add_domain_examples,
            remove=client.delete_domain_example,
        )
    return Shelf(
        kind,
        list=client.policy_sets,
        read=client.policy_set,
        put=client.put_policy_set,
        delete=client.delete_policy_set,
        page=client.policy_set_examples,
        add=client.add_policy_set_examples,
        remove=client.delete_policy_set_example,
    )


def fits_a_body(pack: Pack) -> bool:
    """Return whether one call may carry a whole pack, by its bytes."""
    return len(pack.model_dump_json().encode()) <= PIECE_BYTES


def pieces_of(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """Cut examples into pieces that one call may carry."""
    piece: list[Example] = []
    size = 0
    for example in examples:
        bytes_ = len(example.model_dump_json().encode())
        if piece and (len(piece) == PIECE_EXAMPLES or size + bytes_ > PIECE_BYTES):
            yield piece
            piece, size = [], 0
        piece.append(example)
        size += bytes_
    if piece:
        yield piece
