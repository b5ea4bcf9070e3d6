"""A run of the screen: within its budget, afresh each time, taught something, and examined."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tests.training.conftest import TYPES, LetterEncoder
from tests.training.towns import town_settings, write_towns
from training.corpus import Corpus
from training.drawing import Drawing, Supply
from training.examination import Bench
from training.learner import Examine
from training.ner_domains import NerDomain, Split, read_domain
from training.preparation import Places
from training.screen_run import Material, carry_out, gather, levelled
from training.settings import LoraSettings, OptimiserSettings, PromptSettings, TrainingSettings
from training.sheets import read_sheet
from wraner.adapters import WEIGHTS, read_adapter
from wraner.chat import ChatEncoder
from wraner.metrics import SpanCounts
from wraner.weights import BaseModel


@pytest.fixture
def settings(tiny_base: BaseModel, tmp_path: Path) -> TrainingSettings:
    longer = OptimiserSettings(steps=8, step_tokens=1500, run_tokens=800, learning_rate=0.02)
    return town_settings(tiny_base, write_towns(tmp_path), optimiser=longer)


@pytest.fixture
def domain(tmp_path: Path, settings: TrainingSettings) -> NerDomain:
    folder = tmp_path / "trips"
    folder.mkdir()
    for split, file in (("train", "train.conll"), ("dev", "dev.conll")):
        (folder / f"{split}.txt").write_text((tmp_path / file).read_text())
    return read_domain(folder, read_sheet(tmp_path / "sheet.yaml"), Split.DEV)


class Examiner:
    """Notes the weights that it is shown, by their hash, and finds 3 of 4 mentions."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @contextmanager
    def __call__(self, bench: Bench) -> Iterator[Examine]:
        def examine(domain: NerDomain, adapter: str) -> tuple[SpanCounts, ...]:
            assert read_adapter(bench.adapters, adapter).base.sha256 == bench.base.sha256
            weights = (bench.adapters / adapter / WEIGHTS).read_bytes()
            self.seen.append(hashlib.sha256(weights).hexdigest())
            return (SpanCounts(right=3, found=4, gold=4),)

        yield examine


@pytest.fixture
def examiner() -> Examiner:
    return Examiner()


@pytest.fixture
def material(
    settings: TrainingSettings, domain: NerDomain, examiner: Examiner, tmp_path: Path
) -> Material:
    places = Places(tmp_path / "state", tmp_path)
    return gather(settings, places, [domain], LetterEncoder(), examiner, say=lambda _: None)


def test_a_run_is_the_same_again_and_teaches(
    settings: TrainingSettings, material: Material, examiner: Examiner
) -> None:
    first = carry_out(settings, material)
    assert first.f1 == pytest.approx(75)
    assert 8 * 1500 <= first.tokens < 9 * 1500
    assert carry_out(settings, material) == first
    idle = settings.optimiser.model_copy(update={"learning_rate": 1e-9})
    carry_out(settings.model_copy(update={"optimiser": idle}), material)
    taught, again, untaught = examiner.seen
    assert taught == again != untaught


def test_dropout_is_each_runs_own(
    settings: TrainingSettings, material: Material, examiner: Examiner
) -> None:
    dropped = settings.model_copy(update={"lora": LoraSettings(rank=4, alpha=8, dropout=0.5)})
    plain = settings.model_copy(update={"lora": LoraSettings(rank=4, alpha=8)})
    for chosen in (dropped, plain):
        carry_out(chosen, material)
    assert len(set(examiner.seen)) == 2


@pytest.mark.parametrize("examples", [(1,), (0, 0, 0, 0, 1), (1, 1, 1)])
def test_all_steps_together_just_reach_the_budget(
    examples: tuple[float, ...], tiny_base: BaseModel, corpus: Corpus
) -> None:
    prompts = PromptSettings(questions=1, examples=examples)
    drawing = Drawing(
        [Supply(corpus, TYPES, 1.0)],
        ChatEncoder(AutoTokenizer.from_pretrained(tiny_base.path)),
        seed=0,
        prompts=prompts,
        regularise=TrainingSettings(sources={"towns": 1.0}).regularisers,
    )
    asked = OptimiserSettings(steps=5, step_tokens=4000)
    tokens = levelled(asked, drawing).step_tokens
    drawn = [drawing.step(number, tokens=tokens) for number in range(1, 6)]
    longest = max(group.tokens for step in drawn for group in step)
    assert 20_000 <= sum(g.tokens for step in drawn for g in step) <= 20_000 + longest
