"""Retraining: a domain's examples make a candidate, and the gate says whether it may serve.

The candidate starts from what serves, or afresh, and is compared with it on the domain's test
sentences (without any, on folds, each with a candidate of its own that was not taught it) and
elsewhere. It is put on the shelf in any case; the pointer is flipped if what served at the start
still does. What learns is injected. Knows no command line.
"""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from training.gate import LEAST_ELSEWHERE, LEAST_HERE, LEAST_OF_ONE, Trial, decide
from training.leaks import HeldOut
from training.learner import Examine, Learner, Taught
from training.lineage import inherited, joined
from training.ner_domains import NerDomain
from training.pack_lots import Lot, fold_lots, lot_with_test, source_domain, teachable
from training.retrain_settings import RetrainSettings
from training.verdict import Verdict, metrics_of
from wraner.adapters import (
    AdapterManifest,
    TrainingData,
    content_hash,
    dated_as_stored,
    write_adapter,
)
from wraner.errors import InvalidInput, Stale, Unavailable, WranerError
from wraner.packs import Domain, TaggedExample, version

TERMS = "a stored domain of this installation"


@dataclass(frozen=True)
class Request:
    """What to retrain on.

    `test` may be empty, see the module. `elsewhere` is asked beside the test sentences of what is
    replayed. `command` is the command line that asks for all this, for the manifest. `force`
    promotes whatever the gate says.
    """

    name: str
    pack: Domain
    test: tuple[TaggedExample, ...]
    elsewhere: tuple[NerDomain, ...]
    replay: bool
    force: bool
    command: str


@dataclass(frozen=True)
class Shelf:
    """Where candidates are put, and where all that happens is said."""

    adapters: Path
    console: Console


def retrain(request: Request, settings: RetrainSettings, learner: Learner, shelf: Shelf) -> Verdict:
    """Train, compare, store and, where the gate or `force` lets it, promote.

    Raises:
        InvalidInput: the pack has too few examples, or settings or sources do not fit.
        Unavailable: the base is missing or damaged, or a candidate cannot be made to serve; then it
            is on the shelf.
        Stale: something else serves by now; the candidate is on the shelf.
    """
    work = _Work(request, settings, learner, shelf)
    lots = _lots(request, settings.folds)
    work.tell(lots)
    judged = [learner.teach(lot.taught) for lot in lots]
    final = learner.teach(teachable(request.name, request.pack)) if not request.test else judged[0]
    parent = learner.serving.adapter
    if content_hash(final.adapter) == parent:
        raise InvalidInput(
            f"expected a training that changes what serves, was: {parent[:16]} again; raise the "
            "learning rate or the steps"
        )
    here, elsewhere = work.examine(lots, judged, final)
    decision = decide(here, elsewhere)
    verdict = Verdict(
        "", parent, decision, here, elsewhere, promoted=False, command=request.command
    )
    return work.shelve(final, verdict)


def _lots(request: Request, folds: int) -> tuple[Lot, ...]:
    if request.test:
        return (lot_with_test(request.name, request.pack, request.test),)
    return fold_lots(request.name, request.pack, folds)


