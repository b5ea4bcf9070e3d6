"""HateModerate's rows as judged examples, under the policy ids of `packs/hate-speech`.

A row's guideline string is looked up by hash, so that no text of the data set stands here. Rows
with the same normalised text are one example; a text with contradictory labels is left out.
Source: Zheng et al., Findings of NAACL 2024.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wraner.errors import InvalidInput
from wraner.packs import JudgedExample

_POLICIES = Path(__file__).with_name("hatemoderate_policies.json")
# A functional test suite: rows taken from it are for testing alone, see its authors' warning.
_NEVER_TRAINED_ON = frozenset({"hatecheck"})


@dataclass
class _Merged:
    text: str
    policies: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)


def read_hatemoderate(path: Path) -> list[JudgedExample]:
    """Read `hatemoderate_train.csv` or `hatemoderate_test.csv`.

    A hateful text violates its policies; any other complies with all. Rows of HateCheck, marked in
    the training file, are left out.

    Raises:
        InvalidInput: a row cannot be read, naming file and line.
    """
    policies = json.loads(_POLICIES.read_text())
    merged: dict[str, _Merged] = {}
    for text, guideline, label in _rows(path):
        key = hashlib.sha256(guideline.strip().encode()).hexdigest()[:12]
        if key not in policies:
            raise InvalidInput(f"{path}: expected one of 41 guidelines, was: an unknown one")
        entry = merged.setdefault(normalised(text), _Merged(text.strip()))
        entry.policies.add(policies[key])
        entry.labels.add(label)
    return [_example(e) for e in merged.values() if len(e.labels) == 1]


def normalised(text: str) -> str:
    """Return the key under which two texts are the same: letter case and white space folded."""
    return " ".join(text.casefold().split())


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file, delimiter="\t"), start=2):
            text = row.get("text") or row.get("sentence")
            guideline, label = row.get("guideline"), row.get("labels")
            if not text or not guideline or label not in ("0", "1"):
                raise InvalidInput(
                    f"{path}: row {number}: expected text, guideline and a label 0 or 1"
                )
            if row.get("dataset") not in _NEVER_TRAINED_ON:
                yield text, guideline, label


def _example(entry: _Merged) -> JudgedExample:
    if entry.labels == {"1"}:
        return JudgedExample(text=entry.text, violates=tuple(sorted(entry.policies)))
    return JudgedExample(text=entry.text, complies="all")
