"""A judge beside the index: what is asked, and what each of both is worth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.training.judged_towns import TOWNS
from tests.training.leaning_index import Leaning, breaching
from training import judge_with_index
from training.judge_with_index import ask_with_index, fused, retriever_for, unheard
from training.judged_texts import JudgedSettings
from wraner.prompts import Prompt, render_judgement, render_overall

MANY = TOWNS.dev * 5


def knowing(prompts: Sequence[Prompt]) -> list[float]:
    return [1.0 if breaching(p.text) else -1.0 for p in prompts]


def blind(prompts: Sequence[Prompt]) -> list[float]:
    return [0.0] * len(prompts)


def test_a_text_is_asked_about_whole_and_by_its_shortlist() -> None:
    seen: list[Prompt] = []

    def ask(prompts: Sequence[Prompt]) -> list[float]:
        seen.extend(prompts)
        return [marked(p) for p in prompts]

    def marked(prompt: Prompt) -> float:
        return float(len(prompt.instruction) * 100 + len(prompt.text))

    pack = TOWNS.pack
    asked = ask_with_index(ask, pack, TOWNS.dev, Leaning())
    assert len(seen) == 3 * len(TOWNS.dev)
    bare = pack.model_copy(update={"examples": ()})
    for a, text in zip(asked, TOWNS.dev, strict=True):
        words = text.example.text
        assert a.text is text and a.overall == marked(render_overall(bare, words))
        assert [(e.policy, logit) for e, logit in a.judged] == [
            (p.id, marked(render_judgement(p, [], words))) for p in pack.policies
        ]


def test_either_tells_texts_apart_and_the_index_only_where_it_is_heard() -> None:
    asked = ask_with_index(blind, TOWNS.pack, MANY, Leaning())
    assert fused(asked, TOWNS.pack) == judge_with_index.Fused(auroc=1.0, wrong=0.0)
    assert fused(unheard(asked), TOWNS.pack).auroc < 0.9
    asked = ask_with_index(knowing, TOWNS.pack, MANY, Leaning())
    assert fused(unheard(asked), TOWNS.pack).auroc == 1.0


def test_far_texts_have_an_encoder_tuned_without_them_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned: list[Path] = []
    loaded: list[Path] = []

    def tune(judged: Any, _settings: Any, out: Path, *, console: Any) -> None:
        assert judged is TOWNS
        out.mkdir(parents=True)
        tuned.append(out)

    def load(*_: Any, for_policies: Path) -> Any:
        loaded.append(for_policies)
        return Leaning()

    monkeypatch.setattr(judge_with_index, "tune_on", tune)
    monkeypatch.setattr(judge_with_index, "load_encoders", load)
    monkeypatch.setattr(judge_with_index, "LocalRetriever", lambda encoders, _: encoders)
    retriever_for(TOWNS, JudgedSettings(), tmp_path)
    assert not tuned and loaded == [Path("adapters/policies")]
    for _ in range(2):
        retriever_for(TOWNS, JudgedSettings(far=1), tmp_path)
    assert len(tuned) == 1 and loaded[1:] == tuned * 2
