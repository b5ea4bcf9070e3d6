"""The probes of policy following, on a moderator that reads policies, and on one that does not."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.policy_probes import OFF_TOPIC, Probe, sample
from services.adapters import AdapterChoice
from services.settings import Settings
from training.hatemoderate import CollectedText
from training.judge_examination import opposite
from wraner.moderate import ModerateTask
from wraner.packs import Policy, PolicySet, check_pack
from wraner.policies import Coverage, Verdict

BASE = PolicySet(
    policies=(
        Policy(
            id="filth",
            title="Filth",
            definition="Calls people dirt.",
            includes=("mud",),
            excludes=("real mud",),
        ),
    )
)
TEXTS = [CollectedText(f"text {n}", n < 4, ("filth",), "") for n in range(8)]


class Judge:
    """Says of a hateful text that it breaches a policy; reading it, the other way round."""

    def __init__(self, *, reads: bool) -> None:
        self._reads = reads

    async def moderate(self, task: ModerateTask) -> list[Verdict]:
        (text,) = task.texts
        hateful = int(text.split()[1]) < 4
        if self._reads:
            title = task.policy_set.policies[0].title
            hateful = False if title == "Spoilers" else hateful != title.startswith("Anything but")
        score = 0.9 if hateful else 0.1
        decision = "violates" if hateful else "allowed"
        coverage = Coverage(len(text), 1, False)
        return [Verdict(decision, score, True, (), coverage, (), 0, "")]


@pytest.mark.parametrize(
    ("reads", "off_topic", "swaps"),
    [(True, "hateful 0.000 of 4, other 0.000 of 4", 1.0), (False, "hateful 1.000 of 4", 0.0)],
)
def test_probes_tell_who_reads(reads: bool, off_topic: str, swaps: float, tmp_path: Path) -> None:
    probe = Probe(Judge(reads=reads), AdapterChoice(Settings(state_dir=tmp_path)), None)  # type: ignore[arg-type]
    assert off_topic in asyncio.run(probe.off_topic(TEXTS))
    assert f"verdict swaps {swaps:.3f} of 8" in asyncio.run(probe.inversion(TEXTS, BASE))


def test_an_inverted_policy_swaps_its_cases_and_is_a_policy() -> None:
    (policy,) = BASE.policies
    other = opposite(policy)
    assert (other.includes, other.excludes) == (policy.excludes, policy.includes)
    check_pack(BASE.model_copy(update={"policies": (other,)}))
    check_pack(OFF_TOPIC)


def test_a_sample_has_both_sides_and_is_the_same_again() -> None:
    chosen = sample(TEXTS, 4)
    assert chosen == sample(TEXTS, 4) and [t.hateful for t in chosen] == [True, True, False, False]
