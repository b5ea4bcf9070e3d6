"""What serving costs: start-up, memory, and what Ray Serve adds to a request.

`python -m benchmarks.serving` starts the service as `make serve` does, loads the same engine and
retriever in this process too, and lets both answer the same requests at the same concurrency in
turns, so that whatever else the machine does falls on both alike.

`python -m benchmarks.serving --moderate` asks the service that runs already to judge single texts,
by a shortlist of policies and by all of them. No text is asked about twice, so what the engine
remembers of examples is what it has met beside other texts.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice, repeat
from pathlib import Path

import httpx
import psutil  # comes with accelerate
from rich.console import Console
from rich.table import Table

from benchmarks.near_pairs import read_pairs
from benchmarks.rounds import measure
from services.adapters import AdapterChoice
from services.loading import fusion_of, load_engine, load_retriever, pack_store
from services.settings import Settings
from wraner.adapters import Task
from wraner.extract import Extractor, ExtractTask
from wraner.packs import Domain
from wraner.registry import Kind
from wraner.retrieval import PackRef

DOMAIN = "customer-care"
LABELS = ("product", "order number", "person", "amount")
POLICY_SET = "hate-speech"
_PAUSE_S = 0.2  # until a text that the full queue refused is sent again
Ask = Callable[[str], Awaitable[None]]
Found = dict[str, tuple[list[float], list[float]]]
"""The seconds of each one's rounds and of its requests."""


