"""`python -m services.main`: the whole service on this machine, until SIGTERM or Ctrl-C.

Shows what takes long, ends with the address and a request to try. What keeps it from starting is
one line and exit code 2. Knows Ray, and nothing of what is served.
"""

import json
import logging
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
from rich.console import Console
from rich.status import Status

from index.bundled import bundled_minilm
from services import prepare
from services.loading import set_environment
from services.settings import Settings, read_settings
from services.tunings import policy_tuning, word_tuning
from wraner.errors import InvalidInput, WranerError

if TYPE_CHECKING:
    from ray.serve.schema import DeploymentStatusOverview

_NAME = "wraner"
_OBJECT_STORE_BYTES = 100 * 2**20  # requests and answers are small; Ray's minimum is 75 MiB
_CANNOT_START = 2
_TERMINATED = 128 + signal.SIGTERM
_WORKER = ("-W", "ignore", "-m", "services.prepare")
_ERROR_LINE = re.compile(r"[\w.]+(Error|Unavailable|NotFound|InvalidInput)\b.*: ")


class CannotStart(Exception):
    """The service cannot start; the message is the one line that says why."""


def main() -> int:
    """Serve until told to stop."""
    console = Console(stderr=True, highlight=False)
    try:
        settings = read_settings()
        _set_environment(settings)
        _exit_at_sigterm()
        with console.status("checking") as status:
            _check_port(settings)
            _prepare(settings, status)
            _start(settings, status)
    except KeyboardInterrupt:
        return 130
    except (CannotStart, InvalidInput) as error:
        console.print(f"cannot start: {error}", markup=False, soft_wrap=True)
        return _CANNOT_START
    stopped = _stop_signal()
    _greet(settings)
    stopped.wait()
    with console.status("letting running requests finish"):
        _stop(settings)
    return 0


def _exit_at_sigterm() -> None:
    """Let SIGTERM end a start as Ctrl-C does, so that it leaves nothing running."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))


def _stop_signal() -> threading.Event:
    """Return what SIGTERM and Ctrl-C set; called after Ray has set handlers of its own."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    return stopped


def _set_environment(settings: Settings) -> None:
    """Set what Ray and others read when they are imported, here and in their processes."""
    set_environment(settings)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray's processes would otherwise give way to everything else on the machine (nice 15).
    os.environ.setdefault("RAY_worker_niceness", "0")
    # Only processes that inherit this secret may talk to Ray's own ports.
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    os.environ.setdefault("RAY_SERVE_LOG_TO_STDERR", "0")
    root = str(Path(__file__).parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))


def _check_port(settings: Settings) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise CannotStart(
                f"{settings.host}:{settings.port} cannot be listened at ({error.strerror}); "
                f"stop what uses it or choose another: WRANER_PORT={settings.port % 65535 + 1}"
            ) from None


def _prepare(settings: Settings, status: Status) -> None:
    """Do the first start's work in a process whose memory is free again afterwards."""
    try:
        if settings.encoder == "bundled":
            bundled_minilm()
        word_tuning(settings)
        policy_tuning(settings)
        if not prepare.is_needed(settings):
            return
    except WranerError as error:
        raise CannotStart(str(error)) from None
    status.update("preparing, once: converting weights, indexing packs")
    failed, said = _run_worker(status)
    last = said[-1].removeprefix(prepare.COMPLAINT) if said else ""
    if failed < 0:
        raise CannotStart(
            f"preparing was killed by signal {-failed} ({signal.strsignal(-failed)}) while "
            f"{last or 'it started'}; if memory ran out, provide more, then start again"
        )
    if failed not in (0, prepare.SOME_FAILED):  # a damaged pack spoils only itself
        raise CannotStart(last or "preparing failed; run: python -m services.prepare")
    if failed:
        for complaint in (line for line in said if line.startswith(prepare.COMPLAINT)):
            print(f"wraner: {complaint.removeprefix(prepare.COMPLAINT)}", file=sys.stderr)


