"""How a policy set is judged that has nothing to do with what was taught: the rules of a forum.

    python -m benchmarks.house_rules

The folder `forum` holds the set, examples and texts to ask, all written for this project; nothing
is taught or fitted by them. Everything is asked as it serves: with the examples; by the policies'
words alone; and with the policies and examples added to the policy set that ships. Texts that are
decided wrongly are printed.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks.plain_speech import Said, table
from benchmarks.policy_probes import Probe, probing
from services.settings import read_settings
from training.untaught import NewSet, read_new_set
from wraner.packs import PolicySet

FORUM = Path(__file__).with_name("forum")


def added(base: PolicySet, new: PolicySet) -> PolicySet:
    """Return a set with the policies of another; what keeps all of those keeps them alone."""
    ids = tuple(p.id for p in new.policies)
    examples = [
        e.model_copy(update={"complies": ids}) if e.complies == "all" else e for e in new.examples
    ]
    return base.model_copy(
        update={
            "policies": (*base.policies, *new.policies),
            "examples": (
                *base.examples,
                *(e.model_copy(update={"id": f"added-{e.id}"}) for e in examples),
            ),
        }
    )


async def ask(probe: Probe, new: NewSet, pack: PolicySet) -> tuple[list[Said], int]:
    """Ask about every text by `pack`; return also how often a breached policy comes first."""
    said, first = [], 0
    for text in new.texts:
        verdict = await probe.ask(pack, text.example.text)
        said.append(Said(text.example.text, text.breaches, verdict.decision, verdict.score))
        likeliest = max(verdict.judged, key=lambda match: match.score)
        first += likeliest.policy in text.example.violates
    return said, first


def report(name: str, said: Sequence[Said], first: int) -> str:
    """Return figures as Markdown, and what is wrong."""
    breaching = sum(s.breaches for s in said)
    return f"{name}: a breached policy comes first in {first} of {breaching}\n\n{table(said)}\n"


def main() -> None:
    """Run it."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    new = read_new_set(FORUM)
    bare = new.pack.model_copy(update={"examples": ()})
    with probing(read_settings()) as (probe, base):
        packs = {
            "with examples": new.pack,
            "by words alone": bare,
            "added to hate-speech": added(base, new.pack),
        }
        for name, pack in packs.items():
            print(report(name, *asyncio.run(ask(probe, new, pack))))


if __name__ == "__main__":
    main()
