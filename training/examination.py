"""An examination: two adapters' answers to the same sentences, from the pipeline that serves.

Knows no gate and no shelf but the folder of adapters that it is given.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.learner import Examine
from training.ner_domains import NerDomain
from training.ner_evaluation import AskSettings, evaluate
from training.ner_scores import ALL, count
from wraner.engine import Engine
from wraner.extract import Extractor
from wraner.language_model import LanguageModel, device_at_hand
from wraner.local import LocalEngine
from wraner.metrics import SpanCounts
from wraner.weights import BaseModel


@dataclass(frozen=True, slots=True)
class Bench:
    """A base model and a folder of adapters for it. `k` examples are retrieved a sentence."""

    base: BaseModel
    adapters: Path
    k: int


Examination = Callable[[Bench], AbstractContextManager[Examine]]
"""Loads what is examined, and lets it go at the end."""


def examination(extractor_of: Callable[[Engine], Extractor], console: Console) -> Examination:
    """Return how adapters are examined on this machine, shown on `console`.

    `extractor_of` gives the pipeline that serves, around an engine.
    """

    @contextmanager
    def opened(bench: Bench) -> Iterator[Examine]:
        with _one_thread() as threads, closing(_engine(bench, threads)) as engine:
            extractor = extractor_of(engine)

            def examine(domain: NerDomain, adapter: str) -> tuple[SpanCounts, ...]:
                settings = AskSettings(k=bench.k, adapter=adapter)
                return asked_counts(extractor, domain, settings, console=console)

            yield examine

    return opened


def asked_counts(
    extractor: Extractor, domain: NerDomain, settings: AskSettings, *, console: Console
) -> tuple[SpanCounts, ...]:
    """Ask about every sentence of a domain, shown on `console`; return each one's counts."""
    with _shown(f"{domain.name}, {settings.adapter[:12] or 'no adapter'}", console) as bar:
        task = bar.add_task("", total=len(domain.asked))
        asking = evaluate(extractor, domain, settings, heard=lambda _: bar.advance(task))
        return count(asyncio.run(asking), ALL)


def _engine(bench: Bench, threads: int) -> LocalEngine:
    device = device_at_hand()
    model = LanguageModel(bench.base, adapters=bench.adapters, device=device)
    return LocalEngine(model, threads=threads)


@contextmanager
def _one_thread() -> Iterator[int]:
    """Let all but the engine compute on one thread, see `LocalEngine`; yield the engine's share."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def _shown(words: str, console: Console) -> Progress:
    return Progress(
        TextColumn(words),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
