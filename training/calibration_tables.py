"""Figures of a calibration, on texts that the weights were not fitted to.

Dev texts are scored by what was fitted to the others of ten folds, each untaught set by what was
fitted to the other sets, of its kind where it is of another than the encoder's, and there to texts
that are not its own too. Calibration errors are those of texts of which every second breaches
something, as the weights are fitted. Knows no model.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from scipy.special import expit

from training.calibration_scores import alike_calibration_error
from training.fusion_fit import (
    Hears,
    Tiers,
    cross_fitted,
    fitted_to_new_sets,
    score_of,
    with_number,
)
from training.judge_answers import Asked
from training.judged_texts import TaughtText
from wraner.fusion import KIN, SHORTLIST, Fusion
from wraner.metrics import auroc, failure_rates

TwoWays = tuple[Sequence[Asked], Sequence[Asked]]
"""Answers about a new set's texts, with its examples and by its words alone."""

_Peers = Mapping[str, tuple[Sequence[str], Hears]]
"""Of each new set the names of those that its weights are fitted to, and what is heard."""
_NUMBERS = (3, 5, 10)
_HEAD = (
    "| score | AUROC | of weightier texts | hateful failure | other failure | overall | "
    "calibration error |",
    "|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True, slots=True)
class _Told:
    score: float
    hateful: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """All answers: about dev texts, with many examples found and with few, and about new sets.

    `untaught` has each set's texts twice: with its examples, and by its words alone; so has
    `allow_lists`, of sets that name what alone is allowed.
    """

    many: Sequence[Asked]
    few: Sequence[Asked]
    untaught: Mapping[str, TwoWays]
    allow_lists: Mapping[str, TwoWays] = field(default_factory=dict)

    @property
    def foreign(self) -> list[str]:
        """The new sets whose policies are of another kind than those that the encoder knows."""
        return [
            name
            for name, (shown, _) in self.untaught.items()
            if all(e.kin < KIN for a in shown for e, _ in a.judged)
        ]


def together(sets: Mapping[str, TwoWays], names: Collection[str]) -> TwoWays:
    """Return the texts of some new sets together, with examples and by words alone."""
    shown, bare = zip(*(sets[name] for name in names), strict=True)
    return list(chain(*shown)), list(chain(*bare))


def tables(answered: Answered, tiers: Tiers) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield from _HEAD
    texts = [a.text for a in answered.many]
    yield report("whole set asked", texts, [expit(a.overall) for a in answered.many])
    yield report("leaning", texts, [expit(a.evidence.leaning) for a in answered.many])
    many = cross_fitted(answered.many, tiers, hears="leaning")
    yield from _by_number("fused", list(zip(answered.many, many, strict=True)))
    few = cross_fitted(answered.few, tiers, hears="definition")
    yield from _by_number("few examples", list(zip(answered.few, few, strict=True)))
    untaught, lists = answered.untaught, answered.allow_lists
    peers = {name: _peers(name, answered) for name in untaught}
    yield from _new_sets("never taught", untaught, peers, tiers)
    alike: _Peers = {name: ([m for m in lists if m != name], "wordings") for name in lists}
    yield from _new_sets("allowed alone", lists, alike, tiers)


def _new_sets(kind: str, sets: Mapping[str, TwoWays], peers: _Peers, tiers: Tiers) -> Iterator[str]:
    """Yield the rows of new sets, each scored by what is fitted to others, then their mean and what
    all have together.
    """
    texts: defaultdict[str, list[TaughtText]] = defaultdict(list)
    scores: defaultdict[str, list[float]] = defaultdict(list)
    rows: defaultdict[str, list[tuple[float, ...]]] = defaultdict(list)
    for name, ways in sets.items():
        names, hears = peers[name]
        own_texts = {a.text.example.text for a in ways[0]}
        others, bare = (
            [a for a in way if a.text.example.text not in own_texts]
            for way in together(sets, names)
        )
        with_examples = fitted_to_new_sets(others, bare, tiers, hears=hears)
        assert with_examples.bare is not None
        fusions = (with_examples, with_examples.bare)
        for way, asked, fusion in zip(("", ", words alone"), ways, fusions, strict=True):
            own = [score_of(a.among(SHORTLIST), fusion) for a in asked]
            rows[way].append(_figures([a.text for a in asked], own))
            yield _row(f"{kind}: {name}{way}", rows[way][-1])
            texts[way] += [a.text for a in asked]
            scores[way] += own
    for way in texts:
        mean = [sum(column) / len(column) for column in zip(*rows[way], strict=True)]
        yield _row(f"{kind}, mean{way}", mean)
        yield report(f"{kind}, together{way}", texts[way], scores[way])


def _peers(name: str, answered: Answered) -> tuple[list[str], Hears]:
    """Return the other sets that tell of one, and what is heard of them."""
    foreign = [other for other in answered.foreign if other != name]
    if name in answered.foreign and foreign:
        return foreign, "wordings"
    return [other for other in answered.untaught if other != name], "words"


def report(name: str, texts: Sequence[TaughtText], scores: Sequence[float]) -> str:
    """Return a Markdown row: AUROC, failure rates at .5 and the distance of score and truth.

    AUROC is also that of the weightier texts alone.
    """
    return _row(name, _figures(texts, scores))


def _figures(texts: Sequence[TaughtText], scores: Sequence[float]) -> tuple[float, ...]:
    hateful = [t.breaches for t in texts]
    rates = failure_rates(hateful, [s >= 0.5 for s in scores])
    heavy = [i for i, t in enumerate(texts) if t.weight > 1]
    hard = auroc([hateful[i] for i in heavy], [scores[i] for i in heavy]) if heavy else float("nan")
    error = alike_calibration_error([*map(_Told, scores, hateful)])
    assert error is not None, "the rates have refused texts of one side"
    return (auroc(hateful, list(scores)), hard, rates.hateful, rates.other, rates.overall, error)


def _row(name: str, figures: Sequence[float]) -> str:
    return f"| {name} | " + " | ".join(f"{x:.3f}" for x in figures) + " |"


def _by_number(name: str, pairs: Sequence[tuple[Asked, Fusion]]) -> Iterator[str]:
    """Yield a row of all texts, and rows of those that were asked about all policies."""
    texts = [a.text for a, _ in pairs]
    yield report(name, texts, [score_of(a.among(SHORTLIST), f) for a, f in pairs])
    whole = [(a, f) for a, f in pairs if len(a.judged) > SHORTLIST]
    if not whole:
        return
    texts, most = [a.text for a, _ in whole], len(whole[0][0].judged)
    for n in (*(n for n in _NUMBERS if n < most), most):
        yield report(f"{name}, {n} judged", texts, [score_of(a.among(n), f) for a, f in whole])
    deaf = [score_of(a, with_number(f, 0.0)) for a, f in whole]
    yield report(f"{name}, {most} judged, number unheard", texts, deaf)
