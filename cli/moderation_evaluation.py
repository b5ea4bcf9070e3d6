"""One evaluation of moderation, carried out: loaded, asked, its report and its card written.

Asks the pipeline that serves. Loads torch, so it is imported when it runs.
"""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from cli.counts import counted
from cli.failures import say
from cli.measuring import adapter_choice, evaluation_settings, report_folder, versions
from cli.moderation_progress import heard_of
from cli.terminal import out
from index.bundled import NAME as BUNDLED_ENCODER
from services.loading import load_engine, load_retriever, pack_store
from services.settings import Settings
from services.tunings import policy_tuning
from training.hatemoderate import read_hatemoderate
from training.moderation_card import render_card
from training.moderation_card_file import write_card
from training.moderation_card_subject import (
    CardSubject,
    read_moderation_adapter,
    read_tuning,
)
from training.moderation_evaluation import (
    ModerationAsking,
    ModerationRun,
    Pipeline,
    check_fits,
    decided_by,
    evaluate_moderation,
    without_asked,
)
from training.moderation_report import HTML, PREDICTIONS, write_moderation_report
from training.moderation_results import Prediction, System
from training.moderation_rows import AskedRows
from training.moderation_summary import (
    Evaluated,
    ModerationSummary,
    SystemScores,
    summarise_moderation,
)
from training.ner_summary import Fact, Provenance
from training.report_pages import share
from wraner import weights
from wraner.adapters import Task, content_hash
from wraner.errors import InvalidInput
from wraner.fusion import Fusion
from wraner.moderate import SERVED, Moderator
from wraner.pack_folders import DEFINITIONS_FILE, read_pack_folder
from wraner.packs import PolicySet, version
from wraner.registry import Kind, missing_shipped

_NAME = "wraner"


@dataclass(frozen=True)
class ModerationPlan:
    """What to evaluate.

    `policy_set` is a folder or a stored name. The examples of the file `store` stand in for the
    policy set's own, None: they do not. `adapter` is a content hash or ``none``; None: the one that
    would answer requests. `detectors` are shown beside the pipeline. `out` None: a new folder in
    the state folder. `card` None: no report card. `command` asks for all this but the adapter.
    """

    asked: AskedRows
    policy_set: str
    store: Path | None
    exhaustive: bool
    adapter: str | None
    detectors: tuple[System, ...]
    out: Path | None
    card: Path | None
    command: str


@dataclass(frozen=True)
class _Judging:
    """What texts are judged by; `left_out` examples have a text that is asked about.

    `version` is the policy set's, with its own examples.
    """

    policy_set: PolicySet
    version: str
    left_out: int
    asking: ModerationAsking


def carry_out(plan: ModerationPlan) -> ModerationSummary:
    """Evaluate, write the report and the card, print a table of failure rates.

    Raises:
        InvalidInput: a file or a `WRANER_…` variable is wrong, the policy set does not fit, or a
            card's subject cannot be told.
        NotFound: there is no such policy set, or no such adapter.
        Unavailable: weights are missing or damaged.
    """
    settings = evaluation_settings()
    judging = _judging(plan, settings)
    subject = None if plan.card is None else _subject(plan, judging, settings)
    facts = _facts(plan, judging, settings)
    made = datetime.now(UTC)
    folder = report_folder(plan.out, settings, made)
    with closing(load_engine(settings)) as engine:
        retriever = load_retriever(settings, say=say)
        moderator = Moderator(retriever=retriever, engine=engine, settings=SERVED)
        with heard_of(plan.asked, folder / PREDICTIONS) as heard:
            asking = _ask(Pipeline(moderator, retriever), judging, plan.asked, heard)
            run = asyncio.run(asking)
        provenance = Provenance(
            # By its hash: another may serve when somebody measures again.
            f"{plan.command} --adapter {judging.asking.adapter or 'none'}",
            made.strftime("%Y-%m-%d %H:%M UTC"),
            facts,
            versions(engine),
        )
    own = decided_by(_NAME, run.predictions, SERVED)
    evaluated = Evaluated(plan.asked, judging.policy_set, run, (own, *plan.detectors))
    summary = summarise_moderation(evaluated, provenance)
    _publish(folder, summary)
    if plan.card is not None and subject is not None:
        write_card(plan.card, render_card(summary, subject))
        say(f"the card is {plan.card}")
    return summary


def _publish(folder: Path, summary: ModerationSummary) -> None:
    """Write the report; print a table of failure rates, and where the report is."""
    write_moderation_report(folder, summary)
    out().print(_table(summary))
    say(f"the report is {folder / HTML}")


async def _ask(
    pipeline: Pipeline, judging: _Judging, asked: AskedRows, heard: Callable[[Prediction], None]
) -> ModerationRun:
    return await evaluate_moderation(
        pipeline, judging.policy_set, asked=asked, asking=judging.asking, heard=heard
    )


