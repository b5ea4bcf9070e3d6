"""HateModerate's rows as judged examples, under the policy ids of `packs/hate-speech`.

A row's guideline string is looked up by hash, so that no text of the data set stands here. Rows
with the same normalised text are one text; one with contradictory labels is left out.
Source: Zheng et al., Findings of NAACL 2024.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from wraner.errors import InvalidInput
from wraner.packs import JudgedExample

_POLICIES = Path(__file__).with_name("hatemoderate_policies.json")
_DEV = Path(__file__).with_name("hatemoderate_dev.txt")
# A functional test suite: rows taken from it are for testing alone, see its authors' warning.
_NEVER_TRAINED_ON = frozenset({"hatecheck"})


@dataclass(frozen=True)
class CollectedText:
    """A text, and what it was collected for: `policies` that it breaches, or comes near to.

    `dataset` is where its first row was taken from, "" where the file does not say.
    """

    text: str
    hateful: bool
    policies: tuple[str, ...]
    dataset: str

    @property
    def example(self) -> JudgedExample:
        """A hateful text violates its policies; any other complies with all."""
        if self.hateful:
            return JudgedExample(text=self.text, violates=self.policies)
        return JudgedExample(text=self.text, complies="all")

    @cached_property
    def key(self) -> str:
        """What names the text where it may not stand itself."""
        return hashlib.sha256(normalised(self.text).encode()).hexdigest()[:12]


@dataclass
class _Merged:
    text: str
    dataset: str
    policies: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)


def read_collected(path: Path) -> list[CollectedText]:
    """Read `hatemoderate_train.csv` or `hatemoderate_test.csv`, each different text once.

    Rows of HateCheck, marked in the training file, are left out.

    Raises:
        InvalidInput: the file is missing, or a row cannot be read, naming file and line.
    """
    policies = policies_by_guideline()
    merged: dict[str, _Merged] = {}
    for row in _rows(path):
        if row.dataset in _NEVER_TRAINED_ON:
            continue
        key = guideline_key(row.guideline)
        if key not in policies:
            raise InvalidInput(f"{path}: expected one of 41 guidelines, was: an unknown one")
        entry = merged.setdefault(normalised(row.text), _Merged(row.text.strip(), row.dataset))
        entry.policies.add(policies[key])
        entry.labels.add(row.label)
    return [
        CollectedText(e.text, e.labels == {"1"}, tuple(sorted(e.policies)), e.dataset)
        for e in merged.values()
        if len(e.labels) == 1
    ]


def read_texts(path: Path) -> Iterator[str]:
    """Yield the text of every row, also of those that `read_collected` leaves out.

    Raises:
        InvalidInput: as `read_collected`.
    """
    return (row.text for row in _rows(path))


def read_hatemoderate(path: Path) -> list[JudgedExample]:
    """Read as `read_collected` does; return the texts as judged examples."""
    return [text.example for text in read_collected(path)]


def policies_by_guideline() -> dict[str, str]:
    """Return the policy ids of `packs/hate-speech` by `guideline_key`."""
    found: dict[str, str] = json.loads(_POLICIES.read_text())
    return found


def guideline_key(guideline: str) -> str:
    """Return the hash that stands for a guideline string."""
    return hashlib.sha256(guideline.strip().encode()).hexdigest()[:12]


def dev_keys() -> frozenset[str]:
    """Return the keys of the training file's texts that are kept for choosing and calibrating.

    501 of them, drawn from DynaHate and other sources alike; 350 are hateful.
    """
    return frozenset(_DEV.read_text(encoding="ascii").split())


def normalised(text: str) -> str:
    """Return the key under which two texts are the same: letter case and white space folded."""
    return " ".join(text.casefold().split())


@dataclass(frozen=True, slots=True)
class _Row:
    text: str
    guideline: str
    label: str
    dataset: str


def _rows(path: Path) -> Iterator[_Row]:
    for number, row in enumerate(_table(path), start=2):
        text = row.get("text") or row.get("sentence") or ""
        guideline, label = row.get("guideline"), row.get("labels")
        if not text.strip() or not guideline or label not in ("0", "1"):
            raise InvalidInput(f"{path}: row {number}: expected text, guideline and a label 0 or 1")
        yield _Row(text, guideline, label, row.get("dataset") or "")


def _table(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file, delimiter="\t")
    except FileNotFoundError:
        raise InvalidInput(
            f"expected a file of HateModerate, was: {path}, which is not there; name the folder of "
            "the data sets with --data"
        ) from None
