"""Found views: tagged texts with what was found, and the figures, for people and as JSON lines.

Knows no server.
"""

from typing import Any

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text as Styled

from cli.counts import counted
from cli.excerpts import excerpts, shortened
from cli.figure_views import counts_table, in_words, recorded, show_summary
from cli.found import Figures, Found
from cli.options import Layout
from cli.views import Palette, is_plain, number, shown_as_is, with_entities
from training.ner_scores import ContentError, ErrorKind, list_content_errors
from wraner.entities import Mention, Span
from wraner.metrics import SpanCounts

_KINDS: dict[ErrorKind, str] = {
    "wrong_label": "wrong label",
    "wrong_border": "wrong border",
    "both_wrong": "both wrong",
    "missed": "missed",
    "spurious": "spurious",
}
_KIND_WIDTH = max(map(len, _KINDS.values())) + 2
_DIM = Style(dim=True)
_SPACES = {ord(space): " " for space in "\t\n"}


class FoundView:
    """Shows a text with what was found in it, on one line, and a line for each thing wrong."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._palette = None if is_plain(console) else Palette()

    def show(self, found: Found) -> None:
        """Show a text, of a long one only what lies around the errors."""
        text = shown_as_is(found.example.text).translate(_SPACES)
        errors = sorted(list_content_errors(found.compared), key=_place)
        entities = found.extraction.entities
        unbroken = [Span(e.start, e.end) for e in entities]
        shown = Styled(f"line {found.line}: ")
        end = 0
        for part in excerpts(text, map(_place, errors), unbroken):
            shown.append("… " if part.start > end else "", _DIM)
            inside = [
                e.model_copy(update={"start": e.start - part.start, "end": e.end - part.start})
                for e in entities
                if part.start <= e.start and e.end <= part.end
            ]
            shown.append_text(with_entities(text[part.start : part.end], inside, self._palette))
            end = part.end
            shown.append(" …" if end < len(text) else "", _DIM)
        if found.extraction.coverage.truncated:
            shown.append("  (cut short)", _DIM)
        self._console.print(shown, soft_wrap=True)
        for error in errors:
            self._console.print(f"    {_said_of(error, text)}", style=_DIM, soft_wrap=True)


def show_figures(figures: Figures, refused: int, layout: Layout) -> None:
    """Show what the extraction is worth."""
    said = _said(figures, refused)
    show_summary(layout, _recorded(figures, refused), _types(figures), said)


def _place(error: ContentError) -> Span:
    """Return all of a text that is wrong."""
    mentions = [m for m in (error.gold, error.found) if m is not None]
    return Span(min(m.start for m in mentions), max(m.end for m in mentions))


def _said_of(error: ContentError, text: str) -> str:
    def named(mention: Mention) -> str:
        return f"{words(mention)} | {shown_as_is(mention.label)}"

    def words(mention: Mention) -> str:
        return shortened(text[mention.start : mention.end])

    gold, found = error.gold, error.found
    mention = found or gold
    assert mention is not None
    said = named(mention)
    if gold is not None and found is not None:
        label = shown_as_is(gold.label)
        tagged = {"wrong_label": label, "wrong_border": words(gold), "both_wrong": named(gold)}
        said += f", tagged {tagged[error.kind]}"
    return f"{_KINDS[error.kind]:<{_KIND_WIDTH}}{said}"


def _recorded(figures: Figures, refused: int) -> dict[str, Any]:
    return {
        "texts": figures.texts,
        "right_texts": figures.right,
        **_recorded_counts(figures.counts),
        "f1": figures.f1 and recorded(figures.f1),
        "types": [{"type": one.type, **_recorded_counts(one.counts)} for one in figures.types],
        "errors": {kind: getattr(figures.errors, kind) for kind in _KINDS},
        "refused": refused,
    }


def _recorded_counts(counts: SpanCounts) -> dict[str, float | None]:
    shares = dict(zip(("precision", "recall", "f1"), _shares(counts), strict=True))
    return {"tagged": counts.gold, "found": counts.found, "right": counts.right, **shares}


def _shares(counts: SpanCounts) -> tuple[float | None, float | None, float | None]:
    """Return precision, recall and F1; None of what is a share of nothing."""
    precision = counts.precision if counts.found else None
    recall = counts.recall if counts.gold else None
    return precision, recall, counts.f1 if counts.found or counts.gold else None


def _types(figures: Figures) -> Table:
    table = counts_table("entity type", "tagged", "found", "right", "precision", "recall", "F1")
    rows = [(shown_as_is(one.type), one.counts, "") for one in figures.types]
    for name, counts, style in (*rows, ("total", figures.counts, "bold")):
        shares = ("-" if share is None else number(share) for share in _shares(counts))
        numbers = map(str, (counts.gold, counts.found, counts.right))
        table.add_row(name, *numbers, *shares, style=style)
    return table


def _said(figures: Figures, refused: int) -> list[str]:
    said = [] if figures.f1 is None else [f"F1 {in_words(figures.f1)}"]
    wrong = [(getattr(figures.errors, kind), name) for kind, name in _KINDS.items()]
    parts = ", ".join(f"{count} {name}" for count, name in wrong if count) or "nothing else found"
    gold = figures.counts.gold
    entities = "1 tagged entity is" if gold == 1 else f"{gold} tagged entities are"
    said.append(f"{figures.counts.right} of {entities} right; {parts}")
    said.append(f"{figures.right} of {counted(figures.texts, 'text')} without an error")
    if refused:
        said.append(f"{counted(refused, 'text')} refused")
    return said
