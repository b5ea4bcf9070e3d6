"""Fit the weights with which moderation fuses judge and retrieval evidence.

A dev split is cut from HateModerate's training file; the rest is the policy set's examples. Each
dev text's shortlisted policies are judged as in serving; a logistic regression over the pairs gives
the weights, and the bias is moved to where the two failure rates of whole texts meet.

    python -m training.fusion --data ../shared/data/hatemoderate --texts 300
"""

import argparse
import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from index.encoders import load_encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from training.hatemoderate import read_hatemoderate
from wraner import packs, weights
from wraner.engine import Engine, ScoreRequest
from wraner.fusion import lead
from wraner.language_model import LanguageModel
from wraner.local import LocalEngine
from wraner.metrics import auroc, failure_rates
from wraner.pack_folders import read_pack_folder
from wraner.packs import JudgedExample, PolicySet
from wraner.prompts import NO, YES, render_judgement
from wraner.retrieval import PackRef, PolicyEvidence, Retriever

Floats = npt.NDArray[np.float64]
FEATURES = ("judge", "margin")


@dataclass(frozen=True)
class Pairs:
    """Judged pairs of dev text and policy.

    `features` has shape [pairs, 2] (see FEATURES), `text` the number of each pair's text, `breach`
    is 1, 0 or NaN where the data do not say.
    """

    features: Floats
    text: npt.NDArray[np.int64]
    breach: Floats


async def judge(
    retriever: Retriever,
    engine: Engine,
    pack: PolicySet,
    dev: Sequence[JudgedExample],
    *,
    shortlist: int,
    shown: int,
) -> Pairs:
    """Judge each dev text's shortlisted policies, as `Moderator` does."""
    found = await retriever.evidence(
        PackRef(packs.version(pack), inline=pack), [e.text for e in dev], shown
    )
    policies = {p.id: p for p in pack.policies}
    asked: list[tuple[int, PolicyEvidence]] = []
    requests: list[ScoreRequest] = []
    for number, (example, evidence) in enumerate(zip(dev, found, strict=True)):
        for e in evidence.policies[:shortlist]:
            prompt = render_judgement(
                policies[e.policy], [n.example for n in e.examples], example.text
            )
            asked.append((number, e))
            requests.append(ScoreRequest(prompt, (YES, NO)))
    scores = await engine.score(requests)
    rows = [
        (s.logprobs[0] - s.logprobs[1], lead(e)) for (_, e), s in zip(asked, scores, strict=True)
    ]
    return Pairs(
        np.array(rows),
        np.array([number for number, _ in asked]),
        np.array([_truth(dev[number], e.policy) for number, e in asked]),
    )


def _truth(example: JudgedExample, policy: str) -> float:
    if example.complies == "all":
        return 0.0
    return 1.0 if policy in example.violates else float("nan")


def fit(features: Floats, breach: Floats) -> Floats:
    """Return [weights..., bias] of a logistic regression with classes weighted equally."""
    known = ~np.isnan(breach)
    x, y = np.c_[features[known], np.ones(known.sum())], breach[known]
    share = np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))

    def loss(w: Floats) -> float:
        signed = (x @ w) * (2 * y - 1)
        return float((share * np.logaddexp(0, -signed)).mean() + 1e-3 * (w[:-1] ** 2).sum())

    return np.asarray(minimize(loss, np.zeros(x.shape[1])).x)


def report(name: str, pairs: Pairs, hateful: Sequence[bool], columns: Sequence[int]) -> str:
    """Fit the chosen columns and return a Markdown row: weights and text-level figures on dev."""
    w = fit(pairs.features[:, columns], pairs.breach)
    raw = pairs.features[:, columns] @ w[:-1] + w[-1]
    best = np.array([raw[pairs.text == n].max() for n in range(len(hateful))])
    cut = _meeting_point(best, np.array(hateful))
    rates = failure_rates(hateful, list(best >= cut))
    figures = " | ".join(f"{x:.3f}" for x in (rates.hateful, rates.other, rates.overall))
    area = auroc(hateful, list(best))
    weighed = ", ".join(f"{FEATURES[c]} {v:.2f}" for c, v in zip(columns, w[:-1], strict=True))
    return f"| {name} | {weighed}, bias {w[-1] - cut:.2f} | {figures} | {area:.3f} |"


def _meeting_point(scores: Floats, hateful: npt.NDArray[np.bool_]) -> float:
    """Return the threshold where both failure rates are nearest to each other."""
    gaps = [
        (abs(float((scores[hateful] < t).mean()) - float((scores[~hateful] >= t).mean())), float(t))
        for t in np.unique(scores)
    ]
    return min(gaps)[1]


async def _main(args: argparse.Namespace) -> None:
    examples = read_hatemoderate(args.data / "hatemoderate_train.csv")
    random.Random(0).shuffle(examples)
    dev, store = examples[: args.texts], examples[args.texts :]
    definitions = read_pack_folder(Path("packs/hate-speech"))
    assert isinstance(definitions, PolicySet)
    pack = definitions.model_copy(update={"examples": tuple(store)})
    base = weights.resolve(weights.BUNDLED, Path("state/models"))
    engine = LocalEngine(LanguageModel(base, adapters=Path("state/adapters")))
    retriever = LocalRetriever(load_encoders(None, None), IndexSettings())
    pairs = await judge(retriever, engine, pack, dev, shortlist=args.shortlist, shown=args.shown)
    engine.close()
    hateful = [bool(e.violates) for e in dev]
    print(f"{len(dev)} dev texts, {sum(hateful)} hateful; {len(store)} examples")
    print("| score | weights | hateful failure | other failure | overall | AUROC |")
    print("|---|---|---|---|---|---|")
    for columns in ([0], [1], [0, 1]):
        print(report(" + ".join(FEATURES[c] for c in columns), pairs, hateful, columns))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--shortlist", type=int, default=5)
    parser.add_argument("--shown", type=int, default=2)
    asyncio.run(_main(parser.parse_args()))
