"""What is known of a policy that was never taught, from its words and three examples.

    python -m training.tune_policies training/configs/policies-without.yaml --out TUNING
    wraner train training/configs/moderation-without.yaml
    python -m benchmarks.new_policy --tuning TUNING --judge ADAPTER --data ../shared/data

Of each policy that tuning and judge were not taught, rows of HateModerate's test file are ranked:
texts that breach it against texts that were collected for it and breach nothing. Three breaching
texts of the training file and the policy's own words say what it is, texts that breach nothing what
it is not. Compared are the index's ways and others, with the tuned encoder and with the untuned;
and the judge, who reads the policy's words, alone and fused with the index's evidence by the
weights that are served for policies that were not taught. Those were fitted to other texts of the
same policies, among others.
"""

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.contextual import ContextualEncoder
from index.encoders import TEXT_LAYER, load_encoders
from index.generations import in_brief
from index.local import LocalRetriever
from index.settings import IndexSettings
from training.hatemoderate import CollectedText, read_collected
from training.judge_examination import Ask, asking
from training.judged_texts import read_judged_texts
from training.policy_settings import PolicySettings
from training.preparation import Places, prepare
from training.settings import read_settings
from training.word_manifest import read_word_manifest
from wraner.adapters import identities, read_adapter
from wraner.fusion import Fusion
from wraner.metrics import auroc
from wraner.pack_folders import read_pack_folder
from wraner.packs import JudgedExample, Policy, PolicySet, version
from wraner.prompts import Prompt, render_judgement
from wraner.retrieval import PackRef, PolicyEvidence, Retriever

_ROOT = Path(__file__).parents[1]
_CONFIG = _ROOT / "training" / "configs" / "moderation.yaml"
_SHIPPED = _ROOT / "adapters" / "moderation"
EXAMPLES, DRAWS, KERNEL, RIDGE = 3, 5, 0.05, 1.0
_NEAREST = 2  # examples a side that the index finds, as in serving

Rows = npt.NDArray[np.float64]
Rank = Callable[[Rows, Rows, Rows], Rows]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A policy with its texts: `breaching` to draw examples from, `asked` of the test file."""

    policy: Policy
    breaching: tuple[str, ...]
    asked: tuple[CollectedText, ...]


def centroid(shown: Rows, clean: Rows, asked: Rows) -> Rows:
    """Rank by similarity to the mean of what was shown."""
    return np.asarray(asked @ shown.mean(axis=0))


def ridge(shown: Rows, clean: Rows, asked: Rows) -> Rows:
    """Rank by a ridge regression of shown against clean texts, both sides weighing alike."""
    x = np.concatenate([shown, clean])
    y = np.concatenate([np.ones(len(shown)), -np.ones(len(clean))])
    w = np.concatenate([np.full(len(shown), 1 / len(shown)), np.full(len(clean), 1 / len(clean))])
    mean = (w[:, None] * x).sum(axis=0) / w.sum()
    centred = (x - mean) * w[:, None]
    products = centred.T @ (x - mean) + RIDGE * 0.1 * np.eye(x.shape[1])
    return np.asarray((asked - mean) @ np.linalg.solve(products, centred.T @ y))


def leaning(shown: Rows, clean: Rows, asked: Rows) -> Rows:
    """Rank as the index does, by the ratio of both sides' densities."""
    near, far = (
        np.logaddexp.reduce(asked @ side.T / KERNEL, axis=1) - np.log(len(side))
        for side in (shown, clean)
    )
    return np.asarray(near - far)


WAYS: dict[str, Rank] = {"nearest centroid": centroid, "ridge": ridge, "leaning": leaning}
_WORDS, _WORDS_FUSED, _JUDGE, _FUSED = (
    "the judge, by the policy's words alone",
    "that and the index",
    "the judge, questions as served",
    "that and the index, as served",
)


@dataclass(frozen=True, slots=True)
class Judge:
    """A judge, and how policies that were not taught are asked about and scored.

    `answers` are those to all questions so far, none of which is asked again.
    """

    ask: Ask
    fusion: Fusion
    answers: dict[Prompt, float] = field(default_factory=dict)

    def by_words(self, subject: Subject) -> list[float]:
        """Return the answers about a policy's texts to questions that show no example."""
        return self._answers([render_judgement(subject.policy, (), t.text) for t in subject.asked])

    def as_served(self, subject: Subject, found: Sequence[PolicyEvidence]) -> list[float]:
        """Return the answers to questions that show the nearest examples."""
        shown = [[n.example for n in self.fusion.shown(e)] for e in found]
        asked = zip(subject.asked, shown, strict=True)
        return self._answers([render_judgement(subject.policy, some, t.text) for t, some in asked])

    def _answers(self, prompts: Sequence[Prompt]) -> list[float]:
        new = [p for p in dict.fromkeys(prompts) if p not in self.answers]
        self.answers.update(zip(new, self.ask(new), strict=True))
        return [self.answers[p] for p in prompts]

    def fused(self, logits: Sequence[float], found: Sequence[PolicyEvidence]) -> list[float]:
        """Return scores, from what the index finds too."""
        return [self.fusion.score(x, e) for x, e in zip(logits, found, strict=True)]


Shown = Mapping[str, Sequence[str]]
Found = Mapping[str, list[PolicyEvidence]]


