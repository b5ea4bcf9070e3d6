"""How attacks are told from the same texts with a few words changed, so that they are harmless.

    python -m benchmarks.near_pairs --pairs 400

The pairs of `near_pairs.jsonl` were written for this project after the training that they measure,
for each of the policies some thirty, and none of them is taught or an example. Everything is asked
as it serves: the pack that ships, its own examples, the shortlist. Beside it stands what the index
alone says: how much nearer the nearest breaching example lies than the nearest contrasting one.
"""

import argparse
import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from benchmarks.plain_speech import decided
from benchmarks.policy_probes import Probe, probing, share
from services.settings import read_settings
from wraner.fusion import lead
from wraner.metrics import auroc
from wraner.packs import PolicySet, version
from wraner.policies import Verdict
from wraner.retrieval import PackRef

PAIRS = Path(__file__).with_suffix(".jsonl")


class NearPair(BaseModel):
    """An attack that breaches the named policies, and a harmless text that differs little."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    violates: tuple[str, ...]
    breaching: str
    harmless: str

    @property
    def texts(self) -> tuple[str, str]:
        """Both of them."""
        return self.breaching, self.harmless


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair with both verdicts, and how near each text lies to a breach by the index alone."""

    pair: NearPair
    breaching: Verdict
    harmless: Verdict
    nearness: tuple[float, float]


def read_pairs(count: int | None = None) -> list[NearPair]:
    """Return all pairs, or so many of them, the same for the same count."""
    lines = PAIRS.read_text(encoding="utf-8").splitlines()
    pairs = [NearPair.model_validate_json(line) for line in lines]
    count = len(pairs) if count is None else min(count, len(pairs))
    return random.Random(0).sample(pairs, count)


async def ask(probe: Probe, base: PolicySet, pairs: Sequence[NearPair]) -> list[Judged]:
    """Ask about both texts of each pair."""
    ref = PackRef(version(base), inline=base)
    judged = []
    for pair in pairs:
        found = await probe.retriever.evidence(ref, pair.texts, 2)
        near, far = (max(map(lead, e.policies)) for e in found)
        breaching, harmless = [await probe.ask(base, text) for text in pair.texts]
        judged.append(Judged(pair, breaching, harmless, (near, far)))
    return judged


def table(judged: Sequence[Judged]) -> str:
    """Return as Markdown how pairs are told apart and each side is decided."""
    scores = [(j.breaching.score, j.harmless.score) for j in judged]
    lines = ["| by | AUROC | the attack scores higher |", "|---|---|---|"]
    for name, pairs in (("as served", scores), ("the index", [j.nearness for j in judged])):
        lines.append(f"| {name} | {_area(pairs):.3f} | {share([a > b for a, b in pairs])} |")
    lines += ["", "| texts | violates | review | allowed |", "|---|---|---|---|"]
    for side, verdicts in (
        ("breaching", [j.breaching for j in judged]),
        ("harmless", [j.harmless for j in judged]),
    ):
        lines.append(decided(side, [v.decision for v in verdicts]))
    both = [j.breaching.flagged and not j.harmless.flagged for j in judged]
    named = [
        j.breaching.matches[0].policy in j.pair.violates for j in judged if j.breaching.matches
    ]
    lines += ["", f"both right {share(both)}, a right policy first {share(named)}"]
    return "\n".join(lines)


def _area(pairs: Sequence[tuple[float, float]]) -> float:
    truth = [True] * len(pairs) + [False] * len(pairs)
    return auroc(truth, [*(a for a, _ in pairs), *(b for _, b in pairs)])


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=400)
    args = parser.parse_args()
    with probing(read_settings()) as (probe, base):
        print(table(asyncio.run(ask(probe, base, read_pairs(args.pairs)))))


if __name__ == "__main__":
    main()
