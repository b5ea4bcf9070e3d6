"""A run on Ray Train: on several workers, here or on a cluster, that may be killed.

Workers draw the same steps and each takes its part, see `loop`. Figures and checkpoints go through
`ray.train.report`, which all workers call equally often; rank 0 brings the checkpoint. Ray keeps
checkpoints below its storage under the run's name: a killed worker is replaced and goes on from the
newest, and so does a later call with the same settings. State and data lie at the same paths on
every machine. Runs in this process have checkpoints of their own. Knows no command line.
"""

import threading
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ray
import ray.train
import torch
from filelock import FileLock
from ray.train.torch import TorchConfig, get_device
from ray.train.v2.api.config import (
    CheckpointConfig,
    FailureConfig,
    LoggingConfig,
    RunConfig,
    ScalingConfig,
)
from ray.train.v2.torch.torch_trainer import TorchTrainer
from rich.console import Console

from training import checkpoints, lora
from training.claims import claimed
from training.finetune import ADAPTER, Outcome, last_dev_loss, run_name, taught_data
from training.loop import State, train
from training.preparation import Places, adapted_model, prepare
from training.ray_cluster import Cluster, connected, missing_resources
from training.ray_log import Logging
from training.ray_reports import Following, Reporting, begin
from training.settings import JudgementSettings, TrainingSettings
from training.world import Group
from wraner.errors import Unavailable, WranerError
from wraner.weights import BaseModel

_RESTARTS = 3  # of workers that died, in one call
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class _Work:
    """What a worker is told; paths are absolute, for it works in another folder.

    `storage` is the folder or URL below which Ray keeps checkpoints, by the run's name.
    """

    settings: TrainingSettings
    places: Places
    run: str
    storage: str

    @property
    def kept(self) -> str:
        """Where this run's checkpoints lie."""
        return f"{self.storage.rstrip('/')}/{self.run}"


def finetune_on_ray(
    settings: TrainingSettings, places: Places, cluster: Cluster, *, console: Console
) -> Outcome:
    """Train to the end, from the last checkpoint if there is one; write the adapter.

    Joins the Ray that is connected or that RAY_ADDRESS names, else starts one on this machine.

    Raises:
        InvalidInput: as `prepare`.
        Unavailable: as `prepare` and `claimed`; or GPUs are missing, or the workers died too often.
    """
    places = Places(places.state.absolute(), places.data.absolute())
    absolute = _absolute(settings)
    # Once, before the workers: it indexes the sources, and finds what is wrong.
    prepared = prepare(absolute, places, say=console.log)
    base, data = prepared.base, taught_data(prepared)
    del prepared  # the model's memory is the workers'
    runs = places.state / "training" / "ray"
    work = _Work(absolute, places, run_name(settings, base), _storage(cluster, runs))
    folder = runs / work.run
    with claimed(folder):
        with connected(cluster):
            state = _trained(work, folder, cluster, console)
        adapter = _write_adapter(work.settings, base, state, folder)
    return Outcome(folder, adapter, last_dev_loss(folder), base, data)


def _trained(work: _Work, folder: Path, cluster: Cluster, console: Console) -> State:
    """Train on the Ray that is connected; return the last step's state."""
    settings = work.settings
    missing = missing_resources(cluster)
    if missing:
        console.log(missing)
    result = _followed(_trainer(work, folder, cluster), Following(folder, settings, console))
    state = _read(result.checkpoint, work.run)
    if state is None or state.step < settings.optimiser.last_step:
        raise Unavailable(
            f"expected a checkpoint of step {settings.optimiser.last_step} in {result.path}, was: "
            f"{'none' if state is None else state.step}; remove the folder and train again"
        )
    return state


def _absolute(settings: TrainingSettings) -> TrainingSettings:
    """Return settings that mean the same in another working directory."""
    file, start = settings.source_file, settings.start
    base = Path(settings.base).expanduser()
    changes = {
        "source_file": file and file.absolute(),
        "start": start and start.absolute(),
        "base": str(base.absolute()) if base.is_dir() else settings.base,
        "judgements": settings.judgements and _absolute_pack(settings.judgements),
    }
    return settings.model_copy(update=changes)


