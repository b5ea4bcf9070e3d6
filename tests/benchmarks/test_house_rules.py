"""The house rules: what is asked by which pack, and how figures read."""

import asyncio
from pathlib import Path

from benchmarks.house_rules import FORUM, added, ask, report
from benchmarks.plain_speech import Said
from benchmarks.policy_probes import Probe
from training.untaught import house_rules, read_new_set
from wraner.pack_folders import read_pack_folder
from wraner.packs import PolicySet, check_pack
from wraner.policies import Coverage, PolicyMatch, Verdict

ROOT = Path(__file__).parents[2]


class Naming(Probe):
    """Names the policy that stands first in the pack, or the second where it has examples."""

    def __init__(self) -> None:
        pass

    async def ask(self, pack: PolicySet, text: str, policies: tuple[str, ...] = ()) -> Verdict:
        likely = 1 if pack.examples else 0
        judged = tuple(
            PolicyMatch(p.id, p.title, None, 0.9 if n == likely else 0.2, (), ())
            for n, p in enumerate(pack.policies)
        )
        return Verdict("violates", 0.9, True, (), Coverage(1, 1, False), judged, 0, "g")


def test_every_text_is_asked_and_a_breached_policy_that_comes_first_is_counted() -> None:
    new = read_new_set(FORUM)
    bare = new.pack.model_copy(update={"examples": ()})
    for pack, policy in ((new.pack, new.pack.policies[1]), (bare, new.pack.policies[0])):
        said, first = asyncio.run(ask(Naming(), new, pack))
        assert [s.text for s in said] == [t.example.text for t in new.texts]
        assert first == sum(policy.id in t.example.violates for t in new.texts) == 4


def test_the_report_says_what_is_wrong() -> None:
    said = [Said("bad", True, "allowed", 0.1), Said("fine", False, "allowed", 0.0)]
    text = report("with examples", said, 1)
    assert text.startswith("with examples: a breached policy comes first in 1 of 1\n")
    assert "allowed 0.10  bad" in text


def test_no_text_of_the_forum_is_an_example_or_fitted() -> None:
    new = read_new_set(FORUM)
    asked = [t.example.text for t in new.texts]
    fitted = {t.example.text for other in house_rules([]).values() for t in other.texts}
    assert len(set(asked)) == len(asked)
    assert not set(asked) & ({e.text for e in new.pack.examples} | fitted)


def test_policies_are_added_with_examples_that_say_nothing_of_the_others() -> None:
    base, new = read_pack_folder(ROOT / "packs" / "hate-speech"), read_new_set(FORUM).pack
    assert isinstance(base, PolicySet)
    both = added(base, new)
    check_pack(both)
    assert both.policies == (*base.policies, *new.policies)
    assert both.examples[: len(base.examples)] == base.examples
    theirs = both.examples[len(base.examples) :]
    assert [e.text for e in theirs] == [e.text for e in new.examples]
    ids = {p.id for p in new.policies}
    assert all(ids >= {*e.violates, *e.complies} for e in theirs)