@contextmanager
def service(state: Path) -> Iterator[tuple[str, subprocess.Popen[str], float]]:
    """Start the service; yield its address, its process and its seconds until ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "WRANER_PORT": str(port), "WRANER_STATE_DIR": str(state)}
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "services.main"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        if not any(line.startswith("curl") for line in process.stdout):
            raise SystemExit("the service did not start")
        try:
            yield f"http://127.0.0.1:{port}", process, time.monotonic() - began
        finally:
            process.terminate()
            process.wait()


def memory_mb(process: subprocess.Popen[str]) -> float:
    """Return the proportional set size of a process and all below it."""
    root = psutil.Process(process.pid)
    pids = [root.pid, *(p.pid for p in root.children(recursive=True))]
    lines = [
        line
        for pid in pids
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    ]
    return sum(int(line.split()[1]) for line in lines) / 1024


def in_process(settings: Settings) -> Ask:
    """Return what asks the same classes in this process."""
    packs = pack_store(settings)
    stored = packs.stored(Kind.DOMAIN, DOMAIN, packs.current(Kind.DOMAIN, DOMAIN))
    domain = stored.definitions
    assert isinstance(domain, Domain)
    retriever = load_retriever(settings)
    engine = load_engine(settings)
    extractor = Extractor(retriever=retriever, engine=engine, fusion=fusion_of(settings))
    adapter = AdapterChoice(settings).of(Task.NER)

    async def ask(text: str) -> None:
        task = ExtractTask(
            domain=domain,
            pack=PackRef(stored.version),
            texts=(text,),
            labels=LABELS,
            k=3,
            adapter=adapter,
        )
        await extractor.extract(task)

    return ask


def over_http(client: httpx.AsyncClient) -> Ask:
    """Return what asks the service."""

    async def ask(text: str) -> None:
        body = {"domain": DOMAIN, "text": text, "entity_types": LABELS, "k": 3}
        (await client.post("/v1/extract", json=body)).raise_for_status()

    return ask


def judging(client: httpx.AsyncClient, *, exhaustive: bool) -> Ask:
    """Return what asks the service to judge a text."""

    async def ask(text: str) -> None:
        body = {"policy_set": POLICY_SET, "text": text, "exhaustive": exhaustive}
        while (reply := await client.post("/v1/moderate", json=body)).status_code == 429:
            await asyncio.sleep(_PAUSE_S)  # eight texts by 41 policies about fill the queue
        reply.raise_for_status()

    return ask


async def compare(
    address: str, local: Ask, texts: list[str], *, rounds: int, concurrency: int
) -> Found:
    """Let both extract in turns."""
    async with httpx.AsyncClient(base_url=address, timeout=600) as client:
        asked = {"in-process": local, "Ray Serve over HTTP": over_http(client)}
        return await in_turns(asked, repeat(texts), rounds=rounds, concurrency=concurrency)


async def moderate(
    address: str, texts: Iterator[list[str]], *, rounds: int, concurrency: int
) -> Found:
    """Let a service judge by a shortlist and by all policies, in turns, other texts each time."""
    async with httpx.AsyncClient(base_url=address, timeout=600) as client:
        asked = {
            "shortlisted": judging(client, exhaustive=False),
            "exhaustive": judging(client, exhaustive=True),
        }
        return await in_turns(asked, texts, rounds=rounds, concurrency=concurrency)


async def in_turns(
    asked: Mapping[str, Ask], texts: Iterator[list[str]], *, rounds: int, concurrency: int
) -> Found:
    """Let each answer the next texts once a round; return the seconds that it took."""
    found: Found = {name: ([], []) for name in asked}
    for ask in asked.values():
        await measure(ask, next(texts)[:concurrency], concurrency)  # warm
    for number in range(rounds):
        order = list(asked.items())
        for name, ask in order if number % 2 else reversed(order):
            seconds, taken = await measure(ask, next(texts), concurrency)
            found[name][0].append(seconds)
            found[name][1].extend(taken)
    return found


def hop_ms(address: str) -> float:
    """Return the milliseconds of a request that goes to the engine and back without work."""
    taken = []
    with httpx.Client(base_url=address) as client:
        for _ in range(100):
            began = time.perf_counter()
            client.get("/readyz").raise_for_status()
            taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def show(found: Found, requests: int, title: str) -> Table:
    """Lay the comparison out; `added` is what a row takes on top of the first."""
    table = Table("", "requests/s", "p50 s", "p95 s", "added", title=title)
    base = statistics.median(next(iter(found.values()))[0])
    for name, (rounds, taken) in found.items():
        middle = statistics.median(rounds)
        cuts = statistics.quantiles(taken, n=20)
        added = f"{100 * (middle / base - 1):+.1f} %"
        table.add_row(name, f"{requests / middle:.2f}", f"{cuts[9]:.2f}", f"{cuts[18]:.2f}", added)
    return table


def unlike_texts(count: int) -> Iterator[list[str]]:
    """Yield so many texts at a time, none twice and none an example, whose verdict is settled."""
    texts = (text for pair in read_pairs() for text in pair.texts)
    while len(some := list(islice(texts, count))) == count:
        yield some


def read_texts(file: str, most: int) -> list[str]:
    """Return the first texts of a pack's file."""
    lines = Path("packs", file).read_text().splitlines()
    return [json.loads(line)["text"] for line in lines][:most]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path("state"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=24)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument(
        "--moderate",
        nargs="?",
        const="http://127.0.0.1:8000",
        metavar="ADDRESS",
        help="measure /v1/moderate of the service that runs there (%(const)s) and nothing else",
    )
    asked = parser.parse_args()
    console = Console()
    alike = {"rounds": asked.rounds, "concurrency": asked.concurrency}
    if asked.moderate:
        needed = (2 + 2 * asked.rounds) * asked.requests  # the first two warm
        if needed > (there := 2 * len(read_pairs())):
            parser.error(
                f"expected (2 + 2 x rounds) x requests to be at most the {there} texts that there "
                f"are, was: {needed}; ask for fewer"
            )
        found = asyncio.run(moderate(asked.moderate, unlike_texts(asked.requests), **alike))
        console.print(show(found, asked.requests, f"moderate, concurrency {asked.concurrency}"))
        return
    texts = read_texts(f"{DOMAIN}/test.jsonl", asked.requests)
    with service(asked.state):
        pass  # converts and indexes, if that is still to be done
    with service(asked.state) as (address, process, seconds):
        idle, hop = memory_mb(process), hop_ms(address)
        local = in_process(Settings(state_dir=asked.state))
        found = asyncio.run(compare(address, local, texts, **alike))
        busy = memory_mb(process)
    console.print(show(found, len(texts), f"extract, concurrency {asked.concurrency}"))
    console.print(
        f"proxy, gateway, engine and back without work: {hop:.1f} ms; "
        f"ready in {seconds:.1f} s; all processes {idle:.0f} MB (PSS) when idle, "
        f"{busy:.0f} MB afterwards"
    )


if __name__ == "__main__":
    main()
