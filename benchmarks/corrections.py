"""How far a correction carries: what was decided wrongly becomes an example and is asked again.

    python -m benchmarks.corrections --pairs 160

Texts are those of `near_pairs`. All that are decided wrongly are added to the pack that ships at
once, each with its right answer; asked are then the same texts, variants of them, and of each pair
whose other text was decided rightly that one. Beside what serves stand the same questions without
any example in them, where the index alone tells of a correction.
"""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.near_pairs import NearPair, read_pairs
from benchmarks.policy_probes import Probe, probing, share
from services.settings import read_settings
from wraner.fusion import Fusion
from wraner.packs import JudgedExample, PolicySet

VARIANTS: dict[str, Callable[[str], str]] = {
    "the very text": str,
    "*Honestly,* before it": lambda text: f"Honestly, {text[:1].lower()}{text[1:]}",
    "a sentence behind it": lambda text: f"{text} Anyway, how was your weekend?",
}
TWIN = "the other text of its pair, right before"


@dataclass(frozen=True, slots=True)
class Told:
    """A text with the policies that it breaches, () for none."""

    text: str
    violates: tuple[str, ...]

    def is_right(self, flagged: bool) -> bool:
        """Return whether a decision is the right one."""
        return flagged == bool(self.violates)

    @property
    def example(self) -> JudgedExample:
        """The correction."""
        if self.violates:
            return JudgedExample(text=self.text, violates=self.violates)
        return JudgedExample(text=self.text, complies="all")


def showing_none(fusion: Fusion) -> Fusion:
    """Return the fusion for questions about taught policies without examples."""
    few = fusion.few and fusion.few.model_copy(update={"examples_shown": 0})
    return fusion.model_copy(update={"examples_shown": 0, "few": few})


async def ask(probe: Probe, base: PolicySet, pairs: Sequence[NearPair]) -> list[str]:
    """Return a Markdown table of the shares that are right after all corrections."""
    sides = [(Told(p.breaching, p.violates), Told(p.harmless, ())) for p in pairs]
    right = {t: await _is_right(probe, base, t) for both in sides for t in both}
    wrong = [t for t, known in right.items() if not known]
    twins = [b for pair in sides for a, b in (pair, pair[::-1]) if right[b] and not right[a]]
    asked = {
        name: [Told(change(t.text), t.violates) for t in wrong] for name, change in VARIANTS.items()
    }
    asked[TWIN] = twins
    corrected = base.model_copy(update={"examples": (*base.examples, *(t.example for t in wrong))})
    lines = [f"{len(wrong)} of {len(right)} texts decided wrongly, and corrected", ""]
    lines += ["| questions | " + " | ".join(asked) + " |", "|" + "---|" * (len(asked) + 1)]
    for name, fusion in (("as served", probe.fusion), ("no example", showing_none(probe.fusion))):
        rights = [
            share([await _is_right(probe, corrected, t, fusion) for t in texts])
            for texts in asked.values()
        ]
        lines.append(f"| {name} | " + " | ".join(rights) + " |")
    return lines


async def _is_right(
    probe: Probe, pack: PolicySet, told: Told, fusion: Fusion | None = None
) -> bool:
    return told.is_right((await probe.ask(pack, told.text, fusion=fusion)).flagged)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=160)
    args = parser.parse_args()
    with probing(read_settings()) as (probe, base):
        print("\n".join(asyncio.run(ask(probe, base, read_pairs(args.pairs)))))


if __name__ == "__main__":
    main()