def _run_worker(status: Status) -> tuple[int, list[str]]:
    """Prepare in a process that ends with this one; return its exit code and what it said."""
    alone = {"WRANER_RETRIEVER_THREADS": str(joblib.cpu_count())}  # unless told: all is idle yet
    said = []
    with subprocess.Popen(
        [sys.executable, *_WORKER],
        env={**alone, **os.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        try:
            for line in worker.stdout:
                said.append(line.strip())
                status.update(said[-1])
            return worker.wait(), said
        except BaseException:
            worker.terminate()
            worker.wait()
            raise


def _start(settings: Settings, status: Status) -> None:
    status.update("starting Ray")
    try:
        started = _begin(settings)
    except Exception as error:
        raise CannotStart(_in_one_line(error)) from None
    while not started.done():
        status.update(f"loading {', '.join(_waiting()) or 'the service'}")
        time.sleep(0.2)
    try:
        started.result()
    except Exception as error:
        raise CannotStart(_reason(error)) from None


def _begin(settings: Settings) -> Future[None]:
    """Start Ray and Serve, then the service's parts, which it does not wait for."""
    import ray
    from ray import serve

    from services.app import AppArgs, build

    ray.init(
        address="local",
        num_cpus=1,  # of bookkeeping only; Ray starts an idle worker for each
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    serve.start(
        proxy_location="HeadOnly",
        http_options={"host": settings.host, "port": settings.port},
        logging_config={"log_level": "ERROR", "enable_access_log": False},
    )
    application = build(AppArgs(settings=settings, engine_cpus=0.5, retriever_cpus=0.2))
    return _aside(lambda: serve.run(application, name=_NAME))


def _aside(work: Callable[[], object]) -> Future[None]:
    """Do work in a thread that nobody waits for who is stopped meanwhile."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    return done


def _waiting() -> list[str]:
    """Return the parts that do not run yet."""
    return [name for name, part in _parts().items() if part.status.value != "HEALTHY"]


def _reason(error: Exception) -> str:
    """Return the line of a failed part's traceback that names its error, else the error itself."""
    lines = [line.strip() for part in _parts().values() for line in part.message.splitlines()]
    named = [line for line in lines if _ERROR_LINE.match(line)]
    return named[-1] if named else _in_one_line(error)


def _parts() -> dict[str, "DeploymentStatusOverview"]:
    """Return the parts and how each is; none where that cannot be told."""
    from ray import serve

    try:
        application = serve.status().applications.get(_NAME)
    except Exception:  # `serve.run` asks the same, and its error is the one to show
        return {}
    return dict(application.deployments) if application else {}


def _in_one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def _greet(settings: Settings) -> None:
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host
    address = f"http://{host}:{settings.port}"
    tagged = [(0, 8, "person"), (21, 27, "city"), (31, 35, "city")]
    example = {
        "text": "Ben Hale sailed from Bergen to Hull.",
        "entities": [{"start": s, "end": e, "label": label} for s, e, label in tagged],
    }
    request = {
        "inline": {
            "entity_types": [{"name": "person"}, {"name": "city"}],
            "examples": [example],
        },
        "text": "Anna Berg flew from Oslo to Lisbon.",
    }
    print(f"\nwraner answers at {address} (documentation: {address}/docs). Try:\n")
    headers = "-H 'Content-Type: application/json'"
    print(f"curl -s {address}/v1/extract {headers} -d '{json.dumps(request)}'\n", flush=True)


def _stop(settings: Settings) -> None:
    import ray
    from ray import serve

    try:
        drained = serve.get_app_handle(_NAME).drain.remote()
        drained.result(timeout_s=settings.shutdown_s)
        time.sleep(0.2)  # the last answers' way through the proxy
    except Exception as error:
        print(f"stopping without waiting for running requests: {error}", file=sys.stderr)
    serve.shutdown()  # type: ignore[no-untyped-call]
    ray.shutdown()


if __name__ == "__main__":
    sys.exit(main())
