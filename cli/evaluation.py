"""One evaluation, carried out: the pipeline that serves is loaded, asked and its report written.

Settings come from the environment as a server's do. Loads torch, so it is imported when it runs.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from cli.answerer import Answerer
from cli.counts import counted
from cli.failures import say
from cli.measuring import adapter_choice, bar, evaluation_settings, report_folder, versions
from cli.terminal import out
from services.loading import fusion_of, load_engine, load_retriever
from services.settings import Settings
from services.tunings import word_tuning
from training.bootstrap import Interval
from training.ner_domains import NerDomain
from training.ner_evaluation import AskSettings, evaluate
from training.ner_report import HTML, predictions_file, write_report
from training.ner_results import DomainResult, SentenceResult, write_predictions
from training.ner_scores import found_mentions
from training.ner_summary import Columns, Fact, Provenance, Summary
from wraner.adapters import Task, content_hash
from wraner.entity_fusion import VOTES_ALONE, EntityFusion
from wraner.extract import Extractor
from wraner.metrics import SpanCounts, count_spans


@dataclass(frozen=True, slots=True)
class Plan:
    """What to evaluate.

    `adapter` is a content hash or ``none``; None: the one that would answer requests. `out` None: a
    new folder in the state folder. `command` is the command line that asks for all this.
    """

    domains: tuple[NerDomain, ...]
    k: int
    adapter: str | None
    by: Answerer
    out: Path | None
    command: str


def carry_out(plan: Plan) -> Summary:
    """Evaluate, write the report, print a table of F1.

    Raises:
        InvalidInput: a `WRANER_…` variable is wrong.
        NotFound: there is no such adapter.
        Unavailable: weights are missing or damaged.
    """
    settings = evaluation_settings()
    made = datetime.now(UTC)
    folder = report_folder(plan.out, settings, made)
    adapter = adapter_choice(Task.NER, plan.adapter, settings).of(Task.NER)
    with closing(load_engine(settings)) as engine:
        retriever = load_retriever(settings, say=say)
        extractor = Extractor(retriever=retriever, engine=engine, fusion=_fusion(plan.by, settings))
        asked = AskSettings(k=plan.k, adapter=adapter)
        results = [_measure(extractor, d, asked, folder) for d in plan.domains]
        provenance = Provenance(
            plan.command,
            made.strftime("%Y-%m-%d %H:%M UTC"),
            _settings(plan, asked, settings),
            versions(engine),
        )
    summary = write_report(folder, results, provenance)
    out().print(_table(summary))
    say(f"the report is {folder / HTML}")
    return summary


def _fusion(by: Answerer, settings: Settings) -> EntityFusion | None:
    if by is Answerer.MODEL:
        return None
    return VOTES_ALONE if by is Answerer.VOTES else fusion_of(settings)


def _measure(
    extractor: Extractor, domain: NerDomain, asked: AskSettings, folder: Path
) -> DomainResult:
    """Evaluate one domain and keep its predictions at once: the next may take an hour."""
    with _shown(domain) as heard:
        result = asyncio.run(evaluate(extractor, domain, asked, heard=heard))
    write_predictions(predictions_file(folder, domain.name), result.sentences)
    return result


@contextmanager
def _shown(domain: NerDomain) -> Iterator[Callable[[SentenceResult], None]]:
    """Yield a function that hears of each sentence; it shows progress, pace and F1 so far."""
    so_far = _SoFar()
    with bar(domain.name, len(domain.asked)) as advance:

        def heard(sentence: SentenceResult) -> None:
            so_far.add(sentence)
            advance(so_far.figures())

        yield heard
    say(f"{domain.name}: {counted(len(domain.asked), 'text')}, {so_far.figures()}")


class _SoFar:
    """Counts and pace of the sentences heard of."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._sentences = 0
        self._counts = SpanCounts(0, 0, 0)

    def add(self, sentence: SentenceResult) -> None:
        new = count_spans([sentence.gold], [found_mentions(sentence)])
        old = self._counts
        self._sentences += 1
        self._counts = SpanCounts(old.right + new.right, old.found + new.found, old.gold + new.gold)

    def figures(self) -> str:
        pace = self._sentences / max(time.monotonic() - self._began, 1e-9)
        return f"{pace:.2f} texts/s, F1 {100 * self._counts.f1:.1f}"


def _settings(plan: Plan, asked: AskSettings, settings: Settings) -> tuple[Fact, ...]:
    files = [Fact(str(f.path), f"sha256 {f.sha256[:16]}") for d in plan.domains for f in d.files]
    tuning = word_tuning(settings)
    tuned = "untuned" if tuning is None else f"tuned: {content_hash(tuning)[:16]}"
    return (
        Fact("examples retrieved (k)", str(asked.k)),
        Fact("adapter", asked.adapter or "none: the base model alone"),
        Fact("answered by", str(plan.by)),
        Fact("calls in flight", f"{asked.calls} of {asked.texts_a_call} texts"),
        Fact("word encoder", f"{settings.encoder}, {tuned}"),
        *files,
    )


def _table(summary: Summary) -> Table:
    """Return F1 in points, in brackets the range that holds 95 % of the resamples."""
    table = Table(box=None, pad_edge=False)
    table.add_column("domain")
    for heading in ("texts", "F1", "without misc", "without repeats"):
        table.add_column(heading, justify="right")
    for d in summary.domains:
        table.add_row(d.domain, str(d.sentences), *_cells(d.f1))
    if len(summary.domains) > 1:
        texts = sum(d.sentences for d in summary.domains)
        table.add_row("average", str(texts), *_cells(summary.average), style="bold")
    return table


def _cells(columns: Columns) -> tuple[str, str, str]:
    return _cell(columns.all), _cell(columns.no_leftover), _cell(columns.no_repeats)


def _cell(interval: Interval | None) -> str:
    if interval is None:
        return "n/a"
    return f"{100 * interval.value:.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"