def _absolute_pack(judgements: JudgementSettings) -> JudgementSettings:
    texts = judgements.texts
    files = {
        "policy_set": texts.policy_set.absolute(),
        "more": tuple(f.absolute() for f in texts.more),
    }
    texts = texts.model_copy(update=files)
    return judgements.model_copy(update={"texts": texts})


def _storage(cluster: Cluster, runs: Path) -> str:
    """Return where Ray keeps the checkpoints of all runs: `runs`, where nothing else is named."""
    named = cluster.storage or str(runs)
    return named if "://" in named else str(Path(named).absolute())


def _trainer(work: _Work, folder: Path, cluster: Cluster) -> TorchTrainer:
    settings = work.settings
    return TorchTrainer(
        # as part of the function, which only workers read: the controller, which reads all the
        # rest, would have to load what loads the language model
        partial(_train, work),
        # sums over counts stay on the CPU, those over gradients where the gradients are
        torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if cluster.gpu else "gloo"),
        scaling_config=ScalingConfig(num_workers=cluster.workers, use_gpu=cluster.gpu),
        run_config=RunConfig(
            name=work.run,
            storage_path=work.storage,
            failure_config=FailureConfig(
                max_failures=_RESTARTS, controller_failure_limit=_RESTARTS
            ),
            checkpoint_config=CheckpointConfig(num_to_keep=checkpoints.KEPT),
            callbacks=[
                Logging(
                    folder,
                    work.run,
                    settings=settings.model_dump(mode="json"),
                    last_step=settings.optimiser.last_step,
                )
            ],
            logging_config=LoggingConfig(log_level="CRITICAL"),
        ),
    )


def _followed(trainer: TorchTrainer, following: Following) -> ray.train.Result:
    """Train on a thread of its own, so that Ctrl-C ends this one and not only the workers."""
    done: Future[ray.train.Result] = Future()

    def fit() -> None:
        try:
            done.set_result(trainer.fit())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=fit, daemon=True).start()
    with following:
        while not wait([done], timeout=_LOOK_S).done:
            following.look()
    try:
        return done.result()
    except ray.train.TrainingFailedError as error:
        raise _cause(error) from error


def _cause(error: Exception) -> WranerError:
    """Return what a failed training says to a user."""
    of_controller = getattr(error, "controller_failure", None)
    failures = [*getattr(error, "worker_failures", {}).values(), of_controller]
    for failure in failures:
        own = getattr(failure, "_base_exc", failure)
        if isinstance(own, WranerError):
            return own
    last = str(error).strip().splitlines()[-1]
    return Unavailable(
        f"the workers failed, or could not be started, more than {_RESTARTS} times, at last with: "
        f"{last}; the same call goes on from the newest checkpoint"
    )


def _train(work: _Work) -> None:
    """Train as one of the workers."""
    _compute_on_own_share()
    # of one machine's workers one indexes what that machine does not have yet
    with FileLock(work.places.state / "training" / "preparing.lock"):
        device = str(get_device())
        prepared = prepare(work.settings, work.places, world=Group(), device=device)
    start = _read(ray.train.get_checkpoint(), work.run)
    begin(start)
    train(prepared.run, Reporting(work.run), start=start, place=work.kept)


def _compute_on_own_share() -> None:
    """Let this worker's threads use its share of what Ray has of this machine."""
    here = ray.get_runtime_context().get_node_id()
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    cpus = next(n["Resources"].get("CPU", 1) for n in nodes if n["NodeID"] == here)
    torch.set_num_threads(max(1, int(cpus) // ray.train.get_context().get_local_world_size()))


def _read(checkpoint: ray.train.Checkpoint | None, run: str) -> State | None:
    if checkpoint is None:
        return None
    with checkpoint.as_directory() as folder:
        return checkpoints.read(Path(folder), run=run)


def _write_adapter(settings: TrainingSettings, base: BaseModel, state: State, folder: Path) -> Path:
    model, shape = adapted_model(settings, base)
    with torch.no_grad():
        for name, factor in lora.factors(model):
            factor.copy_(state.tensors[f"factor/{name}"])
    lora.save(model, shape, folder / ADAPTER, dtype=torch.bfloat16)
    return folder / ADAPTER
