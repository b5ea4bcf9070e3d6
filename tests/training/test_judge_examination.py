"""Asking a judge: each kind of question, what a perfect and a blind judge score; batches."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from transformers import AutoTokenizer

from tests.training.judged_towns import POLICIES, TOWNS
from training.judge_examination import asking, examine, nearness
from training.judged_texts import TaughtText
from training.packed import Packer
from training.policy_wordings import titled
from training.preparation import adapted_model, packer_of
from training.settings import PromptSettings, TrainingSettings
from wraner.chat import ChatEncoder
from wraner.packs import JudgedExample
from wraner.prompts import Prompt, Turn, render_judgement
from wraner.weights import BaseModel

PACK = TOWNS.pack.model_copy(update={"examples": ()})
BREACHED = {t.example.text: t.near for t in TOWNS.train if t.breaches}


def right(prompts: Sequence[Prompt], *, follows: bool = True) -> list[float]:
    """Answer as the policies say; who does not follow answers opposites as if they were none."""
    scores = []
    for prompt in prompts:
        asked = [p.id for p in POLICIES if p.title in prompt.instruction]
        breach = any(p in asked for p in BREACHED.get(prompt.text, ()))
        if follows and "Anything but" in prompt.instruction:
            breach = not breach
        scores.append(1.0 if breach else -1.0)
    return scores


def test_a_judge_that_is_right_scores_one_everywhere() -> None:
    found = examine(right, PACK, TOWNS.train)
    assert (found.overall, found.near, found.which, found.opposite) == (1, 1, 1, 1)
    assert nearness(right, POLICIES, TOWNS.train) == found.near


def test_who_does_not_read_opposites_is_wrong_about_them() -> None:
    found = examine(lambda prompts: right(prompts, follows=False), PACK, TOWNS.train)
    assert (found.near, found.opposite) == (1, 0)


def test_a_judge_that_knows_nothing_scores_half_and_one_side_alone_is_not_scored() -> None:
    found = examine(lambda prompts: [0.0] * len(prompts), PACK, TOWNS.train)
    assert (found.overall, found.near, found.which, found.opposite) == (0.5, 0.5, 0.5, 0.5)
    hateful = [t for t in TOWNS.train if t.breaches]
    one_side = examine(lambda prompts: [0.0] * len(prompts), PACK, hateful)
    assert math.isnan(one_side.overall) and math.isnan(one_side.near)


def test_policies_outside_the_set_are_not_asked_about() -> None:
    seen: list[Prompt] = []

    def ask(prompts: Sequence[Prompt]) -> list[float]:
        seen.extend(prompts)
        return [0.0] * len(prompts)

    examine(ask, PACK.model_copy(update={"policies": POLICIES[:1]}), TOWNS.train, titled)
    assert seen and not any("Expel" in prompt.instruction for prompt in seen)
    assert any("Filth" in prompt.instruction for prompt in seen)
    assert not any(prompt.instruction.count("Calls people dirt.") > 1 for prompt in seen)


def test_questions_show_the_examples_that_are_chosen_for_them() -> None:
    seen: list[Prompt] = []

    def ask(prompts: Sequence[Prompt]) -> list[float]:
        seen.extend(prompts)
        return [0.0] * len(prompts)

    def shown(text: TaughtText, policy: str) -> list[JudgedExample]:
        return [JudgedExample(text=f"Like {text.example.text}", violates=(policy,))]

    examine(ask, PACK, TOWNS.train, shown=shown)
    assert {prompt.text: prompt.examples for prompt in seen if prompt.examples} == {
        t.example.text: (Turn(f"Like {t.example.text}", "yes"),) for t in TOWNS.train
    }
    assert not any("Anything but" in p.instruction for p in seen if p.examples)
    del seen[:]
    nearness(ask, POLICIES, TOWNS.train, shown)
    assert all(prompt.examples for prompt in seen)


@pytest.fixture(scope="module")
def judge(tiny_base: BaseModel) -> tuple[Any, Packer, ChatEncoder]:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_base.path)
    chat = ChatEncoder(tokenizer)
    settings = TrainingSettings(sources={"any": 1.0}, dtype="float32")
    model, _ = adapted_model(settings, tiny_base)
    return model, packer_of(PromptSettings(shown_weight=0), chat, model=model), chat


def test_a_question_is_answered_alike_in_any_company(
    judge: tuple[Any, Packer, ChatEncoder],
) -> None:
    ask = asking(*judge)
    prompts = [
        render_judgement(policy, (), text.example.text)
        for text in TOWNS.train
        for policy in POLICIES
    ]
    together = ask(prompts)
    assert together == pytest.approx([ask([p])[0] for p in prompts], abs=1e-4)
    assert len({round(score, 5) for score in together}) > 4
