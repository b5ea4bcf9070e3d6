"""What it costs to remember examples: F1 and pace with examples remembered and read whole.

`python -m benchmarks.remembered --data ../shared/data/crossner` extracts from a sample of each
domain's `dev` sentences twice, in-process, eight at a time: with all but the nearest example taken
from memory, as served, and with every example computed behind the ones before it. The differences'
interval is a paired bootstrap over sentences. The domain's `train` sentences are the examples, its
types have no definitions.
"""

import argparse
import asyncio
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from index.local import LocalRetriever
from index.settings import IndexSettings
from services.loading import word_encoders
from services.settings import read_settings
from wraner import weights
from wraner.entities import Mention
from wraner.extract import Extractor, ExtractTask
from wraner.formats.choice import Format, read
from wraner.language_model import LanguageModel
from wraner.local import LocalEngine
from wraner.metrics import count_spans
from wraner.packs import Domain, EntityType, TaggedExample, version
from wraner.retrieval import PackRef

CALLS = 8
DRAWS = 1000

Spans = list[list[Mention]]


def load(file: Path) -> list[TaggedExample]:
    """Read a file's sentences, each once."""
    with file.open("rb") as lines:
        return list({e.id: e for e in read(lines, Format.CONLL, name=str(file))}.values())


def domain_of(examples: Sequence[TaggedExample]) -> Domain:
    """Return a domain of the labels that occur."""
    labels = sorted({m.label for e in examples for m in e.entities})
    types = tuple(EntityType(name=label) for label in labels)
    return Domain(entity_types=types, examples=tuple(examples))


async def extract(
    extractor: Extractor, domain: Domain, texts: Sequence[str], calls: int = CALLS
) -> Spans:
    """Return what is found in each text, so many of them asked at a time."""
    pack = PackRef(version(domain), inline=domain)
    room = asyncio.Semaphore(calls)

    async def one(text: str) -> list[Mention]:
        async with room:
            (found,) = await extractor.extract(ExtractTask(domain, pack, (text,)))
        return [Mention(e.start, e.end, e.label) for e in found.entities]

    return list(await asyncio.gather(*map(one, texts)))


def interval(gold: Spans, one: Spans, other: Spans) -> tuple[float, float]:
    """Return the central 95 % of F1(one) - F1(other) over resampled sentences."""
    draw = random.Random(0)
    differences = []
    for _ in range(DRAWS):
        rows = draw.choices(range(len(gold)), k=len(gold))
        first, second = (
            count_spans([gold[i] for i in rows], [found[i] for i in rows]).f1
            for found in (one, other)
        )
        differences.append(first - second)
    differences.sort()
    return differences[round(0.025 * DRAWS)], differences[round(0.975 * DRAWS) - 1]


async def compare(model: LanguageModel, retriever: LocalRetriever, data: Path, size: int) -> None:
    """Print one domain's row."""
    domain = domain_of(load(data / "train.txt"))
    dev = load(data / "dev.txt")
    dev = random.Random(0).sample(dev, min(size, len(dev)))
    gold = [list(e.entities) for e in dev]
    rotation = model.rotation
    found, paces = [], []
    for used in (rotation, None):
        model.rotation = used
        engine = LocalEngine(model, threads=os.cpu_count())
        extractor = Extractor(retriever=retriever, engine=engine)
        began = time.monotonic()
        found.append(await extract(extractor, domain, [e.text for e in dev]))
        paces.append(len(dev) / (time.monotonic() - began))
        engine.close()
    model.rotation = rotation
    remembered, whole = (count_spans(gold, spans).f1 for spans in found)
    low, high = interval(gold, *found)
    print(
        f"| {data.name} | {len(dev)} | {remembered:.3f} | {whole:.3f} | {remembered - whole:+.3f} "
        f"({low:+.3f} to {high:+.3f}) | {paces[0]:.2f} | {paces[1]:.2f} |",
        flush=True,
    )


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=150, help="of each domain's dev file")
    args = parser.parse_args()
    torch.set_num_threads(1)  # while loading
    base = weights.resolve(weights.BUNDLED, Path("state/models"))
    model = LanguageModel(base, adapters=Path("state/adapters"))
    retriever = LocalRetriever(word_encoders(read_settings()), IndexSettings())
    print("| domain | sentences | remembered F1 | whole F1 | difference | texts/s | whole |")
    print("|---|---|---|---|---|---|---|")
    domains = sorted(path.parent for path in args.data.glob("*/dev.txt"))
    for data in domains:
        if (data / "train.txt").exists() and data.name != "conll2003":
            asyncio.run(compare(model, retriever, data, args.sentences))


if __name__ == "__main__":
    main()
