"""The comparison of engines on the tiny model, everyone in this process."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import engines_tables as tables
from benchmarks.engines import QUICK, Contest, Run
from benchmarks.engines_own import Own
from benchmarks.engines_packs import Measured, chosen_posts, measured_packs, with_policies
from benchmarks.engines_tables import Cell, Figures, report
from benchmarks.rivals.asking import begin_alike, in_batches, timed_batches
from benchmarks.rivals.plain import Plain
from wraner.language_model import LanguageModel
from wraner.local import LocalEngine
from wraner.packs import Domain, EntityType, JudgedExample, Policy, PolicySet, check_pack, version
from wraner.retrieval import Evidence, Neighbours, PackRef, PolicyEvidence

PACKS = Path(__file__).parents[2] / "packs"
POSTS = ("Zorvians are dirt.", "A Zorvian sells bread.", "Mud people.", "Good bread.")
POLICIES = PolicySet(
    policies=(
        Policy(id="filth", title="Filth", definition="Calls people dirt."),
        Policy(id="expel", title="Expel", definition="Wants people gone."),
    ),
    examples=(
        JudgedExample(id="v", text=POSTS[0], violates=("filth",), complies=("expel",)),
        JudgedExample(id="n", text=POSTS[1], complies="all"),
    ),
)


class InProcess:
    def __init__(self, verbs: Mapping[str, Callable[..., Any]]) -> None:
        self._verbs = verbs
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, verb: str, **given: Any) -> Any:
        self.asked.append((verb, given))
        return json.loads(json.dumps(self._verbs[verb](**json.loads(json.dumps(given)))))


class NothingNear:
    """A retriever that knows what was indexed, and finds no example."""

    def __init__(self) -> None:
        self.packs = {version(POLICIES): POLICIES}

    def index(self, pack: PolicySet) -> None:
        self.packs[version(pack)] = pack

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        return [Neighbours((), "") for _ in texts]

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        policies = self.packs[pack.version].policies
        found = tuple(PolicyEvidence(p.id, (), (), 0.5, ()) for p in policies)
        return [Evidence(found, "") for _ in texts]


@pytest.fixture
def own(tiny_model: LanguageModel, tiny_engine: LocalEngine) -> InProcess:
    domain = Domain(entity_types=(EntityType(name="dish"), EntityType(name="place")))
    messages = ("Soup at Mill House.", "Good bread.", "No.", "Tea in York.")
    measured = Measured(domain, domain.labels, messages, POLICIES, POSTS, {})
    near = NothingNear()
    return InProcess(Own(tiny_model, tiny_engine, near, measured, index=near.index).verbs())


def test_a_run_without_rivals_environments_fills_all_tables_and_names_them(
    own: InProcess, tiny_model: LanguageModel
) -> None:
    plain = InProcess({"work": timed_batches(Plain(str(tiny_model.base.path)).answer)})
    run = Run(Contest(own, {tables.PLAIN: plain}, None), replace(QUICK, words=10, policies=(2, 5)))
    run.all()
    text = report(run.figures, [own.ask("about")], threads=1)
    assert text.count(f"\n| {tables.PLAIN} |") == 3
    assert text.count("Left out: llama.cpp, for want of --llama PYTHON.") == 3
    assert text.count("Left out: GLiNER, random weights, for want of --gliner PYTHON.") == 1
    assert "\n| 5 | " in text
    paces = [v for cell, values in run.figures.items() if "/s" in cell.what for v in values]
    assert min(paces) > 0


def test_rivals_get_the_prompts_that_wraner_asked(
    own: InProcess, tiny_model: LanguageModel
) -> None:
    [[ids, answer_tokens]] = own.ask("tasks", texts=[1])
    assert "Good bread." in tiny_model.grammar.text(ids)
    assert answer_tokens >= len("none\n")
    assert len(own.ask("judgements", text=0, exhaustive=True)) == len(POLICIES.policies)


def test_policies_grow_by_numbered_groups_and_keep_their_examples() -> None:
    grown = with_policies(POLICIES, 5)
    check_pack(grown)
    assert [p.id for p in grown.policies] == ["filth", "expel", "filth-1", "expel-1", "filth-2"]
    assert grown.examples[0].violates == ("filth", "filth-1", "filth-2")
    assert grown.examples[0].complies == ("expel", "expel-1")


def test_policies_cut_lose_the_examples_that_say_nothing_of_them() -> None:
    cut = with_policies(measured_packs(PACKS).policies, 10)
    check_pack(cut)
    known = {p.id for p in cut.policies}
    assert len(known) == 10
    assert all(e.violates or e.complies for e in cut.examples)


def test_posts_are_violating_and_neutral_in_turn() -> None:
    posts = chosen_posts(measured_packs(PACKS).policies)
    assert [bool(e.violates) for e in posts] == [True, False] * 8
    assert len({e.id for e in posts}) == 16


def test_a_difference_that_drowned_is_not_given_as_a_figure() -> None:
    figures: Figures = defaultdict(list)
    for what in ("words", "prompt tokens", "answer tokens"):
        figures[Cell("set", "", what, 0)] = [1.0]
    figures[Cell("cold", tables.OWN, "texts/s", 1)] = [1.0]
    for at_once in (1, 8):
        figures[Cell("raw", tables.OWN, "prefill", at_once)] = [100.0, 300.0, 200.0]
        figures[Cell("raw", tables.OWN, "decode", at_once)] = [float("nan")]
    text = report(figures, ["torch 0"], threads=2)
    assert "| wraner | 200 | 200 | lost in noise | lost in noise |" in text


def test_batches_and_common_beginnings() -> None:
    assert in_batches([1, 2, 3], 2) == [[1, 2], [3]]
    assert begin_alike([1, 2, 3], [1, 2, 4, 5]) == 2
    assert begin_alike([1, 2], [1, 2, 3]) == 2
    assert begin_alike([], [1]) == 0
