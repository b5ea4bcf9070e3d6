"""The retriever in this process: a folder of generations, encoders, and what was used last.

Implements `wraner.retrieval.Retriever`. Knows no network and no names of packs.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock

from threadpoolctl import threadpool_limits

from index import evidence, generations
from index.at_hand import most_similar
from index.encoder import WordVectors
from index.encoders import Encoders, PackKind
from index.evidence import Judgements
from index.generations import Generation
from index.recent import Recent
from index.search import nearest
from index.settings import IndexSettings
from index.similarity import words_that_count
from index.store import GenerationStore
from index.word_votes import TaggedWords, VoteSettings, count_votes, tagged_words_of
from index.wordings import Nearness
from wraner.errors import NotFound, Unavailable
from wraner.packs import Pack, TaggedExample, version
from wraner.retrieval import Evidence, Neighbour, Neighbours, PackRef
from wraner.wanted import while_wanted
from wraner.word_votes import WordVotes

MEMORY_BYTES = 512 * 2**20


class LocalRetriever:
    """Finds examples by the words of a text, in the generations under `root`.

    Opened generations and indexed inline packs are kept, `memory_bytes` of each. An inline pack is
    built on the one of them that it shares most with, so that a copy with one change costs that
    change. Without a `root` only inline packs can be searched. With `votes`, the words of tagged
    examples also vote on those of each text.
    """

    def __init__(
        self,
        encoders: Encoders,
        settings: IndexSettings,
        root: Path | None = None,
        *,
        votes: VoteSettings | None = None,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        # Between two products OpenBLAS's own threads spin, which takes a third of a core from the
        # language model where that is in this process; searches run side by side instead.
        threadpool_limits(1, user_api="blas")
        self._encoders = encoders
        self._votes = votes
        self._settings = settings
        self._store = None if root is None else GenerationStore(root, encoders, settings)
        self._stored = Recent[_Opened](memory_bytes, _Opened.memory_bytes)
        self._inline = Recent[_Opened](memory_bytes, _Opened.memory_bytes)

    def lacks(self, pack: PackRef) -> bool:
        """Return whether a stored pack has no index here."""
        store = self._store
        return pack.inline is None and store is not None and not store.has(pack.version)

    def build(self, pack: Pack) -> None:
        """Index a stored pack."""
        if self._store is not None:
            self._store.build(pack)

    async def neighbours(
        self,
        pack: PackRef,
        texts: Sequence[str],
        k: int,
        *,
        exclude: Sequence[Collection[str]] | None = None,
    ) -> list[Neighbours]:
        """Return for each text its `k` nearest tagged examples, best first, ties by id.

        `exclude` names for each text the ids that it may not retrieve, such as its own.

        Raises:
            Unavailable: the pack's index is missing or damaged.
        """
        wanted = partial(self.neighbours_now, pack, k=k, exclude=exclude)
        return await while_wanted(wanted, texts)

    async def evidence(
        self,
        pack: PackRef,
        texts: Sequence[str],
        k: int,
        *,
        exclude: Sequence[Collection[str]] | None = None,
    ) -> list[Evidence]:
        """Return for each text the evidence on every policy, strongest policy first.

        Raises:
            Unavailable: the pack's index is missing or damaged.
        """
        wanted = partial(self.evidence_now, pack, k=k, exclude=exclude)
        return await while_wanted(wanted, texts)

    def neighbours_now(
        self,
        pack: PackRef,
        texts: Iterable[str],
        k: int,
        *,
        exclude: Sequence[Collection[str]] | None = None,
    ) -> list[Neighbours]:
        """Do what `neighbours` does, on this thread."""
        opened = self._open(pack, "Domain")
        found = []
        for number, text in enumerate(texts):  # one by one: vectors of a thousand windows are 1 GB
            (encoded,) = self._encoders.domains.encode([text])
            query = words_that_count(encoded, self._settings, most=self._settings.query_words)
            hits = nearest(
                opened.generation,
                query,
                k,
                self._settings,
                exclude=exclude[number] if exclude else (),
            )
            neighbours = tuple(
                Neighbour(_tagged(h.entry.record), min(1.0, h.similarity)) for h in hits
            )
            votes = self._count_votes(opened, encoded, exclude[number] if exclude else ())
            found.append(Neighbours(neighbours, opened.generation.identity, votes))
        return found

    def _count_votes(
        self, opened: "_Opened", text: WordVectors, exclude: Collection[str]
    ) -> WordVotes | None:
        if self._votes is None:
            return None
        tagged = opened.tagged_words(self._settings)
        return count_votes(
            opened.generation, tagged, text, self._settings, self._votes, exclude=exclude
        )

    def evidence_now(
        self,
        pack: PackRef,
        texts: Iterable[str],
        k: int,
        *,
        exclude: Sequence[Collection[str]] | None = None,
    ) -> list[Evidence]:
        """Do what `evidence` does, on this thread."""
        opened = self._open(pack, "PolicySet")
        judgements = opened.judgements()
        found = []
        for number, text in enumerate(texts):
            (encoded,) = self._encoders.policy_sets.encode([text])
            found.append(
                evidence.gather(
                    opened.generation,
                    judgements,
                    text,
                    encoded,
                    k,
                    self._settings,
                    near=self._nearness(opened.generation, text),
                    exclude=exclude[number] if exclude else (),
                )
            )
        return found

    def _nearness(self, generation: Generation, text: str) -> dict[str, Nearness]:
        reader, wordings = self._encoders.wordings, generation.wordings
        if reader is None or wordings is None:
            return {}
        (near,) = reader.nearness(wordings, generation.policies, [text])
        return near

    def _open(self, pack: PackRef, kind: PackKind) -> "_Opened":
        inline = pack.inline
        if inline is not None:
            opened = self._inline.get(
                version(inline),
                lambda: _Opened(self._build(inline)),
            )
        else:
            opened = self._stored.get(pack.version, lambda: self._read(pack.version))
        if opened.generation.kind != kind:
            raise ValueError(f"expected a {kind}, was: a {opened.generation.kind}")
        return opened

    def _build(self, inline: Pack) -> Generation:
        kept = [each.generation for each in (*self._inline.values(), *self._stored.values())]
        previous = most_similar(inline, kept)
        return generations.build(inline, self._encoders, self._settings, previous)

    def _read(self, pack_version: str) -> "_Opened":
        if self._store is None:
            raise Unavailable("this retriever searches inline packs only; give it a folder")
        try:
            return _Opened(self._store.open(pack_version))
        except NotFound as error:
            raise Unavailable(str(error)) from error


class _Opened:
    """A generation with what is read from it once, also where several ask at once."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self._judgements: Judgements | None = None
        self._tagged_words: TaggedWords | None = None
        self._reading = Lock()

    def memory_bytes(self) -> int:
        return self.generation.memory_bytes

    def judgements(self) -> Judgements:
        with self._reading:
            if self._judgements is None:
                self._judgements = evidence.judgements_of(self.generation)
            return self._judgements

    def tagged_words(self, settings: IndexSettings) -> TaggedWords:
        with self._reading:
            if self._tagged_words is None:
                examples = [
                    [_tagged(e.record) for e in part.segment.entries]
                    for part in self.generation.parts
                ]
                self._tagged_words = tagged_words_of(self.generation, examples, settings)
            return self._tagged_words


def _tagged(record: str) -> TaggedExample:
    return TaggedExample.model_validate_json(record)
