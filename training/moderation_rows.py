"""Rows to moderate: a text each, a policy, and whether the text breaches it.

Reads HateModerate's files (Zheng et al., Findings of NAACL 2024). Texts are the same where their
letters and digits are; a row is clean where its text does not stand in the training file and is
not called both hateful and not. A clean row stands apart where it shares no eight words in a row
with a text of the training file either. Knows no system that decides.
"""

import csv
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.hatemoderate import guideline_key, policies_by_guideline
from training.leaks import HeldOut
from wraner.errors import InvalidInput

TRAIN = "hatemoderate_train.csv"
KINDS = "all_examples.csv"
_ALONE = (
    "HateModerate alone is measured so; on labelled texts of your own: wraner policies test NAME "
    "FILE.jsonl"
)
_KEY = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class ModerationRow:
    """One row: `number` counts from 1 in the file, `id` is the file's own.

    `key` is the same for texts that count as one. `kind` (1 to 4) says what a row that is not
    hateful is, None where it is hateful or not known. `clean` and `apart`: see the module.
    """

    number: int
    id: str
    text: str
    key: str
    policy: str
    hateful: bool
    kind: int | None
    clean: bool
    apart: bool


@dataclass(frozen=True)
class AskedRows:
    """The rows to ask about; `whole` counts the rows of the file, of which they may be a sample.

    `kinds` says whether the kinds of rows that are not hateful are known.
    """

    file: Path
    rows: tuple[ModerationRow, ...]
    whole: int
    kinds: bool

    @property
    def texts(self) -> tuple[str, ...]:
        """Each different text once, in the order of the file."""
        return tuple(dict.fromkeys(row.text for row in self.rows))

    def sample(self, texts: int, *, seed: int) -> "AskedRows":
        """Return the rows of so many texts, drawn by `seed`; of all where there are not so many."""
        there = self.texts
        drawn = set(random.Random(seed).sample(there, min(texts, len(there))))
        return replace(self, rows=tuple(row for row in self.rows if row.text in drawn))


def same_text(text: str) -> str:
    """Return the key under which texts are the same: their letters and digits, case folded.

    A text without any, in another script or of signs alone, is its own key.
    """
    folded = text.casefold()
    return " ".join(_KEY.findall(folded)) or " ".join(folded.split())


def read_rows(folder: Path, name: str) -> AskedRows:
    """Read the rows of a file in HateModerate's folder.

    Kinds are read where `KINDS` is there. Rows of `TRAIN` itself are clean, and stand apart,
    wherever their labels agree.

    Raises:
        InvalidInput: a row cannot be read, or the training file is missing.
    """
    train = folder / TRAIN
    if not train.is_file():
        raise InvalidInput(
            f"expected {TRAIN} in {folder}, which says what texts have leaked, was: no such file; "
            f"{_ALONE}"
        )
    file = folder / name
    itself = file.resolve() == train.resolve()
    taught = [] if itself else [one["text"] for one in _read(train)]
    seen, held_out = set(map(same_text, taught)), HeldOut(taught)
    kinds = _read_kinds(folder / KINDS)
    rows = [_row(number, one, kinds) for number, one in enumerate(_read(file), start=1)]
    torn = _contradictory(rows)
    clean = [replace(row, clean=row.key not in seen and row.key not in torn) for row in rows]
    apart = [replace(row, apart=row.clean and not held_out.leaks(row.text)) for row in clean]
    return AskedRows(train if itself else file, tuple(apart), len(rows), bool(kinds))


def _row(
    number: int, one: Mapping[str, str], kinds: Mapping[tuple[str, str], int]
) -> ModerationRow:
    return ModerationRow(
        number=number,
        id=one["example_id"],
        text=one["text"],
        key=same_text(one["text"]),
        policy=one["policy"],
        hateful=one["labels"] == "1",
        kind=None if one["labels"] == "1" else kinds.get((one["example_id"], "0")),
        clean=False,
        apart=False,
    )


def _contradictory(rows: Sequence[ModerationRow]) -> set[str]:
    labels: defaultdict[str, set[bool]] = defaultdict(set)
    for row in rows:
        labels[row.key].add(row.hateful)
    return {key for key, given in labels.items() if len(given) == 2}


def _read(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows; the text's column is `text` in all, the policy's `policy`."""
    policies = policies_by_guideline()
    for number, one in enumerate(_table(path), start=1):
        text = one.get("text") or one.get("sentence") or ""
        labelled = one.get("example_id") and one.get("labels") in ("0", "1")
        if not text.strip() or not labelled:
            raise InvalidInput(
                f"{path}: row {number}: expected example_id, text (or sentence), guideline and "
                "labels 0 or 1, parted by tabs"
            )
        guideline = guideline_key(one.get("guideline") or "")
        if guideline not in policies:
            raise InvalidInput(
                f"{path}: row {number}: expected one of HateModerate's {len(policies)} guidelines, "
                f"was: another; {_ALONE}"
            )
        yield {**one, "text": text, "policy": policies[guideline]}


def _read_kinds(path: Path) -> dict[tuple[str, str], int]:
    """Return kinds by id and label: an id alone stands for several texts."""
    if not path.is_file():
        return {}
    return {
        (one["example_id"], one["label"]): int(float(one["type"]))
        for one in _table(path)
        if one.get("type")
    }


def _table(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file, delimiter="\t")
    except FileNotFoundError:
        raise InvalidInput(f"expected a file of rows, was: {path}, which is not there") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path}: expected tab-separated text in UTF-8 ({error})") from None
