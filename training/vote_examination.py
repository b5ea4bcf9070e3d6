"""An examination of word tunings: the votes of tagged words answer, no language model is asked.

That is what serves with `WRANER_VOTES_ALONE`; without, it is what the encoder gives to the answer.
Knows no gate and no shelf but the folder of tunings that it is given.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from index.encoders import Encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.word_votes import UNTUNED, VoteSettings
from training.examination import asked_counts
from training.learner import Examine
from training.ner_domains import NerDomain
from training.ner_evaluation import AskSettings
from wraner.engine import GenerateRequest, ScoreRequest
from wraner.entity_fusion import VOTES_ALONE
from wraner.errors import Unavailable
from wraner.extract import Extractor
from wraner.metrics import SpanCounts

_KEPT = 2  # encoders: those of a candidate, and those of what serves


@contextmanager
def votes_examined(
    adapters: Path, encoders_with: Callable[[Path | None], Encoders], *, console: Console
) -> Iterator[Examine]:
    """Yield what asks with the tunings in `adapters`, shown on `console`; "": an encoder untuned.

    `encoders_with` loads the encoders with a tuning. Asking raises as it does.
    """

    @lru_cache(maxsize=_KEPT)
    def extractor_of(adapter: str) -> Extractor:
        encoders = encoders_with(adapters / adapter if adapter else None)
        votes = VoteSettings() if adapter else UNTUNED
        retriever = LocalRetriever(encoders, IndexSettings(), votes=votes)
        return Extractor(retriever=retriever, engine=_NoEngine(), fusion=VOTES_ALONE)

    def examine(domain: NerDomain, adapter: str) -> tuple[SpanCounts, ...]:
        asked = AskSettings(k=1, adapter=adapter)  # whatever is retrieved, all words vote
        return asked_counts(extractor_of(adapter), domain, asked, console=console)

    yield examine


class _NoEngine:
    """Stands where an engine is wanted and nothing is asked of it."""

    async def generate(self, requests: Sequence[GenerateRequest]) -> NoReturn:
        raise Unavailable("expected votes to answer alone, was: a question to the language model")

    async def score(self, requests: Sequence[ScoreRequest]) -> NoReturn:
        raise Unavailable("expected votes to answer alone, was: a question to the language model")

    async def info(self) -> NoReturn:
        raise Unavailable("expected votes to answer alone, was: a question to the language model")
