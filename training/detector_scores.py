"""Scores that HateModerate's authors published for four detectors, as systems to compare with.

The files have no header; the rows of a label stand in the order of the test file, which their
first column, the row's id, proves. Perspective's lack six rows, which are then not answered.
Source: Zheng et al., Findings of NAACL 2024, section 4 and their repository.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.moderation_results import Decided, System
from training.moderation_rows import ModerationRow
from wraner.errors import InvalidInput

FOLDER = "detector_scores"


@dataclass(frozen=True, slots=True)
class _Detector:
    """How one detector's files are called and read; `column` holds the score."""

    name: str
    means: str
    files: tuple[str, str]
    column: int
    threshold: float
    flags: Callable[[Sequence[str]], bool]


def _files(stem: str) -> tuple[str, str]:
    return f"{stem}_hate.csv", f"{stem}_nonhate.csv"


_DETECTORS = (
    _Detector(
        "Facebook",
        "roberta-hate-speech-dynabench-r1-target answers hate",
        _files("fb_score"),
        2,
        0.5,
        lambda line: line[1] == "hate",
    ),
    _Detector(
        "CardiffNLP",
        "twitter-roberta-base-hate-latest answers HATE",
        _files("cardiffnlp_score"),
        2,
        0.5,
        lambda line: line[1] == "HATE",
    ),
    _Detector(
        "Perspective .5",
        "TOXICITY from .5 on",
        _files("perspective"),
        1,
        0.5,
        lambda line: float(line[1]) >= 0.5,
    ),
    _Detector(
        "Perspective .7",
        "TOXICITY from .7 on",
        _files("perspective"),
        1,
        0.7,
        lambda line: float(line[1]) >= 0.7,
    ),
    _Detector(
        "OpenAI",
        "text-moderation-latest says hate, which is from about .37 on",
        _files("openai_score"),
        3,
        0.37,
        lambda line: line[1] == "True",
    ),
)


def read_detectors(folder: Path, rows: Sequence[ModerationRow]) -> tuple[System, ...]:
    """Read the published scores of the test file's `rows`, all of them and in its order.

    Raises:
        InvalidInput: a file is missing, damaged, or not of these rows.
    """
    return tuple(_read(detector, folder, rows) for detector in _DETECTORS)


def _read(detector: _Detector, folder: Path, rows: Sequence[ModerationRow]) -> System:
    decided: list[Decided] = []
    for name, hateful in zip(detector.files, (True, False), strict=True):
        of_label = [row for row in rows if row.hateful is hateful]
        decided += _align(folder / name, detector, of_label)
    decided.sort(key=lambda one: one.row)
    return System(detector.name, detector.means, detector.threshold, tuple(decided))


def _align(path: Path, detector: _Detector, rows: Sequence[ModerationRow]) -> Iterator[Decided]:
    """Yield the decisions; rows that the file leaves out are passed over."""
    left = iter(rows)
    for number, line in enumerate(_lines(path), start=1):
        row = next((row for row in left if row.id == line[0]), None)
        if row is None:
            raise InvalidInput(
                f"{path}: line {number}: expected the ids of the test file in its order, "
                f"was: {line[0][:20]!r}; evaluate on hatemoderate_test.csv or without detectors"
            )
        try:
            yield Decided(row.number, float(line[detector.column]), detector.flags(line))
        except (IndexError, ValueError):
            raise InvalidInput(
                f"{path}: line {number}: expected a score in column {detector.column + 1}"
            ) from None


def _lines(path: Path) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [line for line in csv.reader(file, delimiter="\t") if line]
    except FileNotFoundError:
        raise InvalidInput(f"expected a detector's scores, was: {path}, not there") from None
