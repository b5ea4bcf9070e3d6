"""What becomes of corrections: which texts are added, which are asked about, and how."""

import asyncio

from benchmarks.corrections import TWIN, VARIANTS, Told, ask, showing_none
from benchmarks.near_pairs import NearPair
from wraner.fusion import Fusion
from wraner.packs import Policy, PolicySet
from wraner.policies import Coverage, Verdict

FUSION = Fusion(judge=1.0, margin=0.0, bias=0.0, examples_shown=1)
RULES = PolicySet(policies=(Policy(id="x", title="X", definition="Says x."),))


class Remembering:
    """Flags what shouts; knows the very words of examples, and variants where these are shown."""

    fusion = FUSION

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, pack: PolicySet, text: str, *, fusion: Fusion | None) -> Verdict:
        self.asked.append(text)
        flagged = "!" in text
        for example in pack.examples:
            shown = fusion is not None and fusion.examples_shown
            if example.text == text or (shown and example.text[1:] in text):
                flagged = bool(example.violates)
        decision = "violates" if flagged else "allowed"
        return Verdict(decision, 0.5, True, (), Coverage(9, 1, False), (), 0, "g")


def test_what_was_wrong_is_corrected_and_asked_about_again() -> None:
    pairs = [
        NearPair(violates=("x",), breaching="Vile!", harmless="Kind"),
        NearPair(violates=("x",), breaching="Sly", harmless="Mild"),
    ]
    probe = Remembering()
    lines = asyncio.run(ask(probe, RULES, pairs))  # type: ignore[arg-type]
    assert lines[0] == "1 of 4 texts decided wrongly, and corrected"
    assert lines[2] == "| questions | " + " | ".join([*VARIANTS, TWIN]) + " |"
    assert lines[4:] == [
        "| as served | 1.000 of 1 | 1.000 of 1 | 1.000 of 1 | 1.000 of 1 |",
        "| no example | 1.000 of 1 | 0.000 of 1 | 0.000 of 1 | 1.000 of 1 |",
    ]
    again = ["Sly", "Honestly, sly", "Sly Anyway, how was your weekend?", "Mild"]
    assert probe.asked == ["Vile!", "Kind", "Sly", "Mild", *again, *again]


def test_a_correction_says_what_is_right() -> None:
    assert Told("a", ("x",)).example.violates == ("x",)
    assert Told("a", ()).example.complies == "all" and not Told("a", ()).example.violates


def test_without_examples_none_is_shown_by_either_set_of_weights() -> None:
    bare = showing_none(FUSION.model_copy(update={"few": FUSION}))
    assert bare.examples_shown == 0 and bare.few is not None and bare.few.examples_shown == 0
    assert showing_none(FUSION).few is None
