"""How plain sentences are judged: open attacks, and harmless ones that name the same groups.

    python -m benchmarks.plain_speech

The sentences of `plain_speech.json` were written for this project before the training that they
measure, and none of them is taught or an example. Everything is asked as it serves: the pack that
ships, its own examples, the shortlist. Sentences that are decided wrongly are printed.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.policy_probes import Probe, probing
from services.settings import read_settings
from wraner.metrics import auroc
from wraner.packs import PolicySet
from wraner.policies import Decision

SENTENCES = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, whether it breaches a policy, and how it was judged."""

    text: str
    breaches: bool
    decision: Decision
    score: float

    @property
    def wrong(self) -> bool:
        """Whether a breach is allowed, or a harmless sentence flagged; review is neither."""
        return self.decision == ("allowed" if self.breaches else "violates")


def read_sentences() -> list[tuple[str, bool]]:
    """Return every sentence with whether it breaches a policy."""
    sides = json.loads(SENTENCES.read_text(encoding="utf-8"))
    return [(text, side == "breaching") for side, texts in sides.items() for text in texts]


async def ask(probe: Probe, base: PolicySet) -> list[Said]:
    """Ask about every sentence."""
    said = []
    for text, breaches in read_sentences():
        verdict = await probe.ask(base, text)
        said.append(Said(text, breaches, verdict.decision, verdict.score))
    return said


def table(said: Sequence[Said]) -> str:
    """Return how each side was decided, as Markdown, and what is wrong."""
    lines = ["| sentences | violates | review | allowed |", "|---|---|---|---|"]
    for side, breaches in (("breaching", True), ("harmless", False)):
        lines.append(decided(side, [s.decision for s in said if s.breaches is breaches]))
    lines.append("")
    lines.append(f"AUROC {auroc([s.breaches for s in said], [s.score for s in said]):.3f}")
    lines += [f"{s.decision} {s.score:.2f}  {s.text}" for s in said if s.wrong]
    return "\n".join(lines)


def decided(side: str, decisions: Sequence[Decision]) -> str:
    """Return a Markdown row: how many of a side's texts were decided so."""
    counts = [str(decisions.count(d)) for d in ("violates", "review", "allowed")]
    return f"| {len(decisions)} {side} | " + " | ".join(counts) + " |"


def main() -> None:
    """Run it."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    with probing(read_settings()) as (probe, base):
        print(table(asyncio.run(ask(probe, base))))


if __name__ == "__main__":
    main()
