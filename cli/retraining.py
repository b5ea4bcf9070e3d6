"""One retraining, carried out: the pack and its tests found, the outcome shown.

Where things are stored comes from the environment, as for a server. Loads torch, so it is imported
when it runs.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cli.failures import say
from cli.retrain import DomainOptions
from cli.terminal import aside, out
from index.encoders import Encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from services.adapters import FOLLOW, AdapterChoice
from services.loading import (
    pack_store,
    set_environment,
    stock_packs,
    word_encoders,
)
from services.settings import Settings, read_settings
from services.stock import stock_adapters
from training.examination import Examination, examination
from training.gate import Condition, Trial, points
from training.ner_domains import NerDomain
from training.ner_scores import total
from training.pack_lots import asked_domain
from training.preparation import Places
from training.retrain_settings import read_retrain_settings
from training.retraining import Request, Tools, retrain
from training.verdict import Verdict
from wraner.adapters import Task
from wraner.engine import Engine
from wraner.errors import InvalidInput
from wraner.extract import Extractor
from wraner.pack_folders import read_definitions, read_examples, read_pack_folder
from wraner.packs import Domain, Pack, TaggedExample, definitions_of
from wraner.registry import Kind, missing_shipped

TEST_FILE = "test.jsonl"
_SHORT = 12
_PIN = "WRANER_EXTRACT_ADAPTER"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train on. `command` is the command line that asks for all this."""

    options: DomainOptions
    data: Path
    command: str


def carry_out(plan: Plan) -> Verdict | None:
    """Train, compare, print the outcome; return None where Ctrl-C stopped it.

    Raises:
        NotFound: there is no such domain.
        InvalidInput, Unavailable, Stale: as `retrain`; a test file does not fit the pack.
    """
    settings = read_settings()
    set_environment(settings)
    retraining = read_retrain_settings(plan.options.own, base=settings.base_model)
    request = _request(plan, settings)
    encoders = word_encoders(settings)
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, log_path=False)
    examined = _examination(encoders)
    tools = Tools(encoders.domains, examined, console)
    try:
        verdict = retrain(request, retraining, Places(settings.state_dir, plan.data), tools)
    except KeyboardInterrupt:
        say(f"stopped; checkpoints are kept; go on behind the last with: {plan.command}")
        return None
    _show(verdict)
    return verdict


def _request(plan: Plan, settings: Settings) -> Request:
    options = plan.options
    for complaint in stock_adapters(settings.state_dir / "adapters", settings.adapters_dir):
        say(complaint)
    if missing_shipped(pack_store(settings), settings.packs_dir):
        for complaint in stock_packs(settings, say=say):
            say(complaint)
    if options.pack is not None:
        name, pack = options.pack.absolute().name, read_pack_folder(options.pack)
    else:
        name, pack = options.domain, _stored(settings, options.domain)
    followed = settings.model_copy(update={"extract_adapter": FOLLOW})
    return Request(
        name=name,
        pack=_domain(name, pack),
        serving=AdapterChoice(followed).of(Task.NER),
        test=_tests(options, settings, name, pack),
        elsewhere=_others(settings, name) if options.no_replay else (),
        replay=not options.no_replay,
        force=options.force,
        command=plan.command,
    )


def _stored(settings: Settings, name: str) -> Pack:
    packs = pack_store(settings)
    return packs.pack(Kind.DOMAIN, name, packs.current(Kind.DOMAIN, name))


def _domain(name: str, pack: Pack) -> Domain:
    if not isinstance(pack, Domain):
        raise InvalidInput(f"expected a domain, was: the policy set {name}; name a domain")
    return pack


def _tests(
    options: DomainOptions, settings: Settings, name: str, pack: Pack
) -> tuple[TaggedExample, ...]:
    """Return the test sentences: as named, beside the pack, or of the domain that ships."""
    beside = options.pack / TEST_FILE if options.pack else None
    file = options.test or (beside if beside and beside.is_file() else None)
    if file is None and options.domain:
        file = _shipped_test(settings, name, pack)
    if file is None:
        say(f"{name} has no test sentences; it is judged by parts of its examples")
        return ()
    say(f"{name} is judged by {file}")
    return _read(file, pack)


def _others(settings: Settings, name: str) -> tuple[NerDomain, ...]:
    """Return the other stored domains that have tests."""
    found = []
    for other in pack_store(settings).names(Kind.DOMAIN):
        pack = _domain(other, _stored(settings, other))
        file = _shipped_test(settings, other, pack) if other != name else None
        if file is not None:
            found.append(asked_domain(other, pack, _read(file, pack)))
    if not found:
        say("no other domain has tests: what was forgotten elsewhere is not measured")
    return tuple(found)


def _shipped_test(settings: Settings, name: str, pack: Pack) -> Path | None:
    """Return the tests that ship with a domain, where its definitions are still those."""
    folder = settings.packs_dir / name
    file = folder / TEST_FILE
    if not file.is_file() or read_definitions(folder) != definitions_of(pack):
        return None
    return file


def _read(file: Path, pack: Pack) -> tuple[TaggedExample, ...]:
    examples = read_examples(file, definitions_of(pack))
    return tuple(e for e in examples if isinstance(e, TaggedExample))


def _examination(encoders: Encoders) -> Examination:
    def extractor_of(engine: Engine) -> Extractor:
        # An adapter is judged by its own answers: votes would hide what it has learnt.
        return Extractor(retriever=LocalRetriever(encoders, IndexSettings()), engine=engine)

    return examination(extractor_of, aside())


def _show(verdict: Verdict) -> None:
    """Print both comparisons, and on standard error what follows from them."""
    out().print(_table(verdict))
    say(verdict.decision.words)
    name = verdict.adapter[:_SHORT]
    before = verdict.parent[:_SHORT] or "the base model alone"
    if not verdict.promoted:
        say(f"{name} is stored and not promoted; {before} still serves")
        return
    forced = "" if verdict.decision.promote else ", by --force"
    say(f"{name} serves now{forced}, {before} before; back: wraner adapters rollback ner")
    if pinned := os.environ.get(_PIN):
        say(f"{_PIN}={pinned[:_SHORT]} is set here; a server with it follows no promotion")


def _table(verdict: Verdict) -> Table:
    """Return F1 in points; in brackets the range that holds 95 % of the resampled changes."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for heading in ("texts", "F1 before", "candidate", "change"):
        table.add_column(heading, justify="right")
    decision = verdict.decision
    table.add_row(*_row("here", [verdict.here], decision.here))
    if verdict.elsewhere:
        table.add_row(*_row("elsewhere", verdict.elsewhere, decision.elsewhere))
    return table


def _row(place: str, trials: Sequence[Trial], condition: Condition) -> tuple[str, ...]:
    before = sum(total(t.serving).f1 for t in trials) / len(trials)
    candidate = sum(total(t.candidate).f1 for t in trials) / len(trials)
    change = points(condition.change) if condition.change else "n/a"
    return (
        f"{place}: {', '.join(t.domain for t in trials)}",
        str(condition.sentences),
        f"{100 * before:.1f}",
        f"{100 * candidate:.1f}",
        change,
    )
