"""Which word vectors, weights and aggregation find the right entity types? No language model.

    python -m benchmarks.word_retrieval --data ../shared/data/crossner

For each domain of CrossNER, `train` is the store and each sentence of `dev` with an entity asks for
its k nearest examples. Type recall@k: the share of its distinct entity types that occur in them,
averaged over sentences, then over domains. Mention recall weighs types by their mentions; of the
same words are mentions that stand in the examples, tagged alike, as they stand in the sentence.
Longer examples hold more types, hence the control that always takes the longest.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from wordfreq import zipf_frequency

from index.contextual import ContextualEncoder
from index.encoder import Floats, WordEncoder, WordVectors
from index.encoders import TEXT_LAYER
from index.static import train_static
from index.weighting import weight
from wraner.formats.conll import read_conll
from wraner.packs import TaggedExample

DOMAINS = ("politics", "science", "music", "literature", "ai")
KS = (1, 3, 5, 10)
SHARES = (0.1, 0.2, 0.3, 0.5)
Weigh = Callable[[str], float]
Scores = npt.NDArray[np.float64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """A domain's store and queries.

    *Shape:* counts (n_queries, n_types), has (n_store, n_types), lengths (n_store,) in words.
    """

    store: list[TaggedExample]
    queries: list[TaggedExample]
    counts: npt.NDArray[np.int64]
    has: npt.NDArray[np.bool_]
    lengths: npt.NDArray[np.int64]

    def repeated(self, order: npt.NDArray[np.int64]) -> float:
        """Return the share of mentions that the retrieved examples hold too, tagged alike.

        *Shape:* order (n_queries, k).
        """
        held = [_mentions(example) for example in self.store]
        found = [
            [mention in set().union(*(held[i] for i in near)) for mention in _mentions(query)]
            for query, near in zip(self.queries, order, strict=True)
        ]
        return float(np.mean([each for one in found for each in one]))


def _mentions(example: TaggedExample) -> list[tuple[str, str]]:
    return [(example.text[m.start : m.end].lower(), m.label) for m in example.entities]


def read_task(folder: Path) -> Task:
    store = read_conll(folder / "train.txt")
    queries = [e for e in read_conll(folder / "dev.txt") if e.entities]
    types = sorted({m.label for e in [*store, *queries] for m in e.entities})
    counts = np.array([[sum(m.label == t for m in q.entities) for t in types] for q in queries])
    has = np.array([[any(m.label == t for m in s.entities) for t in types] for s in store])
    lengths = np.array([len(e.text.split()) for e in store])
    return Task(store, queries, counts, has, lengths)


def recalls(task: Task, scores: Scores) -> Values:
    """Return type recall at each k, then mention recall, the share of mentions in the same words
    and the mean length in words at 5.

    *Shape:* scores (n_queries, n_store); result (n_ks + 3,).
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    wanted = task.counts > 0
    found = []
    for k in (*KS, 5):
        seen = task.has[order[:, :k]].any(axis=1)
        found.append(((seen & wanted).sum(1) / wanted.sum(1)).mean())
    found[-1] = ((seen * task.counts).sum(1) / task.counts.sum(1)).mean()
    return np.array([*found, task.repeated(order[:, :5]), task.lengths[order[:, :5]].mean()])


def plain(word: str) -> float:
    return 1.0 if any(c.isalnum() for c in word) else 0.0


def ramp(low: float, high: float) -> Weigh:
    """Weight 1 below zipf `low`, 0 above `high`, a straight line between."""
    return lambda w: plain(w) * min(1.0, max(0.0, (high - zipf_frequency(w, "en")) / (high - low)))


def smooth_inverse(a: float) -> Weigh:
    """Arora's a / (a + p)."""
    return lambda w: plain(w) * a / (a + 10 ** (zipf_frequency(w, "en") - 9))


def capitals(weigh: Weigh, factor: float) -> Weigh:
    return lambda w: weigh(w) * (factor if w[:1].isupper() else 1.0)


def store_idf(store: Sequence[WordVectors]) -> Weigh:
    seen: dict[str, int] = {}
    for text in store:
        for word in {c.text.lower() for c in text.chunks}:
            seen[word] = seen.get(word, 0) + 1
    return lambda w: np.log((1 + len(store)) / (1 + seen.get(w.lower(), 0))) + 1e-3


WEIGHTINGS: dict[str, Callable[[Sequence[WordVectors]], Weigh]] = {
    "none, marks too": lambda _: lambda w: 1.0,
    "none": lambda _: plain,
    "general, 1 - zipf/16 (shipped)": lambda _: weight,
    "general, 1 - zipf/8": lambda _: lambda w: max(0.0, 2 * weight(w) - 1),
    "general, ramp 2..6": lambda _: ramp(2, 6),
    "general, a/(a+p) a=1e-3": lambda _: smooth_inverse(1e-3),
    "general, 1 - zipf/8, capitals x2": lambda _: capitals(lambda w: 2 * weight(w) - 1, 2),
    "idf on the store": store_idf,
}
AGGREGATIONS = ("forward", "reverse", "symmetric", "max", "top8")


