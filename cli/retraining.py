"""One retraining, carried out: the pack and its tests found, the outcome shown.

Where things are stored comes from the environment, as for a server. Loads torch, so it is imported
when it runs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from cli.failures import say
from cli.folders import as_named
from cli.pack_tests import as_domain, others_with_tests, stored_domain, tests_of
from cli.promoted import UNPROMOTED, say_pin
from cli.retrain import DomainOptions, Tune
from cli.terminal import aside, out
from index.encoders import Encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from services.adapters import FOLLOW, AdapterChoice
from services.loading import (
    encoders_with,
    pack_store,
    set_environment,
    stock_packs,
    word_encoders,
)
from services.settings import Settings, read_settings
from services.stock import stock_adapters
from services.tunings import promoted_tuning
from services.word_promotion import promote_words
from training.bootstrap import Interval, paired_difference
from training.examination import Examination, examination
from training.gate import Trial, points
from training.learner import Learner, Serving
from training.model_learner import ModelLearner, ModelTools
from training.ner_scores import total
from training.preparation import Places
from training.retrain_settings import RetrainSettings, read_retrain_settings
from training.retraining import Request, Shelf, retrain
from training.verdict import Verdict
from training.word_learner import WordLearner, WordTools
from wraner import promotions
from wraner.adapters import Task, content_hash
from wraner.engine import Engine
from wraner.entity_fusion import SHIPPED
from wraner.errors import InvalidInput
from wraner.extract import Extractor
from wraner.pack_folders import read_pack_folder
from wraner.packs import Domain
from wraner.registry import missing_shipped
from wraner.weights import BUNDLED, sha256_of

_SHORT = 12


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train on. `state` is the folder of everything stored, where one is named; `command`
    is the command line that asks for all this.
    """

    options: DomainOptions
    data: Path
    state: Path | None
    command: str


def carry_out(plan: Plan) -> Verdict | None:
    """Train, compare, print the outcome; return None where Ctrl-C stopped it.

    Raises:
        NotFound: there is no such domain.
        InvalidInput, Unavailable, Stale: as `retrain`; a test file does not fit the pack, or the
            word encoder is not the bundled one.
    """
    settings = read_settings()
    set_environment(settings)
    retraining = read_retrain_settings(plan.options.own, base=settings.base_model)
    with _threads_kept():
        request = _request(plan, settings)
    shelf = Shelf(settings.state_dir / "adapters", _console())
    try:
        learner = _learner(plan, request, settings, retraining, shelf.console)
        verdict = retrain(request, retraining, learner, shelf)
    except KeyboardInterrupt:
        say(
            f"stopped; checkpoints and finished trainings are kept; go on behind the last with: "
            f"{plan.command}"
        )
        return None
    _show(verdict, learner, plan.state)
    return verdict


def _console() -> Console:
    return Console(stderr=True, highlight=False, markup=False, emoji=False, log_path=False)


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Keep how many threads train: where packs are indexed first, they are set as for serving."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def _learner(
    plan: Plan, request: Request, settings: Settings, retraining: RetrainSettings, console: Console
) -> Learner:
    places = Places(settings.state_dir, plan.data)
    asked = [example.text for example in (*request.pack.examples, *request.test)]
    asked += [sentence.text for domain in request.elsewhere for sentence in domain.asked]
    replayed = not plan.options.no_replay
    if plan.options.tune is Tune.WORDS:
        tools = WordTools(partial(encoders_with, settings), partial(_promote, settings), console)
        return WordLearner(
            retraining,
            places,
            serving=_word_tuning(settings),
            replayed=replayed,
            tools=tools,
            asked=asked,
        )
    _check_base(settings, retraining.model.base)
    followed = settings.model_copy(update={"extract_adapter": FOLLOW})
    serving = AdapterChoice(followed).of(Task.NER)
    # Neighbours of what is taught come without the tuning, as those of the sources, see `corpus`.
    untuned = encoders_with(settings, None).domains
    model_tools = ModelTools(untuned, _examination(word_encoders(settings)), console)
    return ModelLearner(
        retraining, places, serving=serving, replayed=replayed, tools=model_tools, asked=asked
    )


