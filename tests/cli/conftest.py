"""A server of the real API over fakes, the command run against it, and a fake for evaluations."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvicorn

from cli import main as command
from services.api import build_api
from tests.services.fakes import FakeEngine, FakeIndex, make_gateway
from wraner.packs import Domain, PolicySet, TaggedExample

ROOT = Path(__file__).parents[2]
CITIES = Domain.model_validate(
    {
        "description": "Who travels where.",
        "entity_types": [{"name": "city", "definition": "a town or city"}, {"name": "person"}],
        "examples": [
            {
                "id": "ghent",
                "text": "She moved to Ghent.",
                "entities": [{"start": 13, "end": 18, "label": "city"}],
            },
            {"id": "none", "text": "It rains.", "entities": []},
        ],
    }
)
RULES = PolicySet.model_validate(
    {
        "description": "Rules of our forum.",
        "policies": [{"id": "no-spam", "title": "Spam", "tier": 1, "definition": "Advertises."}],
        "examples": [{"id": "w", "text": "Cheap watches!", "violates": ["no-spam"]}],
    }
)


@dataclass
class Served:
    """A running server: its address, its engine, and answers to give before its own.

    `moods` are (status, Retry-After) pairs, given to the next requests for answers one by one;
    `asked` counts the texts of each request for an answer, and `delays_s` how long it is held back.
    """

    url: str
    engine: FakeEngine
    state: Path
    moods: list[tuple[int, str]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)


def moody(api: Any, served: Served) -> Any:
    """Wrap an application so that it answers as `served` says."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] not in ("/v1/extract", "/v1/moderate"):
            await api(scope, receive, send)
            return
        if served.moods:
            status, after = served.moods.pop(0)
            await refuse(send, status, after)
            return
        body = await receive()
        served.asked.append(body["body"].count(b"text"))
        if served.delays_s:
            await asyncio.sleep(served.delays_s.pop(0))

        async def again() -> Any:
            return body

        await api(scope, again, send)

    return app


async def refuse(send: Any, status: int, after: str) -> None:
    problem = (
        f'{{"type": "urn:x", "title": "Busy", "status": {status}, "detail": "not now", '
        f'"pointer": "", "request_id": "r"}}'
    )
    headers = [(b"content-type", b"application/problem+json"), (b"retry-after", after.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": problem.encode()})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # it would write to stdout
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    engine = FakeEngine()
    served = Served(f"http://127.0.0.1:{port}", engine, tmp_path / "state")
    gateway = make_gateway(served.state, engine=engine, index=FakeIndex())
    app = moody(build_api(gateway), served)
    config = uvicorn.Config(
        app, port=port, lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.01)
    yield served
    server.should_exit = True
    thread.join()
    structlog.reset_defaults()


class ClosedEngine(FakeEngine):
    """Remembers that it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClosedEngine:
    """Stand in for what evaluations load; what they set in the environment is forgotten."""
    engine = ClosedEngine()
    for module in ("cli.evaluation", "cli.moderation_evaluation"):
        monkeypatch.setattr(f"{module}.load_engine", lambda _: engine)
        monkeypatch.setattr(f"{module}.load_retriever", lambda *_, **__: FakeIndex())
    monkeypatch.setattr("cli.evaluation.word_tuning", lambda _: None)
    for name, folder in (("STATE", "state"), ("PACKS", "packs"), ("ADAPTERS", "none")):
        monkeypatch.setenv(f"WRANER_{name}_DIR", str(tmp_path / folder))
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("HF_HUB_OFFLINE", "TQDM_DISABLE", "TRANSFORMERS_VERBOSITY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "1")
    return engine


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


Wraner = Callable[..., Ran]


@pytest.fixture
def wraner(
    served: Served, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Wraner:
    """Run the command in this process, against the server, with `stdin` as standard input."""
    monkeypatch.setenv("WRANER_URL", served.url)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str, stdin: bytes = b"") -> Ran:
        with Piped(stdin) as piped:
            monkeypatch.setattr(sys, "stdin", piped)
            code = command.main(arguments)
        sys.stdout.flush()
        captured = capfdbinary.readouterr()
        return Ran(code, captured.out.decode(), captured.err.decode())

    return run


class Piped:
    """Standard input that is a pipe, fed by a thread."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __enter__(self) -> Any:
        read, write = os.pipe()

        def feed() -> None:
            # A command that fails before it reads anything leaves nobody to write to.
            with suppress(BrokenPipeError), os.fdopen(write, "wb") as pipe:
                pipe.write(self._content)

        self._thread = threading.Thread(target=feed)
        self._thread.start()
        self._file = os.fdopen(read)
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._thread.join()


def start(*arguments: str, url: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start the command in a process of its own, which Ctrl-C reaches."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so a shell starts what runs behind
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=ROOT,
        env={**os.environ, "WRANER_URL": url},
        stdout=subprocess.PIPE,
        bufsize=0,  # what readline() has read ahead, communicate() would miss
        **{"stderr": subprocess.PIPE, **options},
    )


def json_lines(file: Path, *lines: dict[str, Any]) -> Path:
    """Write a file of JSON lines and return its path."""
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def pack_folder(folder: Path, pack: Domain | PolicySet) -> str:
    """Write a pack folder and return its path."""
    from wraner.pack_folders import write_pack_folder

    write_pack_folder(folder, pack)
    return str(folder)


@pytest.fixture
def cities(wraner: Wraner, tmp_path: Path) -> Domain:
    """A stored domain named `cities`."""
    ran = wraner("domains", "add", "cities", pack_folder(tmp_path / "cities", CITIES))
    assert ran.code == 0, ran.err
    return CITIES


@pytest.fixture
def rules(wraner: Wraner, tmp_path: Path) -> PolicySet:
    """A stored policy set named `rules`."""
    ran = wraner("policies", "add", "rules", pack_folder(tmp_path / "rules", RULES))
    assert ran.code == 0, ran.err
    return RULES


def tagged(text: str, **fields: Any) -> TaggedExample:
    """Return an example without entities."""
    return TaggedExample.model_validate({"text": text, **fields})
