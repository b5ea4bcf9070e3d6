"""How fast and how exact is retrieval from a thousand, ten thousand, a hundred thousand examples?

    python -m benchmarks.retrieval --data ../shared/data --scratch /tmp/wraner-retrieval

Sentences are CrossNER's and the other corpora's, all domains. They are 53 thousand; beyond, the
first half of one is joined to the second half of another, whose words keep their vectors. Vectors
are cached in the scratch folder (1 GB), so build times leave encoding out; it is given beside.
Opening and searching run in a process of their own, whose memory is the table's. Milliseconds are
the searching thread's CPU time: there is one, and other work on the machine should not count.
"""

import argparse
import json
import multiprocessing
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import faiss
import numpy as np

from index.encoder import WordVectors
from index.encoders import Encoders
from index.search import Hit, nearest
from index.settings import IndexSettings, Kind
from index.similarity import words_that_count
from index.store import GenerationStore
from wraner.chunks import chunk
from wraner.errors import InvalidInput
from wraner.formats.conll import read_conll
from wraner.packs import Domain, EntityType, TaggedExample, version

QUERIES = 200
SEED = 7


@dataclass(frozen=True)
class Measured:
    """What one process measured; times in seconds, memory in MiB."""

    words: int
    kind: str
    build_s: float
    build_peak: float
    disk: float
    open_s: float
    anonymous: float
    mapped: float
    query_ms: list[float]
    exact_ms: list[float]
    recall: float


class CachedVectors:
    """A word encoder that knows only the scratch folder's texts.

    A recombined text's words keep the vectors that they have in their own sentences.
    """

    identity = "cached"

    def __init__(self, folder: Path, wanted: int) -> None:
        self._vectors = np.load(folder / "vectors.npy", mmap_mode="r")
        self._offsets = np.load(folder / "offsets.npy")
        self.texts: list[str] = json.loads((folder / "texts.json").read_text())
        self._rows: dict[str, list[tuple[int, int]]] = {
            text: [(int(self._offsets[n]), int(self._offsets[n + 1]))]
            for n, text in enumerate(self.texts)
        }
        rng, real = np.random.default_rng(SEED), len(self.texts)
        while len(self.texts) < wanted:
            self._join(*rng.integers(0, real, 2).tolist())
        self.dimension = self._vectors.shape[1]

    def _join(self, left: int, right: int) -> None:
        """Add the text that is the first half of one sentence and the second half of another."""
        first, second = chunk(self.texts[left]), chunk(self.texts[right])
        middle, start = len(first) // 2, len(second) // 2
        head = self.texts[left][: first[middle].start]
        text = f"{head} {self.texts[right][second[start].start :]}"
        if text not in self._rows:
            rows = int(self._offsets[left]), int(self._offsets[right])
            ends = int(self._offsets[right + 1])
            self._rows[text] = [(rows[0], rows[0] + middle), (rows[1] + start, ends)]
            self.texts.append(text)

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        """Return the cached vectors of each text."""
        found = []
        for text in texts:
            rows = [self._vectors[start:end] for start, end in self._rows[text]]
            found.append(WordVectors(chunk(text), np.concatenate(rows).astype(np.float32)))
        return found


def sentences(data: Path) -> list[str]:
    """Return the corpora's distinct sentences in a fixed random order."""
    texts: set[str] = set()
    for path in sorted([*data.glob("crossner/*/*.txt"), *data.glob("ner-sources/*/*.conll")]):
        try:
            texts.update(e.text for e in read_conll(path) if len(e.text) > 20)
        except InvalidInput as error:
            print(f"left out: {error}")
    real = sorted(texts)
    np.random.default_rng(SEED).shuffle(real)
    return real


def cache(data: Path, folder: Path) -> float:
    """Encode the sentences into `folder` unless done; return seconds a thousand sentences."""
    if not (folder / "rate.txt").exists():
        folder.mkdir(parents=True, exist_ok=True)
        real = sentences(data)
        (folder / "texts.json").write_text(json.dumps(real))
        (folder / "rate.txt").write_text(str(encode(real, folder)))
    return float((folder / "rate.txt").read_text())


def encode(texts: Sequence[str], folder: Path) -> float:
    """Write the texts' vectors, from where an earlier run stopped; return seconds a thousand."""
    import torch

    from services.loading import word_encoders
    from services.settings import read_settings

    torch.set_num_threads(1)
    encoder = word_encoders(read_settings()).domains
    offsets = np.cumsum([0, *(len(chunk(text)) for text in texts)])
    np.save(folder / "offsets.npy", offsets)
    path, progress = folder / "vectors.npy", folder / "progress.txt"
    done = int(progress.read_text()) if progress.exists() else 0
    shape = (int(offsets[-1]), encoder.dimension)
    vectors = np.lib.format.open_memmap(path, "r+" if done else "w+", np.float16, shape)
    started = time.process_time()
    for number in range(done, len(texts)):
        (found,) = encoder.encode([texts[number]])
        vectors[offsets[number] : offsets[number + 1]] = found.vectors
        if number % 1000 == 999:
            vectors.flush()
            progress.write_text(str(number + 1))
            print(f"encoded {number + 1} of {len(texts)}", flush=True)
    return (time.process_time() - started) / max(1, len(texts) - done) * 1000