def word_scores(
    store: Sequence[WordVectors], queries: Sequence[WordVectors], weigh: Weigh
) -> dict[str, Scores]:
    """Return for each aggregation the scores (n_queries, n_store)."""
    kept = [_weighty(text, weigh) for text in store]
    offsets = np.cumsum([0, *(len(w) for _, w in kept)])[:-1]
    words = np.concatenate([v for v, _ in kept]).T
    weights = np.concatenate([w for _, w in kept])
    totals = np.add.reduceat(weights, offsets)
    result = {name: np.zeros((len(queries), len(store))) for name in AGGREGATIONS}
    for number, query in enumerate(queries):
        vectors, own = _weighty(query, weigh)
        products = vectors @ words
        best = np.maximum.reduceat(products, offsets, axis=1)
        weighed = np.sort(best * own[:, None], axis=0)[::-1]
        forward = own @ best / own.sum()
        reverse = np.add.reduceat(products.max(0) * weights, offsets) / totals
        result["forward"][number] = forward
        result["reverse"][number] = reverse
        result["symmetric"][number] = (forward + reverse) / 2
        for name, top in (("max", 1), ("top8", 8)):
            result[name][number] = weighed[:top].sum(0)
    return result


def _weighty(text: WordVectors, weigh: Weigh) -> tuple[Floats, npt.NDArray[np.float64]]:
    weights = np.array([weigh(c.text) for c in text.chunks])
    keep = weights > 0.02
    if not keep.any():
        keep, weights = np.ones_like(keep), np.ones_like(weights)
    return text.vectors[keep], weights[keep]


Row = tuple[str, Values]  # a name, and recalls averaged over domains


def word_rows(name: str, encoders: Sequence[WordEncoder], tasks: Sequence[Task]) -> Iterator[Row]:
    """Yield a row for each weighting and aggregation; one encoder for each task."""
    encoded = [
        (e.encode([x.text for x in t.store]), e.encode([x.text for x in t.queries]))
        for e, t in zip(encoders, tasks, strict=True)
    ]
    for weighting, make in WEIGHTINGS.items():
        found: dict[str, list[Values]] = {}
        for task, (store, queries) in zip(tasks, encoded, strict=True):
            for aggregation, scores in word_scores(store, queries, make(store)).items():
                found.setdefault(aggregation, []).append(recalls(task, scores))
        for aggregation, each in found.items():
            yield f"{name} | {weighting} | {aggregation}", np.mean(each, axis=0)


def mixed_rows(words: ContextualEncoder, tasks: Sequence[Task]) -> Iterator[Row]:
    """Yield rows for shares of the sentences' own similarity beside that of tuned words."""
    texts = ContextualEncoder(layer=TEXT_LAYER)
    found: dict[float, list[Values]] = {}
    for task in tasks:
        store, queries = ([e.text for e in some] for some in (task.store, task.queries))
        scores = word_scores(words.encode(store), words.encode(queries), weight)["forward"]
        near = (texts.sentences(queries) @ texts.sentences(store).T).astype(np.float64)
        for share in SHARES:
            mixed = (1 - share) * scores + share * near
            found.setdefault(share, []).append(recalls(task, mixed))
    for share, each in found.items():
        yield f"tuned, {share:g} of it sentences | general | forward", np.mean(each, axis=0)


def control_rows(tasks: Sequence[Task]) -> Iterator[Row]:
    sentence = ContextualEncoder(layer=6)
    each = []
    for task in tasks:
        store = sentence.sentences([e.text for e in task.store])
        queries = sentence.sentences([e.text for e in task.queries])
        each.append(recalls(task, (queries @ store.T).astype(np.float64)))
    yield "sentence vectors (MiniLM's own) | | cosine", np.mean(each, axis=0)
    each = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        each += [recalls(t, rng.random((len(t.queries), len(t.store)))) for t in tasks]
    yield "random, 20 seeds | | ", np.mean(each, axis=0)
    each = [recalls(t, np.tile(t.lengths.astype(float), (len(t.queries), 1))) for t in tasks]
    yield "the longest examples | | ", np.mean(each, axis=0)


def table(rows: Sequence[Row]) -> str:
    lines = ["| vectors | weights | aggregation | " + " | ".join(f"@{k}" for k in KS)]
    lines[0] += " | mentions @5 | the same words @5 | words an example |"
    lines.append("|---|---|---|" + "---|" * (len(KS) + 3))
    for name, values in rows:
        shares = " | ".join(f"{v:.3f}".lstrip("0") for v in values[:-1])
        lines.append(f"| {name} | {shares} | {values[-1]:.0f} |")
    return "\n".join(lines)


def by_mean(row: Row) -> float:
    """Return what settings are chosen by: type recall averaged over k."""
    return float(row[1][: len(KS)].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--layers", type=int, nargs="*", default=[0, 1, 2, 3, 4, 5, 6])
    parser.add_argument("--tuning", type=Path, default=Path("adapters/words"))
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    started = time.monotonic()
    tasks = [read_task(arguments.data / domain) for domain in DOMAINS]
    rows = list(control_rows(tasks))
    static = [train_static([e.text for e in task.store]) for task in tasks]
    rows += word_rows("FastText on the store's text", static, tasks)
    tuned = ContextualEncoder(tuning=arguments.tuning)
    rows += word_rows("tuned", [tuned] * len(tasks), tasks)
    rows += mixed_rows(tuned, tasks)
    for layer in arguments.layers:
        encoder = ContextualEncoder(layer=layer)
        rows += word_rows(f"layer {layer}", [encoder] * len(tasks), tasks)
        print(f"layer {layer} done after {time.monotonic() - started:.0f} s", flush=True)
    print("\n## Best 20 by the mean over k\n")
    print(table(sorted(rows, key=by_mean, reverse=True)[:20]))
    print("\n## All\n")
    print(table(rows))
    print(
        f"\n{len(tasks)} domains, {sum(len(t.queries) for t in tasks)} dev sentences, "
        f"{time.monotonic() - started:.0f} s"
    )


if __name__ == "__main__":
    main()
