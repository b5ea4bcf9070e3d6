"""Evaluation of entity extraction: a domain's sentences, asked of the pipeline that serves.

The extractor comes injected, so what is measured is what answers requests. Several calls are in
flight, so that the engine's rows are full. Knows no score, no report and no command line.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from training.calls import all_of, once_there_is_room, parts
from training.ner_domains import AskedSentence, NerDomain
from training.ner_results import DomainResult, SentenceResult, ShownExample
from wraner.extract import Extraction, Extractor, ExtractTask
from wraner.packs import version
from wraner.retrieval import PackRef

Heard = Callable[[SentenceResult], None]


@dataclass(frozen=True, slots=True)
class AskSettings:
    """How sentences are asked about."""

    k: int = 5
    """Examples retrieved a sentence."""
    adapter: str = ""
    """Content hash of the adapter; empty: the base model alone."""
    calls: int = 4
    """Calls in flight."""
    texts_a_call: int = 4
    """Sentences of one call."""


async def evaluate(
    extractor: Extractor,
    domain: NerDomain,
    settings: AskSettings,
    *,
    heard: Heard = lambda _: None,
) -> DomainResult:
    """Extract from every sentence of a domain; `heard` is told of each as it is answered.

    An overloaded engine is asked again; any other error ends the evaluation and all open calls.

    Raises:
        ValueError: the domain has no sentence.
        NotFound, Unavailable, InvalidInput: as `Extractor.extract`.
    """
    if not domain.asked:
        raise ValueError(f"expected sentences to ask about, was: none in {domain.name}")
    began = time.monotonic()
    asking = _Asking(extractor, domain, settings, heard)
    # The first call indexes the store, which the others would all do again.
    first, *others = parts(domain.asked, settings.texts_a_call)
    answered = [*await asking.ask(first), *await all_of([asking.ask(s) for s in others])]
    return DomainResult(
        domain=domain.name,
        split=domain.split,
        types=domain.pack.labels,
        leftover=domain.leftover,
        sentences=tuple(a.sentence for a in answered),
        whole=domain.whole,
        pack=asking.pack.version,
        index=next((a.index for a in answered if a.index), ""),
        seconds=time.monotonic() - began,
    )


@dataclass(frozen=True, slots=True)
class _Answered:
    """A sentence's result and the index that its examples came from."""

    sentence: SentenceResult
    index: str


class _Asking:
    """Calls about one domain, so many in flight."""

    def __init__(
        self, extractor: Extractor, domain: NerDomain, settings: AskSettings, heard: Heard
    ) -> None:
        self.pack = PackRef(version(domain.pack), inline=domain.pack)
        self._extractor = extractor
        self._domain = domain.pack
        self._settings = settings
        self._heard = heard
        self._room = asyncio.Semaphore(settings.calls)
        self._labels = {
            e.id: tuple(sorted({m.label for m in e.entities})) for e in domain.pack.examples
        }

    async def ask(self, sentences: Sequence[AskedSentence]) -> list[_Answered]:
        """Return the sentences' results, once a call is free."""
        task = ExtractTask(
            self._domain,
            self.pack,
            tuple(s.text for s in sentences),
            k=self._settings.k,
            adapter=self._settings.adapter,
        )
        async with self._room:
            found = await once_there_is_room(lambda: self._extractor.extract(task))
        answered = [
            _Answered(_result(s, e, self._labels), e.index)
            for s, e in zip(sentences, found, strict=True)
        ]
        for one in answered:
            self._heard(one.sentence)
        return answered


def _result(
    asked: AskedSentence, extraction: Extraction, labels: Mapping[str, tuple[str, ...]]
) -> SentenceResult:
    return SentenceResult(
        id=asked.id,
        text=asked.text,
        gold=asked.gold,
        found=extraction.entities,
        neighbours=tuple(
            ShownExample(n.id, n.similarity, labels[n.id]) for n in extraction.neighbours
        ),
        dropped=extraction.dropped,
        truncated=extraction.coverage.truncated,
        also_in=asked.also_in,
    )
