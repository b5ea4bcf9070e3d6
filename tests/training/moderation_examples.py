"""Made-up rows about Zorvians, and systems that decided them."""

import csv
import hashlib
import json
from pathlib import Path

from training.moderation_results import Decided, PolicyScore, Prediction, System
from training.moderation_rows import ModerationRow, same_text
from training.ner_summary import Fact, Provenance
from wraner.packs import JudgedExample, Policy, PolicySet

POLICIES = PolicySet(
    policies=(
        Policy(id="banish", title="Banishing", tier=1, definition="No banishing."),
        Policy(id="mock", title="Mocking", tier=1, definition="No mocking."),
        Policy(id="accuse", title="Accusing", tier=2, definition="No accusing."),
    ),
    examples=(
        JudgedExample(id="away", text="Zorvians away!", violates=("banish",)),
        JudgedExample(id="baker", text="A Zorvian baker.", complies="all"),
    ),
)
PROVENANCE = Provenance(
    "wraner evaluate moderation --data <data>",
    "2026-01-02 03:04 UTC",
    (Fact("adapter", "a|b"),),
    (Fact("model", "m@0"),),
)


def row(
    number: int,
    policy: str,
    hateful: bool,
    *,
    text: str = "",
    kind: int | None = None,
    clean: bool = True,
) -> ModerationRow:
    """Return a row; without a text, one of its own."""
    text = text or f"Zorvian number {number}."
    return ModerationRow(
        number, f"id-{number}", text, same_text(text), policy, hateful, kind, clean, clean
    )


def system(*scores: float, name: str = "wraner", threshold: float = 0.5) -> System:
    """Return a system that flags from the threshold on, given the scores of rows 1, 2, …"""
    decided = tuple(Decided(n, s, s >= threshold) for n, s in enumerate(scores, start=1))
    return System(name, f"from {threshold} on", threshold, decided)


def prediction(rows: tuple[int, ...], *judged: tuple[str, float], order: str = "") -> Prediction:
    """Return a prediction that judged policies so, after the retriever ranked them so."""
    score = max((s for _, s in judged), default=0.0)
    return Prediction(
        rows=rows,
        score=score,
        decision="violates" if score >= 0.5 else "allowed",
        calibrated=False,
        judged=tuple(PolicyScore(policy, s) for policy, s in judged),
        order=tuple(order.split()),
    )


def write_table(path: Path, header: str, *rows: tuple[str, ...]) -> None:
    """Write tab-separated rows under their header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter="\t").writerows([header.split(), *rows])


def write_guidelines(path: Path) -> None:
    """Write the table of invented guidelines: `Do not mock` is the policy `mock`."""
    ids = [policy.id for policy in POLICIES.policies]
    keys = {hashlib.sha256(f"Do not {i}".encode()).hexdigest()[:12]: i for i in ids}
    path.write_text(json.dumps(keys))


def write_data(folder: Path) -> None:
    """Write a training file, a test file of six rows, and the kinds of their harmless ones."""
    train = "example_id text dataset guideline labels"
    test = "example_id sentence guideline labels"
    folder.mkdir()
    write_table(
        folder / "hatemoderate_train.csv",
        train,
        ("1", "Throw the Zorvians out!", "x", "Do not banish", "1"),
        ("2", "Zorvians bake well.", "x", "Do not mock", "0"),
        ("3", "Zorvians did it, bad lot.", "x", "Do not accuse", "1"),
    )
    write_table(
        folder / "hatemoderate_test.csv",
        test,
        ("11", "bad: throw the Zorvians OUT", "Do not banish", "1"),
        ("12", "Throw the Zorvians out", "Do not banish", "1"),
        ("11", "My Zorvian neighbour sings.", "Do not mock", "0"),
        ("13", "What bad singing.", "Do not mock", "0"),
        ("14", "Look how Zorvians sing.", "Do not mock", "1"),
        ("15", "bad: throw the Zorvians OUT", "Do not accuse", "1"),
    )
    write_table(
        folder / "all_examples.csv",
        "example_id label type",
        ("11", "1", ""),
        ("11", "0", "3.0"),
        ("13", "0", "2.0"),
    )
