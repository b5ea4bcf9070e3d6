"""A run in this process: what it leaves, and that it goes on where it stopped."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.training.conftest import LetterEncoder
from tests.training.judged_towns import TOWNS
from tests.training.towns import TERMS, TRAIN_SENTENCES, town_settings, write_towns
from training import finetune as finetuning
from training import preparation
from training.finetune import CHECKPOINTS, finetune, run_folder, training_data
from training.loop import State
from training.metric_log import read_metrics
from training.preparation import Places
from training.settings import (
    JudgementSettings,
    LoraSettings,
    OptimiserSettings,
    PromptSettings,
    TrainingSettings,
)
from training.sources import read_source, read_source_configs
from wraner.adapters import CONFIG, WEIGHTS, Task, TrainingData
from wraner.errors import InvalidInput
from wraner.weights import BaseModel


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    write_towns(tmp_path)
    monkeypatch.setattr(preparation, "ContextualEncoder", lambda **_: LetterEncoder())
    return Places(state=tmp_path / "state", data=tmp_path)


@pytest.fixture
def settings(tiny_base: BaseModel, places: Places) -> TrainingSettings:
    return town_settings(tiny_base, places.data / "sources.yaml")


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def test_a_run_leaves_an_adapter_figures_and_what_went_into_it(
    settings: TrainingSettings, places: Places, tiny_base: BaseModel
) -> None:
    outcome = finetune(settings, places, console=quiet())
    assert outcome.folder == run_folder(settings, places)
    assert {CONFIG, WEIGHTS} <= {p.name for p in outcome.adapter.iterdir()}
    lines = read_metrics(outcome.folder)
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    assert [line for line in lines if "dev_loss" in line] == [
        {"step": 4, "dev_loss": outcome.dev_loss}
    ]
    assert outcome.base == tiny_base
    assert outcome.data == (TrainingData(name="towns", terms=TERMS, sentences=TRAIN_SENTENCES),)


def test_a_stopped_run_goes_on_and_ends_the_same(
    settings: TrainingSettings, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Places(state=places.state / "whole", data=places.data)
    whole = finetune(settings, elsewhere, console=quiet())

    class Stopped(finetuning.Watched):
        def on_checkpoint(self, state: State) -> None:
            super().on_checkpoint(state)
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(finetuning, "Watched", Stopped)
        finetune(settings, places, console=quiet())
    assert [p.name for p in (run_folder(settings, places) / CHECKPOINTS).iterdir()] == ["000002"]
    heard = io.StringIO()
    resumed = finetune(settings, places, console=Console(file=heard, width=200))
    assert "going on behind step 2" in heard.getvalue()
    assert (resumed.adapter / WEIGHTS).read_bytes() == (whole.adapter / WEIGHTS).read_bytes()
    assert resumed.dev_loss == whole.dev_loss
    steps = [line["step"] for line in read_metrics(resumed.folder) if "loss" in line]
    assert steps == [1, 2, 3, 4]


def test_a_finished_run_is_not_run_again(settings: TrainingSettings, places: Places) -> None:
    first = finetune(settings, places, console=quiet())
    before = (first.adapter / WEIGHTS).read_bytes(), read_metrics(first.folder)
    again = finetune(settings, places, console=quiet())
    assert again == first
    assert ((again.adapter / WEIGHTS).read_bytes(), read_metrics(again.folder)) == before


def test_a_source_that_is_not_configured_is_named(
    settings: TrainingSettings, places: Places
) -> None:
    unknown = settings.model_copy(update={"sources": {"villages": 1.0}})
    with pytest.raises(InvalidInput, match="among towns, was: villages"):
        finetune(unknown, places, console=quiet())


@pytest.mark.parametrize(
    ("most", "taught"), [(None, TRAIN_SENTENCES), (5, 5), (99, TRAIN_SENTENCES)]
)
def test_sentences_are_counted_as_they_are_dealt(
    settings: TrainingSettings, places: Places, most: int | None, taught: int
) -> None:
    with (places.data / "train.conll").open("a") as file:  # longer than any window
        file.write("\n".join(f"word{n} O" for n in range(200)) + "\n\n")
    (config,) = read_source_configs(places.data / "sources.yaml")
    source = read_source(config, data_root=places.data)
    assert len(source.train) == TRAIN_SENTENCES + 1
    chosen = settings.model_copy(update={"most_sentences": most})
    (data,) = training_data([source], chosen)
    assert data.sentences == taught


def test_a_judge_is_trained_by_the_same_loop_and_stops_where_it_is_told(
    tiny_base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "read_judged_texts", lambda *_: TOWNS)
    settings = TrainingSettings(
        base=str(tiny_base.path),
        judgements=JudgementSettings(overall_texts=4, policy_texts=4),
        optimiser=OptimiserSettings(steps=6, stop=3, step_tokens=400, run_tokens=400),
        prompts=PromptSettings(shown_weight=0),
        lora=LoraSettings(rank=2, alpha=4),
        evaluate_every=3,
    )
    places = Places(state=tmp_path / "state", data=tmp_path)
    outcome = finetune(settings, places, console=quiet())
    lines = read_metrics(outcome.folder)
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3]
    assert outcome.dev_loss is not None and outcome.data == TOWNS.data[:1]
    assert settings.task is Task.MODERATION
    assert {CONFIG, WEIGHTS} <= {p.name for p in outcome.adapter.iterdir()}
