"""`wraner train`: what it stores and says, how it stops, what it refuses."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cli import finetuning
from cli.failures import Exit
from cli.main import main
from tests.training.conftest import LetterEncoder
from tests.training.towns import TERMS, TRAIN_SENTENCES, town_settings, write_towns
from tests.wraner.random_adapters import hollow_adapter
from training import preparation
from training.settings import read_settings
from wraner.adapters import (
    WEIGHTS,
    Base,
    Task,
    TrainingData,
    identities,
    read_adapter,
    write_adapter,
)
from wraner.promotions import current
from wraner.view import View
from wraner.weights import BaseModel

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tiny_base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of a short run, in the folder of their data; what is stored goes there too."""
    monkeypatch.setattr(preparation, "ContextualEncoder", lambda **_: LetterEncoder())
    for name in ("GOMP_SPINCOUNT", "TRANSFORMERS_VERBOSITY", "TQDM_DISABLE"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    for name in ("STATE", "PACKS", "ADAPTERS"):
        monkeypatch.setenv(f"WRANER_{name}_DIR", str(tmp_path / name.lower()))
    file = tmp_path / "towns.yaml"
    file.write_text(town_settings(tiny_base, write_towns(tmp_path)).model_dump_json())
    return file


def train(config: Path, *more: str) -> int:
    return main(["train", str(config), "--data", str(config.parent), *more])


def test_an_adapter_is_stored_with_what_it_was_made_of_and_not_promoted(
    config: Path, tiny_base: BaseModel, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(config) == 0
    adapters = config.parent / "state" / "adapters"
    (identity,) = identities(adapters)
    made = read_adapter(adapters, identity)
    assert made.view is View.BESIDE
    assert made.task == Task.NER
    assert made.base == Base(name=tiny_base.name, sha256=tiny_base.sha256)
    assert made.data == (TrainingData(name="towns", terms=TERMS, sentences=TRAIN_SENTENCES),)
    assert made.config == read_settings(config).model_dump(mode="json")
    assert made.metrics["command"] == f"wraner train {config} --data {config.parent}"
    assert isinstance(loss := made.metrics["dev_loss"], float)
    assert current(adapters, Task.NER) == ""
    shown = capsys.readouterr()
    assert shown.out == f"{adapters / identity}\n"
    assert f"loss on dev {loss:.4f}" in shown.err
    assert f"wraner adapters promote {identity[:12]}\n" in shown.err


def test_a_run_goes_on_from_an_adapter(
    config: Path, tiny_base: BaseModel, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(config) == 0
    first = Path(capsys.readouterr().out.strip())
    assert train(config, "--from", str(first)) == 0
    shown = capsys.readouterr()
    second = Path(shown.out.strip())
    made = read_adapter(second.parent, second.name)
    assert made.parent == first.name != second.name
    assert str(made.metrics["command"]).endswith(f" --from {first}")
    settings = read_settings(config).model_copy(update={"start": first})
    weights = preparation.adapted_model(settings, tiny_base)[0].state_dict()
    stored = load_file(first / WEIGHTS)
    name = next(name for name in weights if "lora_B" in name)
    assert torch.equal(weights[name].bfloat16(), stored[f"base_model.model.{name}.weight"])


def test_an_adapter_names_what_it_goes_on_from_was_taught(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(config) == 0
    first = Path(capsys.readouterr().out.strip())
    made = read_adapter(first.parent, first.name)
    villages = TrainingData(name="villages", terms="own", sentences=3)
    before = made.model_copy(update={"data": (villages, *made.data)})
    write_adapter(first.parent, first, before)
    assert train(config, "--from", str(first)) == 0
    second = Path(capsys.readouterr().out.strip())
    assert read_adapter(second.parent, second.name).data == before.data


def test_a_finished_training_that_is_asked_for_again_keeps_its_date(config: Path) -> None:
    assert train(config) == 0
    adapters = config.parent / "state" / "adapters"
    (identity,) = identities(adapters)
    made = read_adapter(adapters, identity)
    earlier = made.model_copy(update={"created": date(2026, 1, 2)})
    write_adapter(adapters, adapters / identity, earlier)
    assert train(config) == 0 and identities(adapters) == [identity]
    assert read_adapter(adapters, identity).created == date(2026, 1, 2)


def test_an_adapter_to_go_on_from_must_fit(
    config: Path, tiny_base: BaseModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert train(config, "--from", str(tmp_path / "none")) == Exit.CONFLICT
    assert "expected an adapter's content hash" in capsys.readouterr().err
    base = BaseModel(Path("none"), "another", "1" * 64)
    other = hollow_adapter(base, tmp_path / "shelf", "{}")
    assert train(config, "--from", str(tmp_path / "shelf" / other)) == 1
    assert "which is one of another" in capsys.readouterr().err
    judge = hollow_adapter(tiny_base, tmp_path / "shelf", "{}", task=Task.MODERATION)
    assert train(config, "--from", str(tmp_path / "shelf" / judge)) == 1
    assert "expected an adapter for ner to start from, was:" in capsys.readouterr().err
    assert main(["train", "--domain", "towns", "--from", "x"]) == 2


def test_ctrl_c_says_how_to_go_on(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(finetuning, "finetune", stopped)
    state = config.parent / "state of mine"
    assert train(config, "--state", str(state)) == 130
    command = f"wraner train {config} --data {config.parent} --state '{state}'"
    assert f"every 2 steps; go on behind the last with: {command}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "options", "code", "words"),
    [
        ("sources: {towns: 1}\nlora: {rank: 0}", (), 1, "lora/rank: "),
        ("sources: {villages: 1}\nsource_file: SOURCES", (), 1, "was: villages"),
        (None, ("--gpu",), 2, "expected --workers N beside --gpu"),
        (None, ("--storage", "s3://somewhere"), 2, "expected --workers N beside --storage"),
        (None, ("--workers", "0"), 2, "--workers"),
        (None, ("--data", "nowhere"), 1, "nowhere"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    config: Path,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    options: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    if content is not None:
        base = read_settings(config).base
        sources = str(config.parent / "sources.yaml")
        config.write_text(f"base: {base}\n{content.replace('SOURCES', sources)}")
    assert train(config, *options) == code
    assert words in capsys.readouterr().err


def test_a_config_that_is_not_there_is_wrong_use(config: Path) -> None:
    assert train(config.with_name("none.yaml")) == 2


@pytest.mark.ray
@pytest.mark.model
def test_with_workers_ray_trains(config: Path) -> None:
    ran = _ran(config, "--workers", "1")
    assert ran.returncode == 0, ran.stderr
    adapters = config.parent / "state" / "adapters"
    (identity,) = identities(adapters)
    assert ran.stdout == f"{adapters / identity}\n"
    assert read_adapter(adapters, identity).metrics["dev_loss"]
    assert (config.parent / "state" / "training" / "ray").is_dir()


def _ran(config: Path, *more: str) -> Any:
    command = [sys.executable, "-m", "cli.main", "train", str(config)]
    given = [*command, "--data", str(config.parent), *more]
    return subprocess.run(given, cwd=ROOT, capture_output=True, text=True, timeout=600)