def pack_of(texts: Sequence[str]) -> Domain:
    examples = tuple(TaggedExample(text=text) for text in texts)
    return Domain(entity_types=(EntityType(name="any"),), examples=examples)


def build(folder: Path, root: Path, count: int, settings: IndexSettings) -> tuple[float, float]:
    encoder = CachedVectors(folder, QUERIES + count)
    pack = pack_of(encoder.texts[QUERIES : QUERIES + count])
    started = time.process_time()
    GenerationStore(root, Encoders.same(encoder), settings).build(pack)
    return time.process_time() - started, memory("VmHWM")


def search(
    folder: Path, root: Path, count: int, settings: IndexSettings, built: tuple[float, float]
) -> Measured:
    encoder = CachedVectors(folder, QUERIES + count)
    queries = [
        words_that_count(encoder.encode([text])[0], settings, most=settings.query_words)
        for text in encoder.texts[:QUERIES]
    ]
    name = version(pack_of(encoder.texts[QUERIES : QUERIES + count]))
    before = memory("RssAnon"), memory("RssFile")
    started = time.monotonic()
    generation = GenerationStore(root, Encoders.same(encoder), settings).open(name)
    open_s = time.monotonic() - started
    for query in queries[:20]:
        nearest(generation, query, 5, settings)
    fast: list[list[Hit]] = []
    query_ms, exact_ms = [], []
    for query in queries:
        started = time.thread_time()
        fast.append(nearest(generation, query, 5, settings))
        query_ms.append((time.thread_time() - started) * 1000)
    after = memory("RssAnon"), memory("RssFile")
    same = 0
    for query, hits in zip(queries, fast, strict=True):
        started = time.thread_time()
        exact = nearest(generation, query, 5, settings, exact=True)
        exact_ms.append((time.thread_time() - started) * 1000)
        same += len({h.entry.id for h in exact} & {h.entry.id for h in hits})
    segment = generation.parts[0].segment
    return Measured(
        words=len(segment.vectors),
        kind=segment.kind,
        build_s=built[0],
        build_peak=built[1],
        disk=sum(p.stat().st_size for p in root.rglob("*") if p.is_file()) / 2**20,
        open_s=open_s,
        anonymous=after[0] - before[0],
        mapped=after[1] - before[1],
        query_ms=query_ms,
        exact_ms=exact_ms,
        recall=same / (5 * len(queries)),
    )


def memory(kind: str) -> float:
    """Return this process's memory of a kind (RssAnon, RssFile; VmHWM: the highest yet) in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    held = {line.split(":")[0]: line.split() for line in lines}
    return int(held[kind][1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--kinds", nargs="*", choices=get_args(Kind), default=["auto"])
    parser.add_argument("--nprobe", type=int, default=IndexSettings().nprobe)
    parser.add_argument("--probe-matches", type=int, default=IndexSettings().probe_matches)
    parser.add_argument("--probe-words", type=int, default=IndexSettings().probe_words)
    parser.add_argument("--candidates", type=int, default=IndexSettings().candidates)
    arguments = parser.parse_args()
    folder = arguments.scratch / "vectors"
    rate = cache(arguments.data, folder)
    print(f"encoding: {rate:.1f} CPU s a thousand sentences\n")
    print(
        "| examples | words stored | index | recall@5 | CPU ms a query, median / p95 "
        "| exact search, ms | memory, MiB: own / mapped | on disk, MiB "
        "| build, CPU s (peak MiB) | open, s |\n"
        "|---|---|---|---|---|---|---|---|---|---|"
    )
    workers = multiprocessing.get_context("spawn")
    for size in arguments.sizes:
        for kind in arguments.kinds:
            settings = settings_for(kind, arguments)
            root = arguments.scratch / "root"
            shutil.rmtree(root, ignore_errors=True)
            with workers.Pool(1) as pool:
                built = pool.apply(build, (folder, root, size, settings))
            with workers.Pool(1) as pool:
                found = pool.apply(search, (folder, root, size, settings, built))
            print(row(size, found), flush=True)


def settings_for(kind: Kind, arguments: argparse.Namespace) -> IndexSettings:
    return IndexSettings(
        kind=kind,
        nprobe=arguments.nprobe,
        probe_matches=arguments.probe_matches,
        probe_words=arguments.probe_words,
        candidates=arguments.candidates,
    )


def row(size: int, found: Measured) -> str:
    p95 = statistics.quantiles(found.query_ms, n=20)[-1]
    return (
        f"| {size:,} | {found.words:,} | {found.kind} | {found.recall:.3f} "
        f"| {statistics.median(found.query_ms):.1f} / {p95:.1f} "
        f"| {statistics.median(found.exact_ms):.1f} "
        f"| {found.anonymous:.0f} / {found.mapped:.0f} | {found.disk:.0f} "
        f"| {found.build_s:.1f} ({found.build_peak:.0f}) | {found.open_s:.1f} |"
    )


if __name__ == "__main__":
    faiss.omp_set_num_threads(1)
    main()
