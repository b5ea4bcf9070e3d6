"""Retraining: a domain's examples make a candidate, and the gate says whether it may serve.

The candidate starts from the adapter that serves, or afresh, and is compared with it on the
domain's test sentences (without any, on folds, each with a candidate of its own that was not taught
it) and elsewhere. It is put on the shelf in any case; the pointer is flipped if what served at the
start still does. What is examined comes injected. Knows no command line.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from index.encoder import WordEncoder
from training import replay
from training.examination import Bench, Examination, Examine
from training.finetune import training_data
from training.gate import Trial, decide
from training.ner_domains import NerDomain
from training.pack_lots import Lot, fold_lots, lot_with_test, source_domain, teachable
from training.preparation import Places
from training.replay import Subject, Taught
from training.retrain_settings import RetrainSettings
from training.settings import TrainingSettings
from training.verdict import Verdict, metrics_of
from wraner import promotions, weights
from wraner.adapters import (
    AdapterManifest,
    Base,
    Task,
    TrainingData,
    content_hash,
    find,
    read_adapter,
    write_adapter,
)
from wraner.errors import InvalidInput, Stale
from wraner.packs import Domain, TaggedExample, version
from wraner.weights import BaseModel

TERMS = "a stored domain of this installation"


@dataclass(frozen=True)
class Request:
    """What to retrain on.

    `serving` is the adapter to start from and to compare with, "" for the base model alone. `test`
    may be empty, see the module. `elsewhere` is asked where nothing is replayed. `command` is the
    command line that asks for all this, for the manifest. `force` promotes whatever the gate says.
    """

    name: str
    pack: Domain
    serving: str
    test: tuple[TaggedExample, ...]
    elsewhere: tuple[NerDomain, ...]
    replay: bool
    force: bool
    command: str


@dataclass(frozen=True)
class Tools:
    """What a retraining works with."""

    encoder: WordEncoder
    examination: Examination
    console: Console


def retrain(request: Request, settings: RetrainSettings, places: Places, tools: Tools) -> Verdict:
    """Train, compare, store and, where the gate or `force` lets it, promote.

    Raises:
        InvalidInput: the pack has too few examples, or the settings, the sources or the adapter
            that serves do not fit.
        Unavailable: the base model or the adapter that serves is missing or damaged, or the
            adapter is of another base.
        Stale: another adapter serves by now; the candidate is on the shelf.
    """
    work = _Work(request, settings, places, tools)
    lots = _lots(request, settings.folds)
    work.tell(lots)
    judged = [work.teach(lot.taught) for lot in lots]
    final = work.teach(teachable(request.name, request.pack)) if not request.test else judged[0]
    if content_hash(final.adapter) == work.parent:
        raise InvalidInput(
            f"expected a training that changes the adapter, was: {work.parent[:16]} again; raise "
            "training.optimiser.learning_rate or steps"
        )
    here, elsewhere = work.examine(lots, judged, final)
    decision = decide(here, elsewhere)
    verdict = Verdict(
        "", work.parent, decision, here, elsewhere, promoted=False, command=request.command
    )
    return work.shelve(final, verdict)


def _lots(request: Request, folds: int) -> tuple[Lot, ...]:
    if request.test:
        return (lot_with_test(request.name, request.pack, request.test),)
    return fold_lots(request.name, request.pack, folds)


class _Work:
    """One retraining: what serves at its start, and the steps."""

    def __init__(
        self, request: Request, settings: RetrainSettings, places: Places, tools: Tools
    ) -> None:
        self._request, self._settings, self._tools = request, settings, tools
        self._places = places
        self._adapters = places.state / "adapters"
        self._base = weights.resolve(
            settings.training.base, places.state / "models", say=tools.console.log
        )
        self.parent = request.serving
        # Where the base alone serves, the pointer may name an adapter that does not fit it.
        self._pointed = self.parent or promotions.current(self._adapters, Task.NER)
        self._from = self._parent_folder(self._base)
        self._training = self._training_settings()

    def tell(self, lots: Sequence[Lot]) -> None:
        """Say what is taught and asked, and what spoils the comparison."""
        log, name = self._tools.console.log, self._request.name
        for lot in lots:
            log(
                f"{name}: {len(lot.taught.examples)} examples are taught, {len(lot.asked.asked)} "
                f"sentences asked; left out are {lot.leaks} that share 8 words in a row with "
                f"those, and {lot.long} long ones"
            )
        if self._from is not None and not self._request.test:
            before = read_adapter(self._adapters, self.parent).data
            if any(data.name.startswith(f"{name}@") for data in before):
                log(
                    f"what serves was taught examples of {name}: held out here, they speak for it; "
                    "name test sentences with --test FILE"
                )

    def teach(self, taught: Domain) -> Taught:
        """Train one candidate."""
        subject = Subject(taught, self._settings.pack_share, self._training, self._from)
        tools = self._tools
        return replay.teach(subject, self._places, tools.encoder, console=tools.console)

    def examine(
        self, lots: Sequence[Lot], judged: Sequence[Taught], final: Taught
    ) -> tuple[Trial, tuple[Trial, ...]]:
        """Compare each candidate with what serves: where it was not taught, and elsewhere."""
        elsewhere = self._elsewhere(final)
        with ExitStack() as stack:
            adapters = Path(stack.enter_context(TemporaryDirectory(prefix="wraner-examined-")))
            if self._from is not None:
                write_adapter(adapters, self._from, read_adapter(self._adapters, self.parent))
            names = [self._put(adapters, taught) for taught in judged]
            last = self._put(adapters, final)
            bench = Bench(self._base, adapters, self._settings.k)
            examine = stack.enter_context(self._tools.examination(bench))
            parts = [
                self._trial(examine, lot.asked, name) for lot, name in zip(lots, names, strict=True)
            ]
            others = tuple(self._trial(examine, domain, last) for domain in elsewhere)
        return _joined(parts), others

    def shelve(self, final: Taught, verdict: Verdict) -> Verdict:
        """Put the candidate on the shelf and promote it if it may be."""
        promoted = verdict.decision.promote or self._request.force
        forced = promoted and not verdict.decision.promote
        manifest = self._manifest(final, verdict)
        chosen = manifest.model_copy(update={"forced": forced})
        identity = write_adapter(self._adapters, final.adapter, chosen)
        if promoted:
            try:
                promotions.promote(self._adapters, Task.NER, identity, expected=self._pointed)
            except Stale as error:
                write_adapter(self._adapters, final.adapter, manifest)
                raise Stale(
                    f"{error}: the candidate {identity[:12]} was compared with what served before; "
                    "it is stored and not promoted. Train again, to compare it with what serves now"
                ) from error
        return replace(verdict, adapter=identity, promoted=promoted)

    def _parent_folder(self, base: BaseModel) -> Path | None:
        if not self.parent:
            return None
        return find(self._adapters, self.parent, base_sha256=base.sha256)

    def _training_settings(self) -> TrainingSettings:
        training = self._settings.training
        if not self._request.replay:
            training = replay.without_replay(training)
        if self._from is None:
            return training
        lora = replay.shaped_like(self._from, training.lora)
        view = read_adapter(self._adapters, self.parent).view
        prompts = training.prompts.model_copy(update={"view": view})
        return training.model_copy(update={"lora": lora, "prompts": prompts})

    def _elsewhere(self, final: Taught) -> tuple[NerDomain, ...]:
        if not self._request.replay:
            return self._request.elsewhere
        settings = self._settings
        untested = [source.name for source in final.sources if not source.test]
        if untested:
            self._tools.console.log(f"not measured, without test: {', '.join(untested)}")
        return tuple(
            source_domain(
                source,
                sentences=settings.elsewhere_sentences,
                examples=settings.elsewhere_examples,
            )
            for source in final.sources
            if source.test
        )

    def _put(self, adapters: Path, taught: Taught) -> str:
        return write_adapter(adapters, taught.adapter, self._bare_manifest())

    def _trial(self, examine: Examine, domain: NerDomain, adapter: str) -> Trial:
        return Trial(domain.name, examine(domain, adapter), examine(domain, self.parent))

    def _bare_manifest(self) -> AdapterManifest:
        return AdapterManifest(
            task=Task.NER,
            base=Base(name=self._base.name, sha256=self._base.sha256),
            data=(),
            config={},
            metrics={},
            created=datetime.now(UTC).date(),
            view=self._training.prompts.view,
            parent=self.parent,
        )

    def _manifest(self, final: Taught, verdict: Verdict) -> AdapterManifest:
        request, settings = self._request, self._settings
        pack = version(request.pack)
        data = TrainingData(
            name=f"{request.name}@{pack[:16]}",
            terms=TERMS,
            sentences=final.sentences,
        )
        config = settings.model_copy(update={"training": self._training})
        return self._bare_manifest().model_copy(
            update={
                "data": (data, *training_data(final.sources, self._training)),
                "config": {"replay": request.replay, **config.model_dump(mode="json")},
                "metrics": metrics_of(verdict, tested=bool(request.test)),
            }
        )


def _joined(parts: Sequence[Trial]) -> Trial:
    """Return the trials of all folds as one."""
    return Trial(
        parts[0].domain,
        tuple(c for part in parts for c in part.candidate),
        tuple(c for part in parts for c in part.serving),
    )
