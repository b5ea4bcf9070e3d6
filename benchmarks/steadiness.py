"""How often an answer differs for reasons that should not matter: its batch, its precision.

`python -m benchmarks.steadiness` extracts from the customer-care pack's test messages, in-process,
one at a time and eight at a time, in the served precision and in fp32, and counts the messages
whose entities are not exactly the same.
"""

import argparse
import asyncio
import os
from pathlib import Path

import torch

from benchmarks.remembered import Spans, extract
from index.local import LocalRetriever
from index.settings import IndexSettings
from services.loading import word_encoders
from services.settings import read_settings
from wraner import weights
from wraner.extract import Extractor
from wraner.language_model import DType, LanguageModel
from wraner.local import LocalEngine
from wraner.pack_folders import read_examples, read_pack_folder
from wraner.packs import Domain

PACK = Path("packs/customer-care")


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, help="only so many")
    args = parser.parse_args()
    domain = read_pack_folder(PACK)
    assert isinstance(domain, Domain)
    tests = read_examples(PACK / "test.jsonl", domain)
    texts = [example.text for example in tests][: args.texts]
    torch.set_num_threads(1)  # while loading
    base = weights.resolve(weights.BUNDLED, Path("state/models"))
    retriever = LocalRetriever(word_encoders(read_settings()), IndexSettings())
    found: dict[tuple[DType, int], Spans] = {}
    kinds: tuple[DType, ...] = ("auto", "float32")
    for dtype in kinds:
        model = LanguageModel(base, adapters=Path("state/adapters"), dtype=dtype)
        engine = LocalEngine(model, threads=os.cpu_count())
        for calls in (1, 8):
            extractor = Extractor(retriever=retriever, engine=engine)
            found[dtype, calls] = asyncio.run(extract(extractor, domain, texts, calls))
        engine.close()
    print("| compared | messages with other entities |")
    print("|---|---|")
    for name, one, other in (
        ("served precision: eight at a time, one at a time", ("auto", 8), ("auto", 1)),
        ("fp32: eight at a time, one at a time", ("float32", 8), ("float32", 1)),
        ("served precision, fp32 (one at a time)", ("auto", 1), ("float32", 1)),
    ):
        pairs = zip(found[one], found[other], strict=True)  # type: ignore[index]
        differ = sum(a != b for a, b in pairs)
        print(f"| {name} | {differ} of {len(texts)} |")


if __name__ == "__main__":
    main()
