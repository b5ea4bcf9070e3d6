"""A run in this process: what it leaves, and that it goes on where it stopped."""

import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tests.training.conftest import LetterEncoder
from tests.training.judged_towns import TOWNS, judge_settings
from tests.training.towns import SOURCES, TERMS, TRAIN_SENTENCES, town_settings, write_towns
from training import finetune as finetuning
from training import preparation
from training.communities import shipped_communities
from training.finetune import ADAPTER, CHECKPOINTS, StepBar, finetune, run_name, training_data
from training.judged_neighbours import Vectors
from training.loop import State
from training.metric_log import read_metrics
from training.preparation import Places, prepare
from training.settings import TrainingSettings
from training.sources import read_source, read_source_configs
from wraner.adapters import CONFIG, WEIGHTS, Task, TrainingData
from wraner.errors import InvalidInput, Unavailable
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
    run = run_name(settings, tiny_base)
    assert outcome.folder == places.state / "training" / "runs" / run
    assert {CONFIG, WEIGHTS} <= {p.name for p in outcome.adapter.iterdir()}
    lines = read_metrics(outcome.folder)
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    assert [line for line in lines if "dev_loss" in line] == [
        {"step": 4, "dev_loss": outcome.dev_loss}
    ]
    assert outcome.base == tiny_base
    assert outcome.data == (TrainingData(name="towns", terms=TERMS, sentences=TRAIN_SENTENCES),)


def test_a_run_shows_its_steps_loss_pace_and_time_left(
    settings: TrainingSettings, places: Places
) -> None:
    heard = io.StringIO()
    outcome = finetune(settings, places, console=Console(file=heard, width=200))
    last = [line for line in read_metrics(outcome.folder) if "loss" in line][-1]
    (shown,) = [line for line in heard.getvalue().splitlines() if line.startswith("step 4 of 4 ")]
    assert f"loss {last['loss']:.3f}, {last['tokens_per_s']:.0f} tokens/s" in shown
    assert shown.rstrip().endswith("0:00:00")


@pytest.mark.parametrize(("step_s", "left"), [(10, "0:01:20"), (90, "0:12:00")])
def test_the_time_left_follows_from_the_pace_of_the_steps(step_s: int, left: str) -> None:
    now = [0.0]
    heard = Console(file=io.StringIO(), width=200, record=True, get_time=lambda: now[0])
    bar = StepBar(10, heard)
    for step in (1, 2):
        now[0] += step_s
        bar.show(step, {"loss": 1.5, "tokens_per_s": 300.0})
    heard.print(bar.progress.get_renderable())
    shown = heard.export_text()
    assert "step 2 of 10" in shown and "loss 1.500, 300 tokens/s" in shown
    assert shown.rstrip().endswith(left)


