"""What retrieval is worth to one model: examples by words, by sentences, at random, none; k.

    python -m benchmarks.retrieval_ablation --data ../shared/data/crossner --texts 50

Every row asks the same model about the same sentences through the pipeline that serves; only the
examples in the prompt differ. `fitting` is the share of retrieved examples that carry a type of the
sentence, `recall` the share of its types that one of them carries; F1 in points, with the central
95 % of resampled sentences, each domain within itself. The last column is a row's F1 minus that of
the served retrieval, sentence by sentence.
"""

import argparse
import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.word_retrieval import DOMAINS, Scores
from index.contextual import ContextualEncoder
from index.encoders import Encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.static import train_static
from services.loading import word_encoders
from services.settings import read_settings
from training.bootstrap import Interval, mean_interval, paired_mean_difference
from training.ner_domains import NerDomain, Split, read_domain
from training.ner_evaluation import AskSettings, evaluate
from training.ner_scores import ALL, count, score_retrieval
from training.sheets import shipped_sheet
from wraner import weights
from wraner.engine import Engine
from wraner.extract import Extractor
from wraner.language_model import LanguageModel
from wraner.local import LocalEngine
from wraner.metrics import SpanCounts
from wraner.packs import Domain
from wraner.retrieval import Evidence, Neighbour, Neighbours, PackRef, Retriever

SERVED_K = 5
WORD_KS = (1, 3, 10)

Rank = Callable[[Sequence[str]], Scores]  # texts to scores of all examples (n_texts, n_store)


class RankedRetriever:
    """Retrieves the examples that a function ranks highest, ties in the pack's order."""

    def __init__(self, name: str, pack: Domain, rank: Rank) -> None:
        self._name = name
        self._pack = pack
        self._rank = rank

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        """See `wraner.retrieval.Retriever.neighbours`."""
        found = []
        for scores in self._rank(texts):
            best = np.argsort(-scores, kind="stable")[:k]
            near = tuple(Neighbour(self._pack.examples[i], float(scores[i])) for i in best)
            found.append(Neighbours(near, self._name))
        return found

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        """Refuse: there is no evidence on policies here."""
        raise NotImplementedError("this comparison asks for entities only")


def by_sentence(pack: Domain, encoder: ContextualEncoder) -> RankedRetriever:
    """Return a retriever by cosine of mean vectors."""
    store = encoder.sentences([e.text for e in pack.examples])
    return RankedRetriever("sentence", pack, lambda t: _double(encoder.sentences(t) @ store.T))


def _double(scores: np.ndarray) -> Scores:
    return scores.astype(np.float64)


def at_random(pack: Domain, seed: int) -> RankedRetriever:
    """Return a retriever that draws for each text; the same text always gets the same examples."""

    def rank(texts: Sequence[str]) -> Scores:
        draws = [np.random.default_rng([seed, *text.encode("utf-8", "replace")]) for text in texts]
        return np.array([draw.random(len(pack.examples)) for draw in draws])

    return RankedRetriever("random", pack, rank)


@dataclass(frozen=True)
class Row:
    """One way to choose examples: a retriever for each domain, and how many."""

    name: str
    k: int
    retrievers: tuple[Retriever, ...]


@dataclass(frozen=True)
class Measured:
    """A row's figures: `counts` hold each domain's sentences."""

    name: str
    k: int
    fitting: float
    recall: float
    counts: tuple[tuple[SpanCounts, ...], ...]


def rows_of(domains: Sequence[NerDomain], seed: int) -> list[Row]:
    """Return all rows, the served retrieval first."""
    packs = [d.pack for d in domains]
    encoders = word_encoders(read_settings())
    served = (LocalRetriever(encoders, IndexSettings()),) * len(packs)
    words = (LocalRetriever(encoders, IndexSettings(text_share=0)),) * len(packs)
    sentence = ContextualEncoder(layer=6)
    static = tuple(
        LocalRetriever(Encoders.same(train_static([e.text for e in p.examples])), IndexSettings())
        for p in packs
    )
    return [
        Row("words in context and sentences (served)", SERVED_K, served),
        Row("words in context", SERVED_K, words),
        Row("sentences", SERVED_K, tuple(by_sentence(p, sentence) for p in packs)),
        Row("words, FastText", SERVED_K, static),
        Row("random", SERVED_K, tuple(at_random(p, seed) for p in packs)),
        Row("none", 0, served),
        *(Row("words in context and sentences", k, served) for k in WORD_KS),
    ]


async def measure(
    row: Row, domains: Sequence[NerDomain], engine: Engine, adapter: str = ""
) -> Measured:
    """Ask about every domain with the row's examples."""
    results = [
        await evaluate(
            Extractor(retriever=retriever, engine=engine),
            domain,
            AskSettings(k=row.k, adapter=adapter),
        )
        for domain, retriever in zip(domains, row.retrievers, strict=True)
    ]
    scores = [score_retrieval(r) for r in results]
    return Measured(
        row.name,
        row.k,
        sum(s.fitting for s in scores) / len(scores),
        sum(s.covered for s in scores) / len(scores),
        tuple(count(r, ALL) for r in results),
    )


def table(measured: Sequence[Measured]) -> str:
    """Return the rows as Markdown, compared with the first."""
    lines = [
        "| examples | k | fitting | recall | F1 | minus the first row's |",
        "|---|---|---|---|---|---|",
    ]
    first = measured[0]
    for m in measured:
        gap = "" if m is first else _cell(paired_mean_difference(m.counts, first.counts), sign="+")
        f1 = _cell(mean_interval(m.counts))
        lines.append(f"| {m.name} | {m.k} | {m.fitting:.3f} | {m.recall:.3f} | {f1} | {gap} |")
    return "\n".join(lines)


def _cell(interval: Interval, sign: str = "") -> str:
    shown = [f"{100 * v:{sign}.1f}" for v in (interval.value, interval.low, interval.high)]
    return "{} ({} to {})".format(*shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--domains", default=",".join(DOMAINS))
    parser.add_argument("--split", type=Split, choices=list(Split), default=Split.DEV)
    parser.add_argument("--texts", type=int, help="of each domain; left out: all")
    parser.add_argument("--adapter", default="", help="content hash; left out: the base alone")
    parser.add_argument("--first", type=int, help="so many rows only")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)  # while loading
    domains = [
        read_domain(args.data / name, shipped_sheet(name), args.split)
        for name in args.domains.split(",")
    ]
    if args.texts is not None:
        domains = [d.sample(args.texts, seed=args.seed) for d in domains]
    base = weights.resolve(weights.BUNDLED, Path("state/models"))
    model = LanguageModel(base, adapters=Path("state/adapters"))
    measured = []
    with closing(LocalEngine(model, threads=os.cpu_count())) as engine:
        for row in rows_of(domains, args.seed)[: args.first]:
            measured.append(asyncio.run(measure(row, domains, engine, args.adapter)))
            print(table([measured[0], measured[-1]]).splitlines()[-1], flush=True)
    asked = sum(len(d.asked) for d in domains)
    print(f"\n{len(domains)} domains, {asked} {args.split} sentences, adapter {args.adapter!r}\n")
    print(table(measured))


if __name__ == "__main__":
    main()