def found_by(
    retriever: Retriever, subjects: Sequence[Subject], clean: Sequence[str]
) -> Callable[[Shown], Found]:
    """Return what finds evidence as served: of each policy, by texts of its own that are shown.

    The texts that breach nothing are examples too. Evidence comes in the order of a policy's texts.
    """

    def found(shown: Shown) -> Found:
        violates: defaultdict[str, list[str]] = defaultdict(list)
        for policy, texts in shown.items():
            for text in texts:
                violates[text].append(policy)
        breaching = [JudgedExample(text=t, violates=tuple(p)) for t, p in violates.items()]
        others = [t for t in dict.fromkeys(clean) if t not in violates]
        pack = PolicySet(
            policies=tuple(s.policy for s in subjects),
            examples=(*breaching, *(JudgedExample(text=t, complies="all") for t in others)),
        )
        ref = PackRef(version(pack), inline=pack)
        return {s.policy.id: asyncio.run(_evidence(retriever, ref, s)) for s in subjects}

    return found


async def _evidence(retriever: Retriever, pack: PackRef, asked: Subject) -> list[PolicyEvidence]:
    found = await retriever.evidence(pack, [t.text for t in asked.asked], _NEAREST)
    return [e for each in found for e in each.policies if e.policy == asked.policy.id]


def areas(
    vectors: Callable[[Sequence[str]], Rows],
    subjects: Sequence[Subject],
    clean: Sequence[str],
    judge: Judge | None = None,
    found_of: Callable[[Shown], Found] | None = None,
) -> dict[str, list[float]]:
    """Return each way's AUROC for each policy and draw, with those of a judge who is asked beside
    what the index finds."""
    rng = np.random.default_rng(0)
    away = vectors(clean)
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    shown_texts: list[dict[str, list[str]]] = [{} for _ in range(DRAWS)]
    for subject in subjects:
        breaching = vectors(subject.breaching)
        own = vectors([in_brief(subject.policy)])
        asked = vectors([t.text for t in subject.asked])
        truth = [t.hateful for t in subject.asked]
        for shown_of in shown_texts:
            drawn = rng.choice(len(breaching), min(EXAMPLES, len(breaching)), replace=False)
            shown = np.concatenate([breaching[drawn], own])
            for name, rank in WAYS.items():
                found[name].append(auroc(truth, list(rank(shown, away, asked))))
            shown_of[subject.policy.id] = [subject.breaching[i] for i in drawn]
    if judge is None or found_of is None:
        return found
    found |= {_WORDS: [], _WORDS_FUSED: [], _JUDGE: [], _FUSED: []}
    truths = {s.policy.id: [t.hateful for t in s.asked] for s in subjects}
    by_words = {s.policy.id: judge.by_words(s) for s in subjects}
    found[_WORDS] = [auroc(truths[policy], logits) for policy, logits in by_words.items()]
    for shown_of in shown_texts:
        served = found_of(shown_of)
        for subject in subjects:
            evidence, truth = served[subject.policy.id], truths[subject.policy.id]
            fused = judge.fused(by_words[subject.policy.id], evidence)
            found[_WORDS_FUSED].append(auroc(truth, fused))
            logits = judge.as_served(subject, evidence)
            found[_JUDGE].append(auroc(truth, logits))
            found[_FUSED].append(auroc(truth, judge.fused(logits, evidence)))
    return found


def subjects_of(settings: PolicySettings, pack: PolicySet, data: Path) -> list[Subject]:
    """Return the policies that a tuning left out."""
    train = read_judged_texts(settings.texts.model_copy(update={"without": ()}), data).train
    test = read_collected(data / settings.texts.held_out[0])
    return [
        Subject(
            policy,
            tuple(t.example.text for t in train if t.breaches and policy.id in t.near),
            tuple(t for t in test if policy.id in t.policies),
        )
        for policy in pack.policies
        if policy.id in settings.texts.without
    ]


def _vectors(encoder: ContextualEncoder, texts: Sequence[str]) -> Rows:
    return encoder.sentences(texts).astype(np.float64)


def _judge(folder: Path, places: Places) -> Judge:
    """Return the judge of an adapter's folder, asked and heard as the shipped one is."""
    prepared = prepare(read_settings(_CONFIG).model_copy(update={"start": folder}), places)
    (ships,) = identities(_SHIPPED)
    fusion = read_adapter(_SHIPPED, ships).calibration
    assert fusion is not None
    run = prepared.run
    ask = asking(run.model, run.packer, prepared.chat)
    return Judge(ask, fusion.untaught or fusion)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tuning", type=Path, required=True)
    parser.add_argument("--judge", type=Path, help="an adapter's folder")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--state", type=Path, default=Path("state"))
    args = parser.parse_args()
    settings = PolicySettings.model_validate(read_word_manifest(args.tuning).config)
    pack = read_pack_folder(settings.texts.policy_set)
    assert isinstance(pack, PolicySet)
    subjects = subjects_of(settings, pack, args.data)
    taught = read_judged_texts(settings.texts, args.data).train
    clean = [t.example.text for t in taught if not t.breaches]
    places = Places(args.state, args.data)
    judge = None if args.judge is None else _judge(args.judge, places)
    asked = sum(len(s.asked) for s in subjects)
    print(f"{len(subjects)} policies never taught, {asked} texts, {DRAWS} draws of {EXAMPLES}")
    encoders = {
        "untuned": (ContextualEncoder(layer=TEXT_LAYER), None),
        "tuned without them": (ContextualEncoder(tuning=args.tuning), args.tuning),
    }
    for number, (name, (encoder, tuning)) in enumerate(encoders.items()):
        retriever = LocalRetriever(load_encoders(None, None, for_policies=tuning), IndexSettings())
        served = found_by(retriever, subjects, clean)
        found = areas(partial(_vectors, encoder), subjects, clean, judge, served)
        if not number:
            print("| encoder | " + " | ".join(found) + " |\n|" + "---|" * (len(found) + 1))
        print(f"| {name} | " + " | ".join(f"{np.mean(found[way]):.3f}" for way in found) + " |")


if __name__ == "__main__":
    main()