def test_the_command_prints_where_the_adapter_lies_or_what_is_wrong(
    settings: TrainingSettings,
    places: Places,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = places.data / "run.yaml"
    file.write_text(settings.model_dump_json())
    command = ["finetune", str(file), "--data", str(places.data), "--state", str(places.state)]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.setenv("COLUMNS", "300")  # rich wraps what it says
    assert finetuning.main() == 0
    said = capsys.readouterr()
    adapter = Path(said.out.rstrip("\n"))
    assert adapter.name == ADAPTER and (adapter / WEIGHTS).is_file()
    assert "loss on dev" in said.err
    file.write_text("steps: 5")
    assert finetuning.main() == 1
    said = capsys.readouterr()
    assert said.out == "" and "steps: this field is not known" in said.err


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
    kept = places.state.glob(f"training/runs/*/{CHECKPOINTS}/*")
    assert [p.name for p in kept] == ["000002"]
    heard = io.StringIO()
    resumed = finetune(settings, places, console=Console(file=heard, width=200))
    assert "going on behind step 2" in heard.getvalue()
    assert (resumed.adapter / WEIGHTS).read_bytes() == (whole.adapter / WEIGHTS).read_bytes()
    assert resumed.dev_loss == whole.dev_loss
    steps = [line["step"] for line in read_metrics(resumed.folder) if "loss" in line]
    assert steps == [1, 2, 3, 4]


def test_two_processes_do_not_train_one_run(
    settings: TrainingSettings, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = []

    class Twice(finetuning.Watched):
        def on_checkpoint(self, state: State) -> None:
            with pytest.raises(Unavailable, match="in use by another process") as found:
                finetune(settings, places, console=quiet())
            refused.append(found)
            super().on_checkpoint(state)

    with monkeypatch.context() as patched:
        patched.setattr(finetuning, "Watched", Twice)
        first = finetune(settings, places, console=quiet())
    assert refused and finetune(settings, places, console=quiet()) == first


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


@pytest.mark.parametrize(("split", "named"), [("train", "towns"), ("dev", "towns-dev")])
def test_a_source_of_long_sentences_alone_is_refused_before_the_first_step(
    settings: TrainingSettings, places: Places, split: str, named: str
) -> None:
    long = "\n".join(f"word{n} O" for n in range(97))
    (places.data / f"{split}.conll").write_text(long + "\n\n")
    with pytest.raises(InvalidInput, match=f"at most 96 words in {named}, was: none; cut its"):
        prepare(settings, places)


def test_a_run_whose_corpus_changed_names_its_folder(
    settings: TrainingSettings, places: Places
) -> None:
    configured = SOURCES.replace("dev: [dev.conll]", "test: [dev.conll]")  # no loss is measured
    (places.data / "sources.yaml").write_text(configured)
    short = settings.optimiser.model_copy(update={"steps": 1, "step_tokens": 1})
    once = settings.model_copy(update={"optimiser": short})
    outcome = finetune(once, places, console=quiet())
    train = places.data / "train.conll"
    train.write_text(train.read_text().replace("again", "today"))
    with pytest.raises(InvalidInput, match=f"or remove {re.escape(str(outcome.folder))} to begin"):
        finetune(once, places, console=quiet())


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
    settings = judge_settings(tiny_base)
    places = Places(state=tmp_path / "state", data=tmp_path)
    outcome = finetune(settings, places, console=quiet())
    lines = read_metrics(outcome.folder)
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3]
    assert outcome.dev_loss is not None and outcome.data == TOWNS.data[:1]
    assert settings.task is Task.MODERATION
    assert {CONFIG, WEIGHTS} <= {p.name for p in outcome.adapter.iterdir()}


@pytest.mark.parametrize(("examples", "shown"), [((1.0,), 0), ((0.0, 1.0), 2)])
def test_a_judge_is_shown_as_many_examples_as_the_settings_say(
    tiny_base: BaseModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    examples: tuple[float, ...],
    shown: int,
) -> None:
    class Alike:
        def __init__(self, **_: object) -> None:
            pass

        def sentences(self, texts: Sequence[str]) -> Vectors:
            return np.ones((len(texts), 1), np.float32)

    monkeypatch.setattr(preparation, "read_judged_texts", lambda *_: TOWNS)
    monkeypatch.setattr(preparation, "ContextualEncoder", Alike)
    settings = judge_settings(tiny_base)
    assert settings.judgements is not None
    asking = settings.judgements.model_copy(update={"examples": examples, "overall": 0.0})
    run = prepare(
        settings.model_copy(update={"judgements": asking}), Places(tmp_path / "state", tmp_path)
    ).run
    assert run.dev is not None
    for drawing in (run.drawing, run.dev):
        members = [m for group in drawing.step(1, tokens=1) for m in group.members]
        assert {len(m.prompt.examples) for m in members} == {shown}


def test_house_rules_are_taught_and_named_but_no_loss_is_measured_on_them(
    tiny_base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "read_judged_texts", lambda *_: TOWNS)
    settings = judge_settings(tiny_base)
    assert settings.judgements is not None
    asking = settings.judgements.model_copy(update={"overall": 0.0, "rules": 1.0})
    prepared = prepare(
        settings.model_copy(update={"judgements": asking}), Places(tmp_path / "state", tmp_path)
    )
    assert prepared.judged == (*TOWNS.data[:1], shipped_communities().data)
    run, decode = prepared.run, prepared.chat._tokenizer.decode
    assert run.dev is not None
    for drawing, own in ((run.drawing, False), (run.dev, True)):
        (group,) = drawing.step(1, tokens=1)
        asked = decode(group.members[0].prompt.prefix)
        assert any(policy.title in asked for policy in TOWNS.policies) == own
