"""Fit the weights with which extraction fuses a model's entities and the votes of tagged words.

Reads the predictions of `wraner evaluate ner --by model` on `dev`, counts the votes on the same
sentences, and prints F1 of the model alone, of the votes alone and of both, each domain scored with
weights fitted on the others: a new domain has none of its own. The last line has the weights fitted
on all.

    python -m training.ner_fusion --data ../shared/data/crossner --predictions FOLDER
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from index.encoders import load_encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.word_votes import UNTUNED, VoteSettings
from training.bootstrap import Interval, mean_interval, paired_mean_difference
from training.ner_domains import Split, read_domain
from training.ner_report import predictions_file
from training.ner_results import SentenceResult, read_predictions
from training.ner_scores import found_mentions
from training.sheets import shipped_sheet
from wraner.entities import Entity, Mention
from wraner.entity_fusion import FEATURES, EntityFusion, candidates
from wraner.errors import InvalidInput
from wraner.metrics import SpanCounts, count_spans
from wraner.packs import version
from wraner.retrieval import Neighbours, PackRef
from wraner.tagging import tag
from wraner.word_votes import WordVotes

Floats = npt.NDArray[np.float64]
_RIDGE = 1e-3
_THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


@dataclass(frozen=True)
class Heard:
    """A sentence that a model has answered, with the votes on it."""

    sentence: SentenceResult
    votes: WordVotes


@dataclass(frozen=True)
class Row:
    """One domain's counts for each sentence: model alone, votes alone, both."""

    domain: str
    model: list[SpanCounts]
    votes: list[SpanCounts]
    fused: list[SpanCounts]


def hear(
    data: Path, predictions: Path, domain: str, retriever: LocalRetriever
) -> tuple[Heard, ...]:
    """Read a domain's predictions and count the votes on its sentences.

    Raises:
        InvalidInput: a prediction's sentence is not the one of that number in `dev`.
    """
    held = read_domain(data / domain, shipped_sheet(domain), Split.DEV)
    asked = {s.id: s.text for s in held.asked}
    sentences = read_predictions(predictions_file(predictions, domain))
    for s in sentences:
        if asked.get(s.id) != s.text:
            raise InvalidInput(
                f"expected predictions on {domain}'s dev sentences, was: {s.id} with another "
                "text; evaluate with --split dev"
            )
    pack = PackRef(version(held.pack), inline=held.pack)
    near = retriever.neighbours_now(pack, [s.text for s in sentences], 0)
    return tuple(Heard(s, _votes(n)) for s, n in zip(sentences, near, strict=True))


def _votes(near: Neighbours) -> WordVotes:
    if near.votes is None:
        raise ValueError("expected a retriever that counts votes, was: one without VoteSettings")
    return near.votes


def fit(heard: Iterable[Heard]) -> EntityFusion:
    """Fit a logistic regression over all candidates, then the threshold of the best F1."""
    heard = list(heard)
    rows = [
        (c.features, c.mention in h.sentence.gold)
        for h in heard
        for c in candidates(h.sentence.text, h.sentence.found, h.votes)
    ]
    features = np.array([f for f, _ in rows])
    signs = np.array([1.0 if right else -1.0 for _, right in rows])

    def loss(weights: Floats) -> tuple[float, Floats]:
        margins = signs * (features @ weights)
        slope = -(signs * expit(-margins)) @ features / len(signs)
        size = _RIDGE * float(weights @ weights)
        return float(np.logaddexp(0, -margins).mean()) + size, slope + 2 * _RIDGE * weights

    fitted = minimize(loss, np.zeros(len(FEATURES)), jac=True)
    weights = tuple(round(float(w), 3) for w in fitted.x)
    tried = [EntityFusion(weights, threshold) for threshold in _THRESHOLDS]
    return max(tried, key=lambda fusion: _f1(fuse(fusion, heard)))


def _f1(counts: Sequence[SpanCounts]) -> float:
    found = sum(c.found + c.gold for c in counts)
    return 2 * sum(c.right for c in counts) / found if found else 0.0


def fuse(fusion: EntityFusion, heard: Iterable[Heard]) -> list[SpanCounts]:
    """Return each sentence's counts after fusion."""
    return [_count(h, fusion.fuse(h.sentence.text, h.sentence.found, h.votes)) for h in heard]


def _count(heard: Heard, found: Sequence[Entity]) -> SpanCounts:
    mentions = [Mention(e.start, e.end, e.label) for e in found]
    return count_spans([heard.sentence.gold], [mentions])


def compare(domains: dict[str, tuple[Heard, ...]]) -> list[Row]:
    """Score each domain with a fusion fitted on the others; a single one with its own."""
    rows = []
    for name, own in domains.items():
        others = [h for other, heard in domains.items() if other != name for h in heard]
        rows.append(
            Row(
                name,
                [count_spans([h.sentence.gold], [found_mentions(h.sentence)]) for h in own],
                [_count(h, tag(h.sentence.text, h.votes)) for h in own],
                fuse(fit(others or own), own),
            )
        )
    return rows


def table(rows: Sequence[Row]) -> str:
    """Return F1 in points as Markdown, with 95 % intervals of the averages and of the gain."""
    lines = ["| domain | sentences | model | votes | fused |", "|---|---|---|---|---|"]
    for row in rows:
        figures = " | ".join(f"{100 * _f1(c):.1f}" for c in (row.model, row.votes, row.fused))
        lines.append(f"| {row.domain} | {len(row.model)} | {figures} |")
    model, votes, fused = (
        [getattr(row, name) for row in rows] for name in ("model", "votes", "fused")
    )
    texts = sum(len(row.model) for row in rows)
    means = " | ".join(_cell(mean_interval(c)) for c in (model, votes, fused))
    lines.append(f"| average | {texts} | {means} |")
    gain = _cell(paired_mean_difference(fused, model))
    best = _cell(paired_mean_difference(fused, votes))
    return "\n".join([*lines, "", f"fused - model {gain}; fused - votes {best}"])


def _cell(interval: Interval) -> str:
    return f"{100 * interval.value:.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def main() -> None:
    """Print the table and the weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--domains", default="politics,science,music,literature,ai")
    parser.add_argument("--word-adapter", default="adapters/words", help="a folder, or none")
    args = parser.parse_args()
    tuning = None if args.word_adapter == "none" else Path(args.word_adapter)
    votes = UNTUNED if tuning is None else VoteSettings()
    retriever = LocalRetriever(load_encoders(None, tuning), IndexSettings(), votes=votes)
    domains = {
        name: hear(args.data, args.predictions, name, retriever) for name in args.domains.split(",")
    }
    print(table(compare(domains)))
    final = fit(h for heard in domains.values() for h in heard)
    named = ", ".join(f"{n} {w:.2f}" for n, w in zip(FEATURES, final.weights, strict=True))
    print(f"\nfitted on all: {named}; threshold {final.threshold}")


if __name__ == "__main__":
    main()