class _Work:
    """One retraining: what serves at its start, and the steps."""

    def __init__(
        self, request: Request, settings: RetrainSettings, learner: Learner, shelf: Shelf
    ) -> None:
        self._request, self._settings = request, settings
        self._learner, self._shelf = learner, shelf
        self._serving = learner.serving
        self._inherited = inherited(self._serving.folder)  # now, not when hours of training end

    def tell(self, lots: Sequence[Lot]) -> None:
        """Say what is taught and asked, and what spoils the comparison."""
        log, name = self._shelf.console.log, self._request.name
        for lot in lots:
            log(
                f"{name}: {len(lot.taught.examples)} examples are taught, {len(lot.asked.asked)} "
                f"sentences asked; left out are {lot.leaks} that share 8 words in a row with "
                f"those, and {lot.long} long ones"
            )
        counts = {"here": (sum(len(lot.asked.asked) for lot in lots), LEAST_HERE)}
        if not self._request.replay:
            elsewhere = sum(len(d.asked) for d in self._measured(self._request.elsewhere))
            counts["elsewhere"] = (elsewhere, LEAST_ELSEWHERE)
        for place, (count, least) in counts.items():
            if count < least:
                log(
                    f"{place} {count} test sentences are asked, at least {least} are needed: "
                    "nothing will be promoted but by --force"
                )
        if not self._request.test and any(d.name.startswith(f"{name}@") for d in self._inherited):
            log(
                f"what serves was taught examples of {name}: held out here, they speak for it; "
                "name test sentences with --test FILE"
            )

    def examine(
        self, lots: Sequence[Lot], judged: Sequence[Taught], final: Taught
    ) -> tuple[Trial, tuple[Trial, ...]]:
        """Compare each candidate with what serves: where it was not taught, and elsewhere."""
        elsewhere = self._elsewhere(final)
        with ExitStack() as stack:
            adapters = Path(stack.enter_context(TemporaryDirectory(prefix="wraner-examined-")))
            if self._serving.folder is not None:
                self._put(adapters, self._serving.folder)
            names = [self._put(adapters, taught.adapter) for taught in judged]
            last = self._put(adapters, final.adapter)
            examine = stack.enter_context(self._learner.examined(adapters))
            parts = [
                self._trial(examine, lot.asked, name) for lot, name in zip(lots, names, strict=True)
            ]
            others = tuple(self._trial(examine, domain, last) for domain in elsewhere)
        return _joined(parts), others

    def shelve(self, final: Taught, verdict: Verdict) -> Verdict:
        """Put the candidate on the shelf and promote it if it may be."""
        promoted = verdict.decision.promote or self._request.force
        adapters, forced = self._shelf.adapters, promoted and not verdict.decision.promote
        manifest = dated_as_stored(adapters, final.adapter, self._manifest(final, verdict))
        named = manifest.model_copy(update={"forced": forced})  # ahead of serving
        identity = write_adapter(adapters, final.adapter, named)
        if promoted:
            try:
                self._learner.promote(identity)
            except (WranerError, OSError) as error:
                with suppress(WranerError, OSError):  # a full disk is told by what follows
                    write_adapter(adapters, final.adapter, manifest)
                raise _told(error, identity) from error
        return replace(verdict, adapter=identity, promoted=promoted)

    def _elsewhere(self, final: Taught) -> tuple[NerDomain, ...]:
        settings, request = self._settings, self._request
        here = HeldOut(e.text for e in (*request.pack.examples, *request.test))
        replayed = tuple(
            source_domain(
                replace(source, test=[e for e in source.test if not here.leaks(e.text)]),
                sentences=settings.elsewhere_sentences,
                examples=settings.elsewhere_examples,
            )
            for source in final.sources
        )
        found = (*replayed, *request.elsewhere)
        measured = self._measured(found)
        few = [domain.name for domain in found if domain not in measured]
        if few:
            self._shelf.console.log(
                f"not measured, fewer than {LEAST_OF_ONE} test sentences that are not of "
                f"{request.name}: {', '.join(few)}"
            )
        return measured

    def _measured(self, domains: Sequence[NerDomain]) -> tuple[NerDomain, ...]:
        return tuple(domain for domain in domains if len(domain.asked) >= LEAST_OF_ONE)

    def _put(self, adapters: Path, folder: Path) -> str:
        return write_adapter(adapters, folder, self._learner.manifest)

    def _trial(self, examine: Examine, domain: NerDomain, adapter: str) -> Trial:
        return Trial(domain.name, examine(domain, adapter), examine(domain, self._serving.adapter))

    def _manifest(self, final: Taught, verdict: Verdict) -> AdapterManifest:
        request, settings = self._request, self._settings
        pack = version(request.pack)
        data = TrainingData(
            name=f"{request.name}@{pack[:16]}",
            terms=TERMS,
            sentences=final.sentences,
        )
        bare = self._learner.manifest
        judged = settings.model_dump(mode="json", exclude={"words", "model"})
        return bare.model_copy(
            update={
                "data": joined(self._inherited, (data, *final.replayed)),
                "config": {"replay": request.replay, **judged, **bare.config},
                "metrics": metrics_of(verdict, tested=bool(request.test)),
            }
        )


def _told(error: WranerError | OSError, identity: str) -> WranerError:
    """Return the error of a promotion with what has become of the candidate."""
    if not isinstance(error, Stale):
        return Unavailable(f"{error}; the candidate {identity[:12]} is stored and not promoted")
    return Stale(
        f"{error}: the candidate {identity[:12]} was compared with what served before; "
        "it is stored and not promoted. Train again, to compare it with what serves now"
    )


def _joined(parts: Sequence[Trial]) -> Trial:
    """Return the trials of all folds as one."""
    return Trial(
        parts[0].domain,
        tuple(c for part in parts for c in part.candidate),
        tuple(c for part in parts for c in part.serving),
    )
