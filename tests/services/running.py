"""The service in processes of its own, started as `make serve` starts it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import torch

from wraner.weights import BaseModel

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Running:
    """The service, a client of it, and what it printed when it was ready."""

    process: subprocess.Popen[str]
    client: httpx.Client
    printed: str


@contextmanager
def serving(state: Path, base: BaseModel, **variables: str) -> Iterator[Running]:
    """Start the service on an empty `state` folder, with weights that are converted already."""
    (state / "models").symlink_to(base.path.parent)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {
        "WRANER_STATE_DIR": str(state),
        "WRANER_PORT": str(port),
        # This process's share: two threads that wait for each other beside other tests stand still.
        "WRANER_ENGINE_THREADS": str(torch.get_num_threads()),
    }
    with (state / "err").open("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.main"],
            cwd=ROOT,
            env={**os.environ, **own, **variables},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            printed = _greeting(process)
            errors.seek(0)
            assert "\ncurl" in printed, errors.read()
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
                yield Running(process, client, printed)
        finally:
            _stop(process)


def _greeting(process: subprocess.Popen[str]) -> str:
    """Return what is printed up to the request to try, the last line; less if it never comes."""
    assert process.stdout is not None
    printed = ""
    while "\ncurl" not in printed and (line := process.stdout.readline()):
        printed += line
    return printed


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(90)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()
