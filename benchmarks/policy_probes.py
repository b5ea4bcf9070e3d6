"""Whether moderation reads policies: an unrelated set must not fire, an inverted one must swap.

    python -m benchmarks.policy_probes --data ../shared/data --texts 160

Texts are HateModerate's test texts, half of them hateful; policy sets are sent inline, without
examples. *Off-topic*: five policies that have nothing to do with people's groups. *Inverted*: the
policy that a text was collected for, and the same policy breached by everything that it allowed.
"""

import argparse
import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from services.adapters import AdapterChoice
from services.loading import load_engine, load_retriever
from services.settings import Settings, read_settings
from services.stock import stock_adapters
from training.hatemoderate import CollectedText, read_collected
from training.policy_wordings import opposite
from wraner.adapters import Task
from wraner.fusion import Fusion
from wraner.moderate import SERVED, ModerateTask, Moderator
from wraner.pack_folders import read_pack_folder
from wraner.packs import Policy, PolicySet, version
from wraner.policies import Verdict
from wraner.retrieval import PackRef, Retriever

OFF_TOPIC = PolicySet(
    description="Rules of a forum about films and cooking.",
    policies=(
        Policy(
            id="spoiler",
            title="Spoilers",
            definition="Gives away how a film, series or book ends, without a warning.",
        ),
        Policy(
            id="advert",
            title="Advertising",
            definition="Offers goods or services for sale, or links to a shop.",
        ),
        Policy(
            id="medical",
            title="Medical advice",
            definition="Recommends a medicine, a dose or a treatment to somebody.",
        ),
        Policy(
            id="address",
            title="Private addresses",
            definition="Publishes where somebody lives, or somebody's telephone number.",
        ),
        Policy(
            id="recipe",
            title="Recipes in the wrong place",
            definition="Posts a recipe with ingredients and steps outside the kitchen section.",
        ),
    ),
)


def sample(texts: Sequence[CollectedText], count: int) -> list[CollectedText]:
    """Return texts, half of them hateful, the same for the same count."""
    draw = random.Random(0)
    sides = [[t for t in texts if t.hateful is side] for side in (True, False)]
    return [t for side in sides for t in draw.sample(side, count // 2)]


class Probe:
    """Asks the pipeline that serves; `retriever` is the one that it asks, `fusion` hears it."""

    def __init__(self, moderator: Moderator, choice: AdapterChoice, retriever: Retriever) -> None:
        self._moderator = moderator
        self.retriever = retriever
        self._adapter = choice.of(Task.MODERATION)
        self.fusion = choice.calibration(self._adapter) or SERVED.fusion

    async def ask(
        self,
        pack: PolicySet,
        text: str,
        policies: tuple[str, ...] = (),
        *,
        fusion: Fusion | None = None,
    ) -> Verdict:
        """Return the verdict on one text, heard by another `fusion` where one is given."""
        task = ModerateTask(
            pack,
            PackRef(version(pack), inline=pack),
            (text,),
            policies=policies,
            adapter=self._adapter,
            fusion=fusion or self.fusion,
        )
        return (await self._moderator.moderate(task))[0]

    async def off_topic(self, texts: Sequence[CollectedText]) -> str:
        """Return how often the unrelated set fires."""
        verdicts = [await self.ask(OFF_TOPIC, t.text) for t in texts]
        pairs = list(zip(texts, verdicts, strict=True))
        rows = [
            f"{side} {share([v.flagged for t, v in pairs if t.hateful is hateful])}"
            for side, hateful in (("hateful", True), ("other", False))
        ]
        return "off-topic set, flagged: " + ", ".join(rows)

    async def inversion(self, texts: Sequence[CollectedText], base: PolicySet) -> str:
        """Return how often verdicts swap, and scores fall or rise as they should."""
        plain = base.model_copy(update={"examples": ()})
        other = plain.model_copy(update={"policies": tuple(map(opposite, plain.policies))})
        swapped, moved = [], []
        for text in texts:
            chosen = text.policies[:1]
            before, after = [await self.ask(p, text.text, chosen) for p in (plain, other)]
            swapped.append(before.flagged != after.flagged)
            fell = after.score < before.score
            moved.append(fell if text.hateful else after.score > before.score)
        return f"inverted, verdict swaps {share(swapped)}, score moves rightly {share(moved)}"


def share(flags: Sequence[bool]) -> str:
    """Return the share of flags that are up, and of how many."""
    return f"{sum(flags) / max(1, len(flags)):.3f} of {len(flags)}"


@contextmanager
def probing(settings: Settings) -> Iterator[tuple[Probe, PolicySet]]:
    """Load what serves, with the policy set that ships."""
    stock_adapters(settings.state_dir / "adapters", settings.adapters_dir)
    base = read_pack_folder(settings.packs_dir / "hate-speech")
    assert isinstance(base, PolicySet)
    engine = load_engine(settings)
    try:
        retriever = load_retriever(settings)
        moderator = Moderator(retriever=retriever, engine=engine, settings=SERVED)
        yield Probe(moderator, AdapterChoice(settings), retriever), base
    finally:
        engine.close()


async def _run(probe: Probe, texts: Sequence[CollectedText], base: PolicySet) -> None:
    print(await probe.off_topic(texts))
    print(await probe.inversion(texts, base))


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--texts", type=int, default=160)
    args = parser.parse_args()
    texts = sample(read_collected(args.data / "hatemoderate" / "hatemoderate_test.csv"), args.texts)
    with probing(read_settings()) as (probe, base):
        asyncio.run(_run(probe, texts, base))


if __name__ == "__main__":
    main()