def _judging(plan: ModerationPlan, settings: Settings) -> _Judging:
    named = _named(plan.policy_set, settings)
    check_fits(named, plan.asked.rows)
    given = named.examples if plan.store is None else read_hatemoderate(plan.store)
    kept = without_asked(given, plan.asked)
    choice = adapter_choice(Task.MODERATION, plan.adapter, settings)
    adapter = choice.of(Task.MODERATION)
    asking = ModerationAsking(
        exhaustive=plan.exhaustive,
        adapter=adapter,
        fusion=choice.calibration(adapter),
        texts_a_call=1 if plan.exhaustive else 4,  # fills the engine's queue without passing it
    )
    return _Judging(
        named.model_copy(update={"examples": kept}),
        version=version(named),
        left_out=len(given) - len(kept),
        asking=asking,
    )


def _subject(plan: ModerationPlan, judging: _Judging, settings: Settings) -> CardSubject:
    """Return what a card is about, by what serves; nothing heavy is loaded yet."""
    tuning, encoder = policy_tuning(settings), settings.encoder
    return CardSubject(
        policy_set=Path(plan.policy_set).resolve().name,
        policy_set_version=judging.version,
        policies=len(judging.policy_set.policies),
        encoder=BUNDLED_ENCODER if encoder == weights.BUNDLED else Path(encoder).name,
        adapter=read_moderation_adapter(settings.state_dir / "adapters", judging.asking.adapter),
        tuning=None if tuning is None else read_tuning(tuning),
    )


def _named(name: str, settings: Settings) -> PolicySet:
    """Return a policy set: a folder's, one that ships and is not stored yet, or a stored one."""
    store, folder = pack_store(settings), Path(name)
    if not (folder / DEFINITIONS_FILE).is_file():
        shipped = missing_shipped(store, settings.packs_dir)
        folder = next((one for one in shipped if one.name == name), folder)
    if (folder / DEFINITIONS_FILE).is_file():
        pack = read_pack_folder(folder)
    else:
        pack = store.pack(Kind.POLICY_SET, name, store.current(Kind.POLICY_SET, name))
    if not isinstance(pack, PolicySet):
        raise InvalidInput(f"expected a policy set, was: {name}, a domain; see: wraner policies")
    return pack


def _facts(plan: ModerationPlan, judging: _Judging, settings: Settings) -> tuple[Fact, ...]:
    files = [plan.asked.file, *([] if plan.store is None else [plan.store])]
    encoder, tuning = Path(settings.encoder).name, policy_tuning(settings)
    tuned = "untuned" if tuning is None else f"tuned: {content_hash(tuning)}"
    judged = f"the first {SERVED.shortlist} by retrieval"
    asking, store = judging.asking, plan.store.name if plan.store else plan.policy_set
    return (
        Fact("policy set", plan.policy_set),
        Fact(
            "examples",
            f"{len(judging.policy_set.examples)} of {store}; {judging.left_out} left out, whose "
            "text is asked about",
        ),
        Fact("examples a prompt", _shown(asking.fusion or SERVED.fusion)),
        Fact("policies judged", "all" if asking.exhaustive else judged),
        Fact("threshold", f"{SERVED.threshold}, for review from {SERVED.review_band} below"),
        Fact("adapter", asking.adapter or "none: the base model alone"),
        Fact("calls in flight", f"{asking.calls} of {counted(asking.texts_a_call, 'text')}"),
        Fact("scores", _weights(asking.fusion or SERVED.fusion)),
        Fact("word encoder", f"{encoder}, {tuned}"),
        *(Fact(str(f), f"sha256 {hashlib.sha256(f.read_bytes()).hexdigest()[:16]}") for f in files),
    )


def _shown(fusion: Fusion) -> str:
    """Return how many examples stand in questions about policies that were taught, and others."""
    taught, later = map(_a_side, (fusion, fusion.untaught or fusion))
    return taught if taught == later else f"{taught}; policies that came later: {later}"


def _a_side(fusion: Fusion) -> str:
    return f"{fusion.examples_shown} on each side" if fusion.examples_shown else "none"


def _weights(fusion: Fusion) -> str:
    """Return the weights of scores, those that are not 0."""
    return fusion.model_dump_json(exclude_defaults=True, exclude={"taught"})


def _table(summary: ModerationSummary) -> Table:
    """Return failure rates and AUROC of each system."""
    table = Table(box=None, pad_edge=False)
    table.add_column("system")
    for heading in ("", "cases", "hateful let pass", "others flagged", "overall", "AUROC"):
        table.add_column(heading, justify="right")
    for system in summary.systems:
        table.add_row(system.name, "all rows", *_cells(system.all))
        table.add_row("", "clean texts", *_cells(system.clean))
        if not summary.asked.is_training_file:
            table.add_row("", "apart", *_cells(system.apart))
    return table


def _cells(scores: SystemScores) -> list[str]:
    rates = (scores.failures.hateful, scores.failures.other, scores.failures.overall)
    shown = [share(rate) for rate in (*rates, scores.auroc)]
    return [str(scores.cases), *shown]
