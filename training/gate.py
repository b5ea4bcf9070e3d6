"""The gate: whether a candidate may take the place of what serves, by counts of both.

It may where the interval of its gain on the domain lies above nothing and chance alone seldom
brings as much, that of its mean change elsewhere lies above a loss of 1 F1, and that of no domain
there below it. Anything else is insufficient evidence, a few sentences too. Knows no model, no
adapter and no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.bootstrap import (
    DEFAULT,
    Interval,
    Resampling,
    paired_difference,
    paired_mean_difference,
)
from training.randomisation import chance_of_gain
from wraner.metrics import SpanCounts

ALLOWED_LOSS = 0.01
"""Of F1, elsewhere."""
LEAST_HERE, LEAST_ELSEWHERE, LEAST_OF_ONE = 20, 100, 20
"""Sentences; the last of each domain elsewhere, for a single one could outweigh all others there.
The bootstrap sees no doubt where few agree by chance: of 100 without a change, a loss in 3 % of all
sentences would still be likely enough to go unseen, of 20 one in 14 %."""
MOST_CHANCE = 0.025
"""In so large a share of exchanges at most may chance bring the gain here. The bootstrap alone is
surer of few changed sentences than it may be: it takes those that it saw for all that there are."""


@dataclass(frozen=True)
class Trial:
    """Two systems on the same sentences of one domain."""

    domain: str
    candidate: tuple[SpanCounts, ...]
    serving: tuple[SpanCounts, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A difference that was measured, and whether its interval lies above a bound.

    `change` is None where nothing was measured. `words` say it all, in points of F1.
    """

    met: bool
    change: Interval | None
    sentences: int
    words: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to promote: where both conditions are met."""

    here: Condition
    elsewhere: Condition

    @property
    def promote(self) -> bool:
        """Whether the evidence suffices."""
        return self.here.met and self.elsewhere.met

    @property
    def words(self) -> str:
        """The verdict, and what it rests on."""
        verdict = "promote" if self.promote else "insufficient evidence"
        return f"{verdict}: {self.here.words}; {self.elsewhere.words}"


def decide(here: Trial, elsewhere: Sequence[Trial], resampling: Resampling = DEFAULT) -> Decision:
    """Compare a candidate with what serves, on its own domain and on others.

    Raises:
        ValueError: the sentences of a trial are not the same for both, or there is none.
    """
    gain = paired_difference(here.candidate, here.serving, resampling)
    own = _condition(here.domain, gain, len(here.candidate), least=LEAST_HERE, above=0.0)
    return Decision(_beyond_chance(own, here, resampling), _elsewhere(elsewhere, resampling))


def _beyond_chance(own: Condition, here: Trial, resampling: Resampling) -> Condition:
    """Return the condition here, which is not met where chance brings such a gain too often."""
    if not own.met:
        return own
    chance = chance_of_gain(here.candidate, here.serving, resampling)
    if chance <= MOST_CHANCE:
        return own
    changed = sum(c != s for c, s in zip(here.candidate, here.serving, strict=True))
    often = (
        f"but on the {changed} of these that the two answer differently, chance alone brings as "
        f"much in {100 * chance:.1f} % of exchanges"
    )
    return replace(own, met=False, words=f"{own.words}, {often}")


def _elsewhere(trials: Sequence[Trial], resampling: Resampling) -> Condition:
    if not trials:
        words = f"elsewhere nothing was measured, {_failed(-ALLOWED_LOSS)}"
        return Condition(met=False, change=None, sentences=0, words=words)
    change = paired_mean_difference(
        [t.candidate for t in trials], [t.serving for t in trials], resampling
    )
    sentences = sum(len(t.candidate) for t in trials)
    mean = _condition("elsewhere", change, sentences, least=LEAST_ELSEWHERE, above=-ALLOWED_LOSS)
    apart = [(t.domain, paired_difference(t.candidate, t.serving, resampling)) for t in trials]
    lost = [f"{domain} {points(own)}" for domain, own in apart if own.high < -ALLOWED_LOSS]
    if not lost or len(trials) == 1:
        return mean
    # A mean would let what other domains gain, those replayed above all, pay for the loss of one.
    return replace(mean, met=False, words=f"{mean.words}, lost is: {', '.join(lost)}")


def _condition(
    place: str, change: Interval, sentences: int, *, least: int, above: float
) -> Condition:
    words = f"{place} {points(change)} F1 on {sentences} sentences"
    if sentences < least:
        return Condition(False, change, sentences, f"{words}, too few: at least {least} are needed")
    met = change.low > above
    return Condition(met, change, sentences, f"{words}, {_held(above) if met else _failed(above)}")


def points(change: Interval) -> str:
    """Return a difference of F1 in points with its interval, as ``+1.2 (+0.3 to +2.0)``."""
    low, high = 100 * change.low, 100 * change.high
    return f"{100 * change.value:+.1f} ({low:+.1f} to {high:+.1f})"


def _held(above: float) -> str:
    return "a gain" if above == 0 else f"a loss of {-100 * above:g} is excluded"


def _failed(above: float) -> str:
    if above == 0:
        return "which does not exclude that there is no gain"
    return f"which does not exclude a loss of {-100 * above:g}"
