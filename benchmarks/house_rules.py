"""How policy sets are judged that have nothing to do with what was taught: rules of communities.

    python -m benchmarks.house_rules [NAME ...]

The folders in `rules` hold the sets, examples and texts to ask, all written for this project, by
several authors; nothing is taught or fitted by them. Everything is asked as it serves: with the
examples; by the policies' words alone; and with the policies and examples added to the policy set
that ships. Policies that name what alone is allowed are also told apart. Texts that are decided
wrongly are printed.

The messages of `everyday.txt`, by yet another author, breach no rule of any set but those that name
what alone is allowed, without which the sets are asked about them.
"""

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.plain_speech import Said, decided, table
from benchmarks.policy_probes import Probe, probing
from services.settings import read_settings
from training.judged_texts import TaughtText
from training.untaught import NewSet, read_new_set
from wraner.metrics import auroc
from wraner.packs import JudgedExample, PolicySet
from wraner.policies import Verdict

RULES = Path(__file__).with_name("rules")
NAMES = tuple(folder.name for folder in sorted(RULES.iterdir()))
EVERYDAY = Path(__file__).with_name("everyday.txt")


def added(base: PolicySet, new: PolicySet) -> PolicySet:
    """Return a set with the policies of another.

    What keeps all policies of the one keeps what the other forbids, if it is `base`'s, and not what
    alone it allows; of what keeps all of `new`, nothing is known beside.
    """
    policies = (*base.policies, *new.policies)
    forbidden = tuple(p.id for p in policies if not p.is_allow_list)
    own = tuple(p.id for p in new.policies)
    renamed = [e.model_copy(update={"id": f"added-{e.id}"}) for e in new.examples]
    examples = (
        *(_keeping(e, forbidden) for e in base.examples),
        *(_keeping(e, own) for e in renamed),
    )
    return base.model_copy(update={"policies": policies, "examples": examples})


def _keeping(example: JudgedExample, policies: tuple[str, ...]) -> JudgedExample:
    """Return an example with names for what "all" was."""
    return (
        example.model_copy(update={"complies": policies}) if example.complies == "all" else example
    )


def everyday(pack: PolicySet) -> NewSet:
    """Return everyday messages beside a set without the policies that name what alone is allowed.

    Examples of a breach of these alone are left out.
    """
    policies = tuple(p for p in pack.policies if not p.is_allow_list)
    known = frozenset(p.id for p in policies)
    examples = tuple(
        TaughtText(e, e.violates, 1.0).among(known).example
        for e in pack.examples
        if not e.violates or not known.isdisjoint(e.violates)
    )
    forbids = pack.model_copy(update={"policies": policies, "examples": examples})
    messages = EVERYDAY.read_text(encoding="utf-8").splitlines()
    said = (JudgedExample(text=message, complies="all") for message in messages)
    return NewSet(forbids, tuple(TaughtText(e, (), 1.0) for e in said))


async def ask(probe: Probe, new: NewSet, pack: PolicySet) -> list[Verdict]:
    """Return the verdict by `pack` on every text."""
    return [await probe.ask(pack, text.example.text) for text in new.texts]


def report(name: str, new: NewSet, verdicts: Sequence[Verdict]) -> str:
    """Return figures as Markdown, and what is wrong."""
    pairs = list(zip(new.texts, verdicts, strict=True))
    said = [Said(t.example.text, t.breaches, v.decision, v.score) for t, v in pairs]
    breaching = sum(s.breaches for s in said)
    first = sum(
        max(v.judged, key=lambda match: match.score).policy in t.example.violates for t, v in pairs
    )
    lines = [
        f"{name}: a breached policy comes first in {first} of {breaching}",
        *allow_lists(new, verdicts),
        "",
        table(said),
        "",
    ]
    return "\n".join(lines)


def allow_lists(new: NewSet, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield a line on each policy that names what alone is allowed: these are always judged."""
    for policy in new.pack.policies:
        if policy.is_allow_list:
            breach = [policy.id in t.example.violates for t in new.texts]
            score = [m.score for v in verdicts for m in v.judged if m.policy == policy.id]
            flagged = [b for b, s in zip(breach, score, strict=True) if s >= 0.5]
            yield (
                f"{policy.id}, allowed alone: AUROC {auroc(breach, score):.3f}, {sum(flagged)} of "
                f"{sum(breach)} breaches score .5, and {flagged.count(False)} of the others"
            )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    names = parser.parse_args().names or NAMES
    with probing(read_settings()) as (probe, base):
        for new in (read_new_set(RULES / name) for name in names):
            print(f"# {new.pack.description}\n")
            packs = {
                "with examples": new.pack,
                "by words alone": new.pack.model_copy(update={"examples": ()}),
                "added to hate-speech": added(base, new.pack),
            }
            for way, pack in packs.items():
                print(report(way, new, asyncio.run(ask(probe, new, pack))))
            messages = everyday(new.pack)
            verdicts = asyncio.run(ask(probe, messages, messages.pack))
            decisions = [verdict.decision for verdict in verdicts]
            print(decided("everyday messages, with examples", decisions) + "\n")


if __name__ == "__main__":
    main()