def _check_base(settings: Settings, base: str) -> None:
    """Refuse to train for other base weights than those that serve: none could be asked."""
    served = settings.base_model
    if base != served and sha256_of(base) != sha256_of(served):
        raise InvalidInput(
            f"expected the base model that serves, {served}, was: base: {base} in the settings; "
            f"set WRANER_BASE_MODEL={base}, for the server too"
        )


def _word_tuning(settings: Settings) -> Serving:
    """Return the tuning that serves where no setting pins another."""
    if settings.encoder != BUNDLED:
        raise InvalidInput(
            f"expected the bundled word encoder, was: WRANER_ENCODER={settings.encoder}; tune "
            "another with `python -m training.tune_words` and serve it with "
            "WRANER_WORD_ADAPTER=FOLDER"
        )
    pointed = promotions.current(settings.state_dir / "adapters", Task.WORDS)
    folder = promoted_tuning(settings, pointed)
    return Serving(content_hash(folder), folder, pointed)


def _promote(settings: Settings, identity: str, expected: str) -> None:
    promote_words(settings, identity, expected=expected, say=say)


def _request(plan: Plan, settings: Settings) -> Request:
    options = plan.options
    for complaint in stock_adapters(settings.state_dir / "adapters", settings.adapters_dir):
        say(complaint)
    if missing_shipped(pack_store(settings), settings.packs_dir):
        for complaint in stock_packs(settings, say=say):
            say(complaint)
    if options.pack is not None:
        name = options.pack.absolute().name
        pack = as_domain(name, read_pack_folder(options.pack))
    else:
        name, pack = options.domain, stored_domain(settings, options.domain)
    if options.tune is Tune.WORDS:
        say(_compared(name, pack))
    test = tests_of(options, settings, name, pack)
    others = others_with_tests(settings, name, pack, test)
    return Request(
        name=name,
        pack=pack,
        test=test,
        elsewhere=others,
        replay=not options.no_replay,
        force=options.force,
        command=plan.command,
    )


def _compared(name: str, pack: Domain) -> str:
    """Return what is said of the comparison, which leaves the language model out."""
    if len(pack.examples) < SHIPPED.least_examples:
        return f"{name} has few examples: the language model answers; votes alone are compared"
    return "serving hears the language model beside the votes; votes alone are compared"


def _examination(encoders: Encoders) -> Examination:
    def extractor_of(engine: Engine) -> Extractor:
        # An adapter is judged by its own answers: votes would hide what it has learnt.
        return Extractor(retriever=LocalRetriever(encoders, IndexSettings()), engine=engine)

    return examination(extractor_of, aside())


def _show(verdict: Verdict, learner: Learner, state: Path | None) -> None:
    """Print both comparisons, and on standard error what follows from them."""
    out().print(_table(verdict))
    say(verdict.decision.words)
    name, task = verdict.adapter[:_SHORT], learner.manifest.task
    before = learner.serving.pointed[:_SHORT] if verdict.parent else ""
    before = before or UNPROMOTED[task]
    if not verdict.promoted:
        say(f"{name} is stored and not promoted; {before} still serves")
        return
    forced = "" if verdict.decision.promote else ", by --force"
    back = f"wraner adapters rollback {task}{as_named(state)}"
    say(f"{name} serves now{forced}, {before} before; back: {back}")
    say_pin(task)


def _table(verdict: Verdict) -> Table:
    """Return F1 in points; in brackets the range that holds 95 % of the resampled changes."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for heading in ("texts", "F1 before", "candidate", "change"):
        table.add_column(heading, justify="right")
    decision = verdict.decision
    table.add_row(*_row(f"here: {verdict.here.domain}", [verdict.here], decision.here.change))
    if verdict.elsewhere:
        change = decision.elsewhere.change
        table.add_row(*_row("elsewhere, mean", verdict.elsewhere, change))
    for trial in verdict.elsewhere:
        own = paired_difference(trial.candidate, trial.serving)
        table.add_row(*_row(f"  {trial.domain}", [trial], own))
    return table


def _row(place: str, trials: Sequence[Trial], change: Interval | None) -> tuple[str, ...]:
    before = sum(total(t.serving).f1 for t in trials) / len(trials)
    candidate = sum(total(t.candidate).f1 for t in trials) / len(trials)
    return (
        place,
        str(sum(len(t.candidate) for t in trials)),
        f"{100 * before:.1f}",
        f"{100 * candidate:.1f}",
        points(change) if change else "n/a",
    )
