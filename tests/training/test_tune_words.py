"""The command: what it writes is what serves, it goes on, and it leaves nothing half done."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open

from index.bundled import hash_file
from index.contextual import ContextualEncoder
from tests.training.towns import TERMS, TRAIN_SENTENCES, write_towns
from tests.training.word_towns import town_supply, word_settings, write_tiny_bert
from training import word_run
from training.metric_log import read_metrics
from training.tune_words import main
from training.word_batches import batch_of
from training.word_manifest import WordManifest
from training.word_tuning import Tunable
from wraner.adapters import CONFIG, MANIFEST, WEIGHTS, TrainingData


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_towns(tmp_path)
    write_tiny_bert(tmp_path / "bert")
    return tmp_path


def run(folder: Path, out: str, *more: str, **changes: Any) -> int:
    settings = word_settings(folder / "bert", folder / "sources.yaml", **changes)
    config = folder / "words.yaml"
    config.write_text(yaml.safe_dump(json.loads(settings.model_dump_json())))
    where = ["--data", str(folder), "--state", str(folder / "state"), "--out", str(folder / out)]
    return main([str(config), *where, *more])


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_a_tuning_is_written_with_what_went_into_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "tuned") == 0
    assert capsys.readouterr().out.split() == [str(folder / "tuned")]
    assert {p.name for p in (folder / "tuned").iterdir()} == {CONFIG, WEIGHTS, MANIFEST}
    manifest = WordManifest.model_validate_json((folder / "tuned" / MANIFEST).read_text())
    assert manifest.data == (TrainingData(name="towns", terms=TERMS, sentences=TRAIN_SENTENCES),)
    assert manifest.base_sha256 == hash_file(folder / "bert" / "model.safetensors")
    assert manifest.parent == "" and manifest.config["rank"] == 4
    with safe_open(folder / "tuned" / WEIGHTS, framework="pt") as file:
        assert file.metadata()["base_sha256"] == manifest.base_sha256
    (log,) = (folder / "state" / "training" / "runs").iterdir()
    lines = read_metrics(log)
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 7))
    dev = [line for line in lines if "dev_loss" in line]
    assert [line["step"] for line in dev] == [0, 6] and dev[1]["dev_loss"] == manifest.dev_loss
    assert manifest.loss == pytest.approx([line["loss"] for line in lines if "loss" in line][-1])


def test_what_is_served_is_what_was_trained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Tunable] = []
    write = word_run.write_tuning

    def kept(tuned: Tunable, manifest: WordManifest, *, target: Path) -> None:
        trained.append(tuned)
        write(tuned, manifest, target=target)

    monkeypatch.setattr(word_run, "write_tuning", kept)
    assert run(folder, "tuned", steps=20) == 0
    settings = word_settings(folder / "bert", folder / "sources.yaml")
    sentence = town_supply(settings, folder).sentences[0]
    encoder = ContextualEncoder(folder / "bert", tuning=folder / "tuned", window_tokens=40)
    (served,) = encoder.encode(["Ann visits Ulm again"])
    batch = batch_of([sentence])
    model = trained[0].model.eval()
    with torch.no_grad():
        rows = model(batch.ids, batch.cases, batch.mask)[0]  # in fp32, as it is served
    for word in range(len(sentence.tags)):
        own = rows[sentence.parts[sentence.parts[:, 1] == word, 0]].sum(0)
        own = torch.nn.functional.normalize(own, dim=0).numpy()
        assert max(float(own @ other) for other in served.vectors) > 0.9999
    plain = ContextualEncoder(folder / "bert", layer=2, window_tokens=40)
    (untuned,) = plain.encode(["Ann visits Ulm again"])
    assert np.abs(untuned.vectors - served.vectors).max() > 0.05


def test_the_same_settings_give_the_same_bytes(folder: Path) -> None:
    for out in ("one", "two"):
        assert run(folder, out) == 0
    for name in (CONFIG, WEIGHTS):
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()
    assert run(folder, "three", seed=1) == 0
    assert (folder / "one" / WEIGHTS).read_bytes() != (folder / "three" / WEIGHTS).read_bytes()


def test_it_goes_on_from_an_earlier_tuning(folder: Path) -> None:
    assert run(folder, "first", steps=12) == 0
    assert run(folder, "still", "--from", str(folder / "first"), steps=1, learning_rate=1e-9) == 0
    first, still = tensors(folder / "first"), tensors(folder / "still")
    for name in first:
        torch.testing.assert_close(still[name], first[name])
    manifest = WordManifest.model_validate_json((folder / "still" / MANIFEST).read_text())
    assert manifest.parent == hash_file(folder / "first" / WEIGHTS)


def test_a_tuning_names_what_it_goes_on_from_was_taught(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "first", steps=1) == 0
    parent = folder / "first" / MANIFEST
    made = WordManifest.model_validate_json(parent.read_text())
    villages = TrainingData(name="villages", terms="own", sentences=3)
    before = made.model_copy(update={"data": (villages, *made.data)})
    parent.write_text(before.model_dump_json())
    assert run(folder, "second", "--from", str(folder / "first"), steps=1) == 0
    manifest = WordManifest.model_validate_json((folder / "second" / MANIFEST).read_text())
    assert manifest.data == before.data, "towns, which both were taught, stand once"
    parent.write_text("{")
    assert run(folder, "third", "--from", str(folder / "first"), steps=1) == 1
    assert "restore it" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rank": 2}, "rank 2"),
        ({"alpha": 4}, "expected alpha 4"),
        ({"layer": 1}, "shape and layers"),
    ],
)
def test_a_parent_of_another_shape_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, int], words: str
) -> None:
    assert run(folder, "first", steps=1) == 0
    assert run(folder, "second", "--from", str(folder / "first"), **changes) == 1
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (folder / "second").exists()


def test_a_parent_of_another_encoder_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "first", steps=1) == 0
    (folder / "bert").rename(folder / "other")
    write_tiny_bert(folder / "bert", seed=1)
    assert run(folder, "second", "--from", str(folder / "first")) == 1
    assert "expected a tuning of the encoder" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_parent_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    if damage == "cut":
        assert run(folder, "first", steps=1) == 0
        whole = (folder / "first" / WEIGHTS).read_bytes()
        (folder / "first" / WEIGHTS).write_bytes(whole[:-7])
    assert run(folder, "second", "--from", str(folder / "first")) == 1
    assert "expected the folder of a tuned word encoder" in " ".join(
        capsys.readouterr().err.split()
    )


def test_what_is_there_is_not_written_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tuned").mkdir()
    assert run(folder, "tuned") == 1
    assert "not there yet" in " ".join(capsys.readouterr().err.split())
    assert not list((folder / "tuned").iterdir())


@pytest.fixture(params=["tune", "write"])
def interrupted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    if request.param == "tune":
        monkeypatch.setattr(word_run._Watched, "on_step", stop)
    else:
        monkeypatch.setattr(WordManifest, "model_dump_json", stop)
    yield


@pytest.mark.usefixtures("interrupted")
def test_an_interruption_leaves_no_folder(folder: Path) -> None:
    before = {p.name for p in folder.iterdir()}
    assert run(folder, "tuned") == 130
    assert {p.name for p in folder.iterdir()} <= before | {"words.yaml", "state"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"longest_subwords": 63}, "at most 62"),
        ({"longest_words": 1}, "in train of towns, was: 0"),
        ({"layer": 3}, "expected a layer between 0 and 2, was: 3"),
        ({"sources": {"villages": 1}}, "among towns, was: villages"),
        ({"encoder": "nowhere"}, "nowhere cannot be loaded"),
    ],
)
def test_settings_that_do_not_fit_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], words: str
) -> None:
    assert run(folder, "tuned", **changes) == 1
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (folder / "tuned").exists()


def test_what_the_held_out_files_hold_is_not_taught(folder: Path) -> None:
    assert run(folder, "tuned", steps=1, held_out=("held.conll",)) == 1
    train = (folder / "train.conll").read_text()
    (folder / "held.conll").write_text(train[: train.index("\n\n") + 2])
    assert run(folder, "tuned", steps=1, held_out=("held.conll",)) == 0
    manifest = WordManifest.model_validate_json((folder / "tuned" / MANIFEST).read_text())
    assert manifest.data[0].sentences == TRAIN_SENTENCES - 1
