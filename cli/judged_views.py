"""Judged views: labelled texts with their verdicts, and the figures, for people and as JSON lines.

Knows no server.
"""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from cli.counts import counted
from cli.figure_views import counts_table, in_words, recorded, show_summary
from cli.judged import Figures, Judged
from cli.options import Layout
from cli.views import badge, is_plain, number, shown_as_is
from wraner.policies import Decision

_CUT_CHARACTERS = 100


class JudgedView:
    """Shows a text on one line, with what is wrong and which policies were named."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, judged: Judged) -> None:
        """Show a text."""
        shown = Styled(f"line {judged.line}: {judged.fault or 'right'}  ")
        shown.append_text(badge(judged.verdict, plain=is_plain(self._console)))
        text = " ".join(shown_as_is(judged.example.text).split())
        shown.append(f"  {text[:_CUT_CHARACTERS]}{'…' if len(text) > _CUT_CHARACTERS else ''}")
        self._console.print(shown, soft_wrap=True)
        named = [f"{m.policy} {number(m.score)}" for m in judged.verdict.matches]
        for words, policies in (("breaches", judged.example.violates), ("named", named)):
            if policies:
                self._console.print(f"    {words} {shown_as_is(', '.join(policies))}", style="dim")


def show_figures(figures: Figures, refused: int, layout: Layout) -> None:
    """Show what the verdicts are worth."""
    tables = [_policies(figures)] if figures.policies else []
    said = _said(figures, refused)
    show_summary(layout, _recorded(figures, refused), _decisions(figures), said, *tables)


def _recorded(figures: Figures, refused: int) -> dict[str, Any]:
    shares = {n: getattr(figures, n) for n in ("let_pass", "flagged", "auroc")}
    return {
        "breaching": figures.breaching,
        "harmless": figures.harmless,
        "partly_labelled": figures.partly,
        **{name: share and recorded(share) for name, share in shares.items()},
        "right_policy_first": figures.right_first,
        "policies": [
            {
                "policy": one.policy,
                "breaching": one.breaching,
                "found": one.found,
                "keeping": one.keeping,
                "matched_all_the_same": one.matched,
            }
            for one in figures.policies
        ],
        "refused": refused,
    }


def _said(figures: Figures, refused: int) -> list[str]:
    let_pass, flagged, auroc = figures.let_pass, figures.flagged, figures.auroc
    said = []
    if let_pass is not None:
        said.append(f"breaching texts let pass: {in_words(let_pass)}")
    if flagged is not None:
        said.append(f"harmless texts flagged: {in_words(flagged)}")
    if auroc is not None:
        said.append(f"AUROC of the texts' scores: {in_words(auroc)}")
    if total := sum(figures.breaching.values()):
        said.append(f"a right policy comes first in {figures.right_first} of {total}")
    if refused:
        said.append(f"{counted(refused, 'text')} refused")
    return said


def _decisions(figures: Figures) -> Table:
    table = counts_table("texts", "", "violates", "for review", "allowed")
    sides: tuple[tuple[str, Mapping[Decision, int]], ...] = (
        ("breaching", figures.breaching),
        ("harmless", figures.harmless),
        ("partly labelled", figures.partly),
    )
    for side, counts in sides:
        total = sum(counts.values())
        if total or counts is not figures.partly:
            table.add_row(side, *map(str, (total, *counts.values())))
    return table


def _policies(figures: Figures) -> Table:
    table = counts_table("policy", "breach it", "of which found", "keep it", "of which matched")
    for one in figures.policies:
        counts = (one.breaching, one.found, one.keeping, one.matched)
        table.add_row(shown_as_is(one.policy), *map(str, counts))
    return table
