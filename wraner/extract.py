"""The extraction pipeline: windows, neighbours, prompt, answer, grounded entities.

Gets its retriever and engine injected, so serving, evaluation and tests run this same code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wraner.answers import AnswerSpec
from wraner.engine import Answer, Engine, GenerateRequest
from wraner.entities import Entity
from wraner.entity_fusion import EntityFusion
from wraner.packs import Domain, EntityType
from wraner.policies import Citation, Coverage
from wraner.prompts import render_extraction
from wraner.retrieval import Neighbours, PackRef, Retriever
from wraner.tagging import tag
from wraner.wanted import while_wanted
from wraner.windows import Window, cut, merge


@dataclass(frozen=True, slots=True)
class ExtractTask:
    """What to extract, and how.

    `domain` holds the definitions (its examples are not read here), `pack` says where its examples
    are searched. `labels` limits the types, () means all. `adapter` is a content hash.
    """

    domain: Domain
    pack: PackRef
    texts: tuple[str, ...]
    labels: tuple[str, ...] = ()
    k: int = 5
    min_score: float = 0.0
    adapter: str = ""
    deadline: float = float("inf")


@dataclass(frozen=True, slots=True)
class Extraction:
    """The entities of one text with what they rest on.

    `dropped` counts lines of the answer that named nothing in the text; `index` is the generation
    that the neighbours came from.
    """

    entities: tuple[Entity, ...]
    neighbours: tuple[Citation, ...]
    coverage: Coverage
    dropped: int
    index: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """One window of one text with what came back for it; no answer where votes settle it."""

    text: int
    window: Window
    spec: AnswerSpec
    near: Neighbours
    answer: Answer | None


class Extractor:
    """Finds entities by asking an engine with retrieved examples.

    With `fusion`, the votes of the examples' words are heard too, where the retriever counts them;
    where they settle all that is asked, the engine is not.
    `window_words` and `overlap_words` cut long texts, see `windows.cut`.
    """

    def __init__(
        self,
        *,
        retriever: Retriever,
        engine: Engine,
        fusion: EntityFusion | None = None,
        window_words: int = 96,
        overlap_words: int = 24,
    ) -> None:
        self._retriever = retriever
        self._engine = engine
        self._fusion = fusion
        self._window_words = window_words
        self._overlap_words = overlap_words

    async def extract(self, task: ExtractTask) -> list[Extraction]:
        """Return one extraction a text, in their order. Raises as retriever and engine do."""
        seen = await self._ask(task)
        own: list[list[_Seen]] = [[] for _ in task.texts]
        for window in seen:
            own[window.text].append(window)
        # Aside, as prompts are rendered: votes on many windows and types take seconds too.
        return await while_wanted(
            lambda left: [_extraction(*one, task.min_score, self._fusion) for one in left],
            list(zip(task.texts, own, strict=True)),
        )

    def _cut(self, texts: Iterable[str]) -> list[tuple[Window, ...]]:
        words, overlap = self._window_words, self._overlap_words
        return [cut(text, words=words, overlap=overlap) for text in texts]

    async def _ask(self, task: ExtractTask) -> list[_Seen]:
        labels = task.labels or task.domain.labels
        types = [t for t in task.domain.entity_types if t.name in labels]
        cuts = await while_wanted(self._cut, task.texts)
        places = [(number, window) for number, windows in enumerate(cuts) for window in windows]
        specs = [
            AnswerSpec(tuple(t.name for t in types), task.texts[number][w.start : w.end])
            for number, w in places
        ]
        near = await self._retriever.neighbours(task.pack, [s.text for s in specs], task.k)
        # Aside: many long examples in many windows take seconds, in which others are answered.
        requests = await while_wanted(
            lambda left: [self._request(task, types, *pair) for pair in left],
            list(zip(specs, near, strict=True)),
        )
        answers = await self._answers(requests)
        return [
            _Seen(number, window, spec, found, answer)
            for (number, window), spec, found, answer in zip(
                places, specs, near, answers, strict=True
            )
        ]

    def _request(
        self, task: ExtractTask, types: Sequence[EntityType], spec: AnswerSpec, near: Neighbours
    ) -> GenerateRequest | None:
        """Return what the engine is asked about a window; nothing where votes settle it."""
        if self._settles(near, spec):
            return None
        prompt = render_extraction(types, [n.example for n in near.neighbours], spec.text)
        return GenerateRequest(prompt, spec, task.adapter, task.deadline)

    async def _answers(self, requests: Sequence[GenerateRequest | None]) -> list[Answer | None]:
        """Return the engine's answers; it is not asked where there is no request."""
        asked = [r for r in requests if r is not None]
        found = iter(await self._engine.generate(asked) if asked else ())
        return [None if r is None else next(found) for r in requests]

    def _settles(self, near: Neighbours, spec: AnswerSpec) -> bool:
        fusion, votes = self._fusion, near.votes
        return fusion is not None and votes is not None and fusion.settles(votes, spec.labels)


def _extraction(
    source: str, seen: Sequence[_Seen], min_score: float, fusion: EntityFusion | None
) -> Extraction:
    grounded = [(s.window, *_entities(s, fusion)) for s in seen]
    entities = merge((window, found) for window, found, _ in grounded)
    truncated = any(s.answer is not None and s.answer.truncated for s in seen)
    return Extraction(
        entities=tuple(e for e in entities if e.score >= min_score),
        neighbours=_cited(seen),
        coverage=Coverage(len(source), len(seen), truncated),
        dropped=sum(dropped for *_, dropped in grounded),
        index=seen[0].near.index if seen else "",
    )


def _entities(seen: _Seen, fusion: EntityFusion | None) -> tuple[Sequence[Entity], int]:
    text, votes = seen.spec.text, seen.near.votes
    heard = None if votes is None else votes.only(seen.spec.labels)
    if seen.answer is None:
        if heard is None:
            raise ValueError("expected votes for a window without an answer")
        return tag(text, heard), 0
    aligned = seen.spec.parse(line.text for line in seen.answer.lines)
    scores = (seen.answer.lines[i].score for i in aligned.lines)
    entities = [
        Entity(m.start, m.end, text[m.start : m.end], m.label, score)
        for m, score in zip(aligned.mentions, scores, strict=True)
    ]
    if fusion is None or heard is None:
        return entities, aligned.dropped
    return fusion.fuse(text, entities, heard), aligned.dropped


def _cited(seen: Sequence[_Seen]) -> tuple[Citation, ...]:
    """Return the examples that stood in a prompt, or lie nearest, best first, each once."""
    best: dict[str, float] = {}
    for s in seen:
        used = None if s.answer is None else s.answer.examples_used
        for n in s.near.neighbours[:used]:
            best[n.example.id] = max(n.similarity, best.get(n.example.id, -1.0))
    cited = [Citation(identity, similarity) for identity, similarity in best.items()]
    return tuple(sorted(cited, key=lambda c: (-c.similarity, c.id)))
