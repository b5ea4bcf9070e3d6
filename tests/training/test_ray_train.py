"""A run on Ray: the same on one worker and two, killed or not."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from ray.train import ControllerError
from rich.console import Console
from safetensors.torch import load_file

from tests.training.judged_towns import TOWNS, judge_settings
from tests.training.towns import TERMS, TRAIN_SENTENCES, town_settings, write_towns
from training import preparation, ray_cluster, ray_train
from training.claims import claimed
from training.finetune import Outcome, finetune, run_name
from training.judged_texts import JudgedSettings
from training.loop import StepReport
from training.metric_log import read_metrics
from training.preparation import Places
from training.ray_cluster import Cluster, missing_resources
from training.ray_train import _cause, _storage, _Work, finetune_on_ray
from training.settings import TrainingSettings
from wraner import weights
from wraner.adapters import WEIGHTS, TrainingData
from wraner.errors import Unavailable
from wraner.weights import BaseModel

pytestmark = [
    pytest.mark.ray,
    pytest.mark.model,
    # Ray's own, of its imports and of the processes that it leaves to themselves
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


ROOT = Path(__file__).parents[2]
ONE = Cluster()
DATA = TrainingData(name="towns", terms=TERMS, sentences=TRAIN_SENTENCES)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("towns")
    write_towns(folder)
    return Places(state=folder / "state", data=folder)


@pytest.fixture(scope="module")
def settings(tiny_base: BaseModel, places: Places) -> TrainingSettings:
    return town_settings(tiny_base, places.data / "sources.yaml")


@pytest.fixture(scope="module", autouse=True)
def one_ray() -> Iterator[None]:
    """Run all tests on one Ray."""
    before = dict(os.environ)
    with ray_cluster.connected(Cluster(workers=2)):
        yield
    os.environ.clear()
    os.environ.update(before)


def on_ray(settings: TrainingSettings, places: Places, cluster: Cluster = ONE) -> Outcome:
    return finetune_on_ray(settings, places, cluster, console=Console(file=io.StringIO()))


def losses(outcome: Outcome) -> list[float]:
    return [line["loss"] for line in read_metrics(outcome.folder) if "loss" in line]


@pytest.fixture(scope="module")
def alone(settings: TrainingSettings, places: Places) -> Outcome:
    """A run that nothing disturbed, on one worker."""
    return on_ray(settings, places)


def test_two_processes_do_not_train_one_run(settings: TrainingSettings, places: Places) -> None:
    other = settings.model_copy(update={"seed": 77})
    base = weights.resolve(other.base, places.state / "models")
    folder = places.state / "training" / "ray" / run_name(other, base)
    with claimed(folder), pytest.raises(Unavailable, match="in use by another process"):
        on_ray(other, places)


def test_a_worker_of_ray_trains_what_this_process_trains(
    alone: Outcome, settings: TrainingSettings, places: Places
) -> None:
    here = finetune(settings, places, console=Console(file=io.StringIO()))
    assert losses(alone) == pytest.approx(losses(here), rel=1e-5)
    assert alone.dev_loss == pytest.approx(here.dev_loss, rel=1e-5)
    assert (
        alone.data
        == here.data
        == (TrainingData(name="towns", terms=TERMS, sentences=TRAIN_SENTENCES),)
    )
    ours, theirs = load_file(alone.adapter / WEIGHTS), load_file(here.adapter / WEIGHTS)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.allclose(tensor.float(), theirs[name].float(), atol=1e-3), name


def test_two_workers_see_the_losses_of_one(
    alone: Outcome, settings: TrainingSettings, places: Places, tmp_path: Path
) -> None:
    apart = replace(places, state=tmp_path)
    storage = (tmp_path / "kept").as_uri()  # as an object store is named
    two = on_ray(settings, apart, Cluster(workers=2, storage=storage))
    assert len(losses(two)) == settings.optimiser.steps
    assert losses(two) == pytest.approx(losses(alone), rel=1e-5)
    assert two.dev_loss == pytest.approx(alone.dev_loss, rel=1e-5)
    kept = tmp_path / "kept" / run_name(settings, two.base)
    assert sorted(p.name for p in kept.iterdir() if p.is_dir()) == ["000002", "000004"]


def test_workers_are_told_paths_that_hold_in_their_folders(
    tiny_base: BaseModel, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[TrainingSettings] = []

    def stop(settings: TrainingSettings, *_: object, **__: object) -> None:
        told.append(settings)
        raise InterruptedError

    monkeypatch.setattr(ray_train, "prepare", stop)
    extracting = town_settings(tiny_base, Path("sources.yaml"), start=Path("adapters/first"))
    judging = judge_settings(tiny_base)
    assert judging.judgements is not None
    texts = JudgedSettings(more=(Path("training/near_misses.jsonl"),))
    more = judging.judgements.model_copy(update={"texts": texts})
    for chosen in (extracting, judging.model_copy(update={"judgements": more})):
        with pytest.raises(InterruptedError):
            on_ray(chosen, replace(places, state=tmp_path))
    extraction, judge = told
    assert extraction.source_file == Path("sources.yaml").absolute()
    assert extraction.start == Path("adapters/first").absolute()
    assert judge.judgements is not None
    assert judge.judgements.texts.policy_set == Path("packs/hate-speech").absolute()
    assert judge.judgements.texts.more == (Path("training/near_misses.jsonl").absolute(),)


@pytest.mark.parametrize(
    ("storage", "kept"),
    [("", "/runs/r"), ("s3://bucket/folder/", "s3://bucket/folder/r"), ("/mnt/x", "/mnt/x/r")],
)
def test_an_error_names_where_checkpoints_lie(
    settings: TrainingSettings, places: Places, storage: str, kept: str
) -> None:
    found = _storage(Cluster(storage=storage), Path("/runs"))
    assert _Work(settings, places, "r", found).kept == kept


def test_the_controller_does_not_load_the_language_model() -> None:
    told = (
        "import sys, training.ray_log; "
        "print([m for m in ('torch', 'transformers', 'training.loop') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_steps_on_gpus_are_looked_at_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"
    found = []
    for chosen in (Cluster(), Cluster(gpu=True)):
        monkeypatch.delenv(looks, raising=False)
        with ray_cluster.connected(chosen):
            found.append(float(os.environ[looks]))
    monkeypatch.setenv(looks, "1")
    with ray_cluster.connected(Cluster(gpu=True)):
        assert os.environ[looks] == "1", "who runs it may choose"
    on_cpus, on_gpus = found
    assert on_gpus < on_cpus


def test_a_killed_worker_is_replaced_and_ends_with_the_same_weights(
    alone: Outcome,
    settings: TrainingSettings,
    places: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    marker, begun = tmp_path / "killed", tmp_path / "steps"

    def mortal(work: Any) -> None:  # travels to the worker by value
        import os
        import signal

        from training import ray_train as workers

        class Mortal(workers.Reporting):
            def on_step(self, report: "StepReport") -> None:
                with begun.open("a") as file:
                    file.write(str(report.step))
                if report.step == 4 and not marker.exists():
                    marker.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                super().on_step(report)

        workers.Reporting = Mortal  # type: ignore[misc]
        workers._train(work)

    monkeypatch.setattr(ray_train, "_train", mortal)
    disturbed = on_ray(settings, replace(places, state=tmp_path / "state"))
    assert begun.read_text() == "123434"  # the report of step 3 says that step 2 is kept
    steps = [line["step"] for line in read_metrics(disturbed.folder) if "loss" in line]
    assert steps == [1, 2, 3, 4]
    assert losses(disturbed) == losses(alone)
    assert (disturbed.adapter / WEIGHTS).read_bytes() == (alone.adapter / WEIGHTS).read_bytes()


def test_a_judge_is_trained_by_a_worker_too(
    tiny_base: BaseModel, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judging(work: Any) -> None:  # travels to the worker by value
        from training import preparation
        from training import ray_train as workers

        def read_towns(texts: Any, _: Any) -> Any:
            assert texts.policy_set.is_dir(), "also seen from a worker's folder"
            return TOWNS

        preparation.read_judged_texts = read_towns
        workers._train(work)

    monkeypatch.setattr(ray_train, "_train", judging)
    monkeypatch.setattr(preparation, "read_judged_texts", lambda *_: TOWNS)
    settings = judge_settings(tiny_base)
    apart = replace(places, state=tmp_path)
    there = on_ray(settings, apart)
    here = finetune(settings, apart, console=Console(file=io.StringIO()))
    assert len(losses(there)) == 3 and there.data == TOWNS.data[:1]
    assert losses(there) == pytest.approx(losses(here), rel=1e-5)
    assert there.dev_loss == pytest.approx(here.dev_loss, rel=1e-5)
    assert (there.adapter / WEIGHTS).is_file()


@pytest.mark.parametrize(
    ("there", "gpu", "said"),
    [
        ({"CPU": 4.0}, False, ""),
        ({"CPU": 2.0}, False, "need a CPU each, the cluster has 2: waiting"),
        ({"CPU": 1.0, "GPU": 4.0}, True, ""),
        ({"CPU": 8.0, "GPU": 2.0}, True, "need a GPU each, the cluster has 2"),
        ({}, True, "the cluster has 0"),
    ],
)
def test_a_cluster_that_is_too_small_is_said(
    monkeypatch: pytest.MonkeyPatch, there: dict[str, float], gpu: bool, said: str
) -> None:
    monkeypatch.setattr("ray.cluster_resources", lambda: there)
    words = missing_resources(Cluster(4, gpu=gpu))
    assert said in words and bool(said) == bool(words)


def test_what_workers_could_not_be_started_for_is_told() -> None:
    of_controller = ControllerError(Unavailable("no room"))
    assert str(_cause(of_controller)) == "no room"
    late = ControllerError(TimeoutError("the worker group timed out"))
    assert "could not be started, more than 3 times" in str(_cause(late))
