"""The ablation: what each run changes, what is asked, and its table."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.training.judged_towns import POLICIES, TOWNS, judge_settings
from tests.training.leaning_index import Leaning
from tests.wraner.random_adapters import hollow_adapter
from training import judge_ablation, preparation
from training.judge_ablation import (
    STEPS,
    Answers,
    Asked,
    carry_out,
    chosen_by,
    gather,
    settings_of,
    settings_of_adapter,
    table,
    variants,
)
from training.judge_examination import Ask, Examined, Shown, Worded, examine
from training.judged_texts import TaughtText
from training.policy_settings import read_policy_settings
from training.policy_wordings import titled
from training.preparation import Places
from training.settings import TrainingSettings, read_settings
from wraner.errors import InvalidInput
from wraner.packs import PolicySet
from wraner.weights import BaseModel

CONFIG = Path(__file__).parents[2] / "training" / "configs" / "moderation.yaml"
BASE = read_settings(CONFIG)
RUNS = variants(("exclude-expel",))
ANSWERS = Answers(
    tokens=1000,
    dev={"overall": 0.5, "near": 0.6, "which": 0.7, "opposite": 0.8},
    titles_alone=0.65,
    unseen=0.55,
    indexed={"auroc": 0.9, "wrong": 0.1},
    unheard={"auroc": 0.85, "wrong": 0.2},
)


def test_every_run_differs_from_the_first_in_what_it_says() -> None:
    assert len({settings_of(v, BASE).identity for v in RUNS}) == len(RUNS)
    for variant in RUNS:
        settings = settings_of(variant, BASE)
        assert settings.optimiser.last_step == STEPS
        judgements = settings.judgements
        assert judgements is not None and BASE.judgements is not None
        shown = {**dict(judgements), "without": judgements.texts.without}
        before = {**dict(BASE.judgements), "without": BASE.judgements.texts.without}
        changed = {name for name in shown if name != "texts" and shown[name] != before[name]}
        assert changed == set(variant.changed)


@pytest.fixture
def judge(tiny_base: BaseModel, monkeypatch: pytest.MonkeyPatch) -> TrainingSettings:
    monkeypatch.setattr(preparation, "read_judged_texts", lambda *_: TOWNS)
    return judge_settings(tiny_base)


def test_a_judge_is_trained_and_asked_as_it_was_taught(
    judge: TrainingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def heard(
        ask: Ask, pack: PolicySet, texts: Sequence[TaughtText], worded: Worded, shown: Shown
    ) -> Examined:
        told.append((worded(POLICIES[0]), len(shown(texts[0], "filth"))))
        return examine(ask, pack, texts, worded, shown)

    monkeypatch.setattr(judge_ablation, "examine", heard)
    asked = Asked(TOWNS, POLICIES[:1], TOWNS.train, Leaning())
    places = Places(tmp_path / "state", tmp_path)
    answers = carry_out(judge, asked, places)
    assert answers.tokens >= 3 * 400
    figures = [*answers.dev.values(), answers.titles_alone, answers.unseen]
    assert answers.indexed["auroc"] == 1.0 >= answers.unheard["auroc"]
    assert len(figures) == 6 and all(0 <= figure <= 1 for figure in figures)
    assert carry_out(judge, asked, places) == answers
    assert judge.judgements is not None
    by_titles = judge.judgements.model_copy(update={"definitions": False})
    titles = carry_out(judge.model_copy(update={"judgements": by_titles}), asked, places)
    assert titles.dev["near"] == titles.titles_alone
    with_examples = judge.judgements.model_copy(update={"examples": (0, 0, 1)})
    carry_out(judge.model_copy(update={"judgements": with_examples}), asked, places)
    assert told == [(POLICIES[0], 0), (POLICIES[0], 0), (titled(POLICIES[0]), 0), (POLICIES[0], 4)]


def test_judge_and_encoder_go_without_the_same_eight_policies() -> None:
    settings = read_settings(CONFIG.parent / "moderation-without.yaml")
    encoder = read_policy_settings(CONFIG.parent / "policies-without.yaml")
    assert settings.judgements is not None
    without = settings.judgements.texts.without
    assert len(without) == 8 and without == encoder.texts.without


def test_texts_to_choose_by_are_the_dev_texts_or_far_ones() -> None:
    for far, part in ((False, None), (True, 0)):
        chosen = chosen_by(BASE, far=far)
        assert chosen.judgements is not None and BASE.judgements is not None
        assert chosen.judgements.texts.far == part
        assert chosen.judgements.texts.train == BASE.judgements.texts.train
    assert chosen_by(BASE, far=False) == BASE
    with pytest.raises(InvalidInput, match="settings with judgements"):
        chosen_by(TrainingSettings(sources={"towns": 1.0}), far=True)


def test_an_adapter_is_asked_as_it_was_taught_and_nothing_that_it_was_taught(
    tiny_base: BaseModel, tmp_path: Path
) -> None:
    taught = settings_of(RUNS[1], chosen_by(BASE, far=True))
    config = taught.model_dump(mode="json")
    adapter = tmp_path / hollow_adapter(tiny_base, tmp_path, "{}", config=config)
    found = settings_of_adapter(adapter, chosen_by(BASE, far=True))
    assert found == taught.model_copy(update={"start": adapter})
    with pytest.raises(InvalidInput, match="trained with far: 0"):
        settings_of_adapter(adapter, BASE)
    none = hollow_adapter(tiny_base, tmp_path, "{}", config={"sources": {"towns": 1.0}})
    with pytest.raises(InvalidInput, match="an adapter that judges"):
        settings_of_adapter(tmp_path / none, BASE)


def test_the_table_has_a_line_a_judge() -> None:
    lines = table({"as the config says": ANSWERS}).splitlines()
    figures = "0.500 | 0.600 | 0.700 | 0.800 | 0.650 | 0.550 | 0.900 | 0.100 | 0.850 | 0.200"
    assert lines[2:] == [f"| as the config says | 1,000 | {figures} |"]


def test_settings_without_judgements_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="settings with judgements"):
        gather(TrainingSettings(sources={"towns": 1.0}), (), Places(tmp_path, tmp_path))
