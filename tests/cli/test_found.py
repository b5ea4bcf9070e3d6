"""Found: what was found beside what is tagged, counted and shown."""

import io
from typing import Any

import pytest
from rich.console import Console

from cli.excerpts import excerpts, shortened
from cli.found import Found, figures_of
from cli.found_views import FoundView
from wraner.client.replies import Extraction
from wraner.entities import Mention, Span
from wraner.packs import TaggedExample

Spans = list[tuple[int, int, str]]


def one(text: str, tagged: Spans, found: Spans, *, truncated: bool = False) -> Found:
    entities = [
        {"start": s, "end": e, "text": text[s:e], "label": n, "score": 0.9} for s, e, n in found
    ]
    coverage = {"characters": len(text), "windows": 1, "truncated": truncated}
    extraction = {"entities": entities, "neighbours": [], "coverage": coverage}
    example = TaggedExample(text=text, entities=tuple(Mention(*mention) for mention in tagged))
    return Found(7, example, Extraction.model_validate(extraction))


def seen(found: Found, **options: Any) -> str:
    out = io.StringIO()
    FoundView(Console(file=out, width=100, markup=False, highlight=False, **options)).show(found)
    return out.getvalue()


RIGHT = one("In Hull", [(3, 7, "city")], [(3, 7, "city")])
NEGATIVE = one("it rains", [], [])


def test_a_text_is_right_where_all_of_its_entities_and_no_others_are_found() -> None:
    assert RIGHT.right and NEGATIVE.right
    assert not one("In Hull", [(3, 7, "city")], []).right
    assert not one("In Hull", [], [(3, 7, "city")]).right
    assert not one("In Hull", [(3, 7, "city")], [(3, 7, "person")]).right


def test_figures_are_over_all_texts() -> None:
    figures = figures_of(
        [
            RIGHT,
            NEGATIVE,
            one("Ann in Hull", [(0, 3, "person"), (7, 11, "city")], [(0, 3, "city")]),
            one("Bo", [], [(0, 2, "person")]),
        ]
    )
    assert (figures.texts, figures.right) == (4, 2)
    assert (figures.counts.gold, figures.counts.found, figures.counts.right) == (3, 3, 1)
    assert figures.f1 is not None and figures.f1.value == pytest.approx(1 / 3)
    assert figures.f1.low < 1 / 3 < figures.f1.high
    types = [(s.type, s.counts.gold, s.counts.found, s.counts.right) for s in figures.types]
    assert types == [("city", 2, 2, 1), ("person", 1, 1, 0)]
    errors = figures.errors
    assert (errors.wrong_label, errors.missed, errors.spurious) == (1, 1, 1)


def test_texts_in_which_nothing_is_or_is_found_do_not_widen_the_interval() -> None:
    f1 = figures_of([RIGHT, NEGATIVE, NEGATIVE]).f1
    assert f1 is not None and (f1.value, f1.low, f1.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("found", [[], [NEGATIVE]])
def test_there_is_no_f1_of_nothing(found: list[Found]) -> None:
    figures = figures_of(found)
    assert figures.f1 is None and figures.types == () and figures.right == len(found)


WRONG = one(
    "Ann\nBo met Cy in\x1b Hull near Ely or Ufa",
    [(0, 3, "person"), (4, 6, "person"), (11, 13, "person"), (18, 27, "city"), (35, 38, "city")],
    [(0, 3, "person"), (4, 6, "city"), (11, 16, "city"), (18, 22, "city"), (28, 31, "city")],
)


def test_each_error_has_a_line_in_the_order_of_the_text() -> None:
    assert seen(WRONG).splitlines() == [
        "line 7: [Ann | person .90] [Bo | city .90] met [Cy in | city .90]␛ [Hull | city .90] near "
        "[Ely | city .90] or Ufa",
        "    wrong label   Bo | city, tagged person",
        "    both wrong    Cy in | city, tagged Cy | person",
        "    wrong border  Hull | city, tagged Hull near",
        "    spurious      Ely | city",
        "    missed        Ufa | city",
    ]


def test_entities_stand_in_colours_where_there_are_some() -> None:
    shown = seen(WRONG, force_terminal=True, color_system="256")
    assert "48;5;117m" in shown and "·person" in shown and "[Ann" not in shown
    assert "(cut short)" not in shown
    assert "(cut short)" in seen(one("Bo", [(0, 2, "person")], [], truncated=True))


def test_a_label_commands_no_terminal() -> None:
    shown = seen(one("Bo", [(0, 2, "\x1b]0;owned")], [(0, 2, "\x1b]1;owned")]))
    assert shown.count("␛]0;owned") == 1 and "\x1b" not in shown


def test_of_a_long_text_only_what_lies_around_errors_is_shown() -> None:
    text = "In Hull " + "a" * 300 + " Ely " + "b" * 300
    at = text.index("Ely")
    head, missed = seen(one(text, [(3, 7, "city"), (at, at + 3, "city")], [(3, 7, "city")])).split(
        "\n", 1
    )
    assert head == f"line 7: … {'a' * 39} Ely {'b' * 39} …"
    assert missed == "    missed        Ely | city\n"


def test_excerpts_join_where_they_meet_and_cut_nothing_that_is_unbroken() -> None:
    text = "x" * 1_000
    assert excerpts(text[:200], [Span(3, 4)], []) == [Span(0, 200)]
    assert excerpts(text, [Span(500, 510), Span(5, 6), Span(560, 561)], []) == [
        Span(0, 46),
        Span(460, 601),
    ]
    assert excerpts(text, [Span(500, 510)], [Span(440, 470), Span(540, 560), Span(600, 601)]) == [
        Span(440, 560)
    ]
    assert shortened("y" * 60) == "y" * 60 and shortened("y" * 61) == "y" * 60 + "…"
