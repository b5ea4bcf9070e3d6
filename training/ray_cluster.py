"""The workers of a run, and the Ray that they run on: one that is there, or a new one here.

Knows no training.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from wraner.errors import Unavailable

_OBJECT_STORE_BYTES = 100 * 2**20  # nothing large goes through it; Ray's minimum is 75 MiB
_ROOT = Path(__file__).parent.parent
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    # Ray's processes would otherwise give way to everything else on the machine (nice 15).
    "RAY_worker_niceness": "0",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "300",
}
# Reports are taken one a look, and a worker waits for it: steps cannot be quicker than this. Each
# look costs the machine that asks some milliseconds, which on a CPU are the workers' own.
_LOOKS = "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"
_LOOK_S, _GPU_LOOK_S = 0.25, 0.05


@dataclass(frozen=True, slots=True)
class Cluster:
    """The workers of a run."""

    workers: int = 1
    """How many; each reserves one CPU and computes on its share of its machine's."""
    storage: str = ""
    """Folder or URL below which checkpoints are kept, reached by all; "": in the state folder."""
    gpu: bool = False
    """Whether each worker has a GPU."""


@contextmanager
def connected(cluster: Cluster) -> Iterator[None]:
    """Join the Ray that is connected or that RAY_ADDRESS names, else start one; leave it behind.

    Raises:
        Unavailable: this machine has too few GPUs.
    """
    looks = {_LOOKS: str(_GPU_LOOK_S if cluster.gpu else _LOOK_S)}
    for name, value in (_ENVIRONMENT | looks).items():
        os.environ.setdefault(name, value)
    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
    else:
        _start(cluster, quiet)
    try:
        yield
    finally:
        ray.shutdown()


def missing_resources(cluster: Cluster) -> str:
    """Return what is said where the Ray that is connected has too little for all workers."""
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    kind = "GPU" if cluster.gpu else "CPU"  # what a worker reserves
    count = there.get(kind, 0)
    if count >= cluster.workers:
        return ""
    return (
        f"{cluster.workers} workers need a {kind} each, the cluster has {count:g}: waiting for "
        "more, some minutes"
    )


def _start(cluster: Cluster, quiet: dict[str, Any]) -> None:
    """Start Ray on this machine; only who has its token, in ~/.ray, may speak to it."""
    paths = (str(_ROOT), os.environ.get("PYTHONPATH"))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    ray.init(
        address="local",
        num_cpus=max(cluster.workers, os.cpu_count() or 1),
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        **quiet,
    )
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    gpus = int(there.get("GPU", 0))
    if cluster.gpu and gpus < cluster.workers:
        ray.shutdown()
        raise Unavailable(
            f"expected a GPU for each of {cluster.workers} workers, was: {gpus} on this machine; "
            "train on fewer workers or without GPUs, or name a cluster by RAY_ADDRESS"
        )
