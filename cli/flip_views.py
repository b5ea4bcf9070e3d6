"""Flip views: verdicts that flip, and how many do, for people and as JSON lines.

Knows no server.
"""

from rich.console import Console
from rich.padding import Padding
from rich.style import Style
from rich.text import Text as Styled

from cli import terminal
from cli.change_views import show_changes
from cli.counts import counted
from cli.options import Layout
from cli.records import Records
from cli.stream import Sink
from cli.texts import Bad, Text
from cli.views import Gap, badge, is_plain, number, shown_as_is
from wraner.flips import Comparison, FlipCount, Shift
from wraner.policy_changes import PolicySetChanges

_BOLD, _DIM = Style(bold=True), Style(dim=True)
_INDENT = 4


class OnlyFlips:
    """Passes flips on to another sink and counts everything; a `stream.Sink`."""

    def __init__(self, sink: Sink[Comparison], count: FlipCount) -> None:
        self._sink = sink
        self._count = count

    def write(self, text: Text, result: Comparison) -> None:
        """Count a comparison, and show it where the decision changed."""
        self._count.add(result)
        if result.flipped:
            self._sink.write(text, result)

    def refuse(self, bad: Bad) -> None:
        """Count a refused line and show it."""
        self._count.refused += 1
        self._sink.refuse(bad)


class FlipView:
    """Shows both decisions with the policies that they rest on; a `stream.Sink`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._gap = Gap(console)

    def write(self, text: Text, result: Comparison) -> None:
        """Show a text with what was decided and what would be."""
        self._gap.between()
        plain = is_plain(self._console)
        head = badge(result.old, plain=plain).append(" → ")
        head.append_text(badge(result.new, plain=plain)).append("  ")
        _put(self._console, head.append(shown_as_is(text.text)))
        for shift in result.shifts():
            _put(self._console, _shifted(shift), indent=_INDENT)

    def refuse(self, bad: Bad) -> None:
        """Leave a refused line to standard error."""


def show_summary(count: FlipCount, changes: PolicySetChanges, layout: Layout) -> None:
    """Show how many texts flip, and what differs between the policy sets."""
    if layout is Layout.JSONL:
        Records(terminal.lines_out()).put({"summary": _recorded(count, changes)})
        return
    console = terminal.out()
    if count.flipped:
        console.print()
    _put(console, Styled(_counts(count)))
    console.print()
    show_changes(console, changes)


def _recorded(count: FlipCount, changes: PolicySetChanges) -> dict[str, object]:
    return {
        "texts": count.texts,
        "to": count.to,
        "unchanged": count.unchanged,
        "for_other_policies": count.moved,
        "refused": count.refused,
        "changes": changes.model_dump(mode="json"),
    }


def _counts(count: FlipCount) -> str:
    flips = ", ".join(f"{n} to {decision}" for decision, n in count.to.items())
    unchanged = f"{count.unchanged} unchanged"
    if count.moved:
        unchanged += f" ({count.moved} for other policies)"
    refused = f", {count.refused} refused" if count.refused else ""
    return f"{counted(count.texts, 'text')}: {flips}, {unchanged}{refused}"


def _put(console: Console, line: Styled, *, indent: int = 0) -> None:
    if console.is_terminal:
        console.print(Padding(line, (0, 0, 0, indent)))
    else:
        console.print(" " * indent, line, sep="", soft_wrap=True)


def _shifted(shift: Shift) -> Styled:
    match = shift.match
    sign = "+" if shift.old is None else "-" if shift.new is None else " "
    shown = Styled(f"{sign} ").append(shown_as_is(match.policy), _BOLD)
    scores = [number(found.score) for found in (shift.old, shift.new) if found is not None]
    shown.append(f" {' → '.join(scores)}", _DIM).append(f"  {shown_as_is(match.title)}")
    if match.tier is not None:
        shown.append(f"  tier {match.tier}", _DIM)
    if shift.judged != "both":
        shown.append("  not judged now" if shift.judged == "old" else "  not judged before", _DIM)
    return shown
