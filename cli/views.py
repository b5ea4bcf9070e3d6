"""Views: results for people, coloured, at any width, on dark and light terminals.

Colours are pairs of ink and paper, so that they read on either; without colours the same is said
in brackets. Knows no server.
"""

from collections.abc import Sequence
from itertools import cycle

from rich.console import Console
from rich.padding import Padding
from rich.style import Style
from rich.text import Text as Styled

from cli.failures import say
from cli.texts import Bad, Text
from wraner.client.replies import Entity, Extraction, PolicyMatch, Span, Verdict

# Of the 256 colours, which terminals do not let themes change; black reads on all of them.
_PAPERS = (117, 156, 222, 218, 183, 216, 123, 193, 147, 229, 151, 210, 189, 180)
_DECISIONS = {"violates": (231, 160), "review": (16, 221), "allowed": (16, 114)}
# What would command the terminal is shown as one picture of itself, so that positions stay.
_PICTURES = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: 0x2421,
    **{code: 0xFFFD for code in range(0x80, 0xA0)},
}
_INDENT = 4
_DIM = Style(dim=True)
_BOLD = Style(bold=True)
_UNDERLINED = Style(underline=True, bold=True)


def number(score: float) -> str:
    """Return a score in 0..1 with two digits."""
    return f"{score:.2f}".removeprefix("0")


def shown_as_is(text: str) -> str:
    """Return a text that cannot command the terminal, of the same length."""
    return text.translate(_PICTURES)


class Palette:
    """One colour a label, in the order in which labels first come."""

    def __init__(self) -> None:
        self._papers = cycle(_PAPERS)
        self._styles: dict[str, Style] = {}

    def __getitem__(self, label: str) -> Style:
        if label not in self._styles:
            self._styles[label] = paper_style(16, next(self._papers))
        return self._styles[label]


class Gap:
    """An empty line between results, whose texts may have several lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = False

    def between(self) -> None:
        """Show an empty line, but not before the first result."""
        if self._begun:
            self._console.print()
        self._begun = True


class ExtractionView:
    """Shows texts with their entities marked; a `stream.Sink`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._gap = Gap(console)
        self._palette = Palette()

    def write(self, text: Text, result: Extraction) -> None:
        """Show a text."""
        self._gap.between()
        palette = None if is_plain(self._console) else self._palette
        shown = with_entities(shown_as_is(text.text), result.entities, palette)
        if not result.entities:
            shown.append("  nothing found", _DIM)
        if result.coverage.truncated:
            shown.append("  (cut short)", _DIM)
        self._console.print(shown, soft_wrap=not self._console.is_terminal)

    def refuse(self, bad: Bad) -> None:
        """Leave a refused line to standard error."""


class VerdictView:
    """Shows decisions with the policies that they rest on; a `stream.Sink`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._gap = Gap(console)

    def write(self, text: Text, result: Verdict) -> None:
        """Show a text with its verdict."""
        self._gap.between()
        head = badge(result, plain=is_plain(self._console)).append("  ")
        spans = [span for match in result.matches for span in match.evidence]
        visible = shown_as_is(text.text)
        head.append_text(_underlined(visible, spans))
        self._console.print(head, soft_wrap=not self._console.is_terminal)
        for match in result.matches:
            reason = _reason(visible, match)
            if self._console.is_terminal:
                self._console.print(Padding(reason, (0, 0, 0, _INDENT)))
            else:
                self._console.print(" " * _INDENT, reason, sep="", soft_wrap=True)

    def refuse(self, bad: Bad) -> None:
        """Leave a refused line to standard error."""


def with_entities(text: str, entities: Sequence[Entity], palette: Palette | None) -> Styled:
    """Return a text with its entities in colours of their labels, without a palette in brackets."""
    shown, at = Styled(), 0
    for entity in entities:
        words = text[entity.start : entity.end]
        shown.append(text[at : entity.start])
        if palette is None:
            shown.append_text(_bracketed(words, entity))
        else:
            shown.append_text(_block(words, entity, palette[entity.label]))
        at = entity.end
    return shown.append(text[at:])


def badge(verdict: Verdict, *, plain: bool) -> Styled:
    """Return a decision with its score; `plain` where there are no colours."""
    word = verdict.decision.upper()
    style = paper_style(*_DECISIONS[verdict.decision])
    shown = Styled().append(word if plain else f" {word} ", style + _BOLD)
    return shown.append(f" {number(verdict.score)}", _DIM)


def complain_of(bad: Bad) -> None:
    """Say on standard error which line was refused, and why."""
    say(f"{bad.place}: {bad.error}")


def is_plain(console: Console) -> bool:
    """Return whether a console shows no colours."""
    return console.color_system is None or console.no_color


def paper_style(ink: int, paper: int) -> Style:
    """Return ink on paper, both of the 256 colours."""
    return Style(color=f"color({ink})", bgcolor=f"color({paper})")


def _block(words: str, entity: Entity, style: Style) -> Styled:
    # Dots, not spaces: rich would break the line there, and leave scores alone on the next.
    block = Styled().append(words, style + _BOLD)
    block.append(f"·{shown_as_is(entity.label)}", style + Style(italic=True))
    return block.append(f"·{number(entity.score)}", style)


def _bracketed(words: str, entity: Entity) -> Styled:
    return Styled(f"[{words} | {shown_as_is(entity.label)} {number(entity.score)}]")


def _underlined(text: str, spans: Sequence[Span]) -> Styled:
    shown = Styled(text)
    for span in spans:
        shown.stylize(_UNDERLINED, span.start, span.end)
    return shown


def _reason(text: str, match: PolicyMatch) -> Styled:
    shown = Styled().append(shown_as_is(match.policy), _BOLD)
    shown.append(f" {number(match.score)}", _DIM)
    shown.append(f"  {shown_as_is(match.title)}")
    if match.tier is not None:
        shown.append(f"  tier {match.tier}", _DIM)
    for position, span in enumerate(match.evidence):
        shown.append("  " if position == 0 else " … ", _DIM)
        shown.append(text[span.start : span.end], _UNDERLINED)
    return shown
