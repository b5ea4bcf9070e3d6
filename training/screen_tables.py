"""What finished runs say of the factors, as Markdown. Knows no file and no training."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Literal

from training.factorial import effects
from training.finished_runs import Finished
from training.screen_factors import FACTORS, Factor
from training.screen_run import Outcome

SEEDS = (1, 2, 3)
"""Of a confirmation's pairs of runs; the screen has 0."""


def table(finished: Sequence[Finished[Outcome]]) -> str:
    """Return the screen's effects as Markdown, and how far chance reaches."""
    found = effects([f.outcome.f1 for f in finished], factors=len(FACTORS))
    rows = [(_levels(f), size) for f, size in zip(FACTORS, found.factors, strict=True)]
    rows += [
        ("standard error, from the interactions", found.standard_error),
        ("Lenth's pseudo standard error", found.pseudo_standard_error),
        ("margin of error, 95 %, after Lenth", found.margin),
        ("mean of all runs", found.mean),
    ]
    lines = ["| low or high | F1, points |", "|---|---|"]
    lines += [f"| {name} | {size:+.1f} |" for name, size in rows]
    return "\n".join([*lines, "", f"Effects are high less low; {_budget(finished)}."]) + "\n"


def confirmed(factor: Factor, finished: Sequence[Finished[Outcome]]) -> str:
    """Return a confirmation's runs as Markdown, with the mean difference and its standard error."""
    lines = [f"| {_levels(factor)}: seed | low | high | high less low |", "|---|---|---|---|"]
    gaps = []
    for seed, low, high in zip(SEEDS, finished[::2], finished[1::2], strict=True):
        gaps.append(high.outcome.f1 - low.outcome.f1)
        shown = f"{low.outcome.f1:.1f} | {high.outcome.f1:.1f} | {gaps[-1]:+.1f}"
        lines.append(f"| {seed} | {shown} |")
    error = stdev(gaps) / len(gaps) ** 0.5
    lines.append(f"| mean | | | {fmean(gaps):+.1f}, standard error {error:.1f} |")
    return "\n".join([*lines, "", f"{_budget(finished).capitalize()}."]) + "\n"


def _budget(finished: Sequence[Finished[Outcome]]) -> str:
    tokens = [f.outcome.tokens for f in finished]
    return f"{len(finished)} runs of {min(tokens):,} to {max(tokens):,} tokens"


def _levels(factor: Factor) -> str:
    return f"{factor.name}: {_values(factor, 'low')} or {_values(factor, 'high')}"


def _values(factor: Factor, level: Literal["low", "high"]) -> str:
    return ", ".join(f"{dial.field} {getattr(dial, level)}" for dial in factor.dials)
