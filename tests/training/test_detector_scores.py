from pathlib import Path

import pytest

from tests.training.moderation_examples import row
from training.calibration_scores import calibration_error, score_bins
from training.detector_scores import FOLDER, read_detectors
from training.moderation_cases import Case, all_cases
from training.moderation_intervals import auroc_interval
from training.moderation_results import System
from training.moderation_rows import ModerationRow, read_rows
from training.moderation_scores import (
    find_oracle,
    score_failures,
    score_kinds,
    score_policies,
    score_tiers,
)
from wraner.errors import InvalidInput
from wraner.pack_folders import read_definitions
from wraner.packs import PolicySet

ROWS = [row(1, "mock", True), row(2, "mock", False), row(3, "accuse", True)]
FILES = {
    "fb_score_hate.csv": "id-1\thate\t0.9\tx\nid-3\tnothate\t0.2\tx\n",
    "fb_score_nonhate.csv": "id-2\tnothate\t0.3\tx\n",
    "cardiffnlp_score_hate.csv": "id-1\tNOT-HATE\t0.1\tx\nid-3\tHATE\t0.6\tx\n",
    "cardiffnlp_score_nonhate.csv": "id-2\tHATE\t0.7\tx\n",
    "perspective_hate.csv": "id-3\t0.6\t1\n",
    "perspective_nonhate.csv": "id-2\t0.8\t0\n",
    "openai_score_hate.csv": "id-1\tTrue\tFalse\t0.9\nid-3\tFalse\tTrue\t0.2\n",
    "openai_score_nonhate.csv": "id-2\tFalse\tFalse\t0.1\n",
}


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    for name, lines in FILES.items():
        (tmp_path / name).write_text(lines)
    return tmp_path


def test_each_file_is_read_in_its_own_way(scores: Path) -> None:
    decided = {s.name: [(d.row, d.score, d.flagged) for d in s.decided] for s in read(scores)}
    assert decided == {
        "Facebook": [(1, 0.9, True), (2, 0.3, False), (3, 0.2, False)],
        "CardiffNLP": [(1, 0.1, False), (2, 0.7, True), (3, 0.6, True)],
        "Perspective .5": [(2, 0.8, True), (3, 0.6, True)],  # its files lack row 1
        "Perspective .7": [(2, 0.8, True), (3, 0.6, False)],
        "OpenAI": [(1, 0.9, True), (2, 0.1, False), (3, 0.2, False)],
    }


def read(folder: Path, rows: list[ModerationRow] = ROWS) -> tuple[System, ...]:
    return read_detectors(folder, rows)


def test_files_of_other_rows_are_refused(scores: Path) -> None:
    with pytest.raises(InvalidInput, match="line 2: expected the ids of the test file"):
        read(scores, ROWS[:2])
    (scores / "fb_score_hate.csv").write_text("id-1\thate\tmuch\tx\n")
    with pytest.raises(InvalidInput, match="line 1: expected a score in column 3"):
        read(scores)
    (scores / "fb_score_hate.csv").unlink()
    with pytest.raises(InvalidInput, match="not there"):
        read(scores)


@pytest.fixture(scope="module")
def published(hatemoderate: Path) -> dict[str, list[Case]]:
    rows = read_rows(hatemoderate, "hatemoderate_test.csv").rows
    systems = read_detectors(hatemoderate / FOLDER, rows)
    return {system.name: all_cases(rows, system) for system in systems}


@pytest.mark.parametrize(
    ("name", "hateful", "other", "overall", "area"),
    [
        ("Facebook", 0.399, 0.636, 0.507, 0.477),
        ("CardiffNLP", 0.390, 0.416, 0.402, 0.614),
        ("Perspective .5", 0.252, 0.637, 0.428, 0.528),
        ("Perspective .7", 0.600, 0.406, 0.511, 0.528),
        ("OpenAI", 0.284, 0.259, 0.273, 0.817),
    ],
)
def test_published_scores_give_the_figures_known_of_them(
    published: dict[str, list[Case]],
    name: str,
    hateful: float,
    other: float,
    overall: float,
    area: float,
) -> None:
    cases = published[name]
    failures = score_failures(cases)
    found = [failures.hateful, failures.other, failures.overall]
    keys, positive = [c.key for c in cases], [c.hateful for c in cases]
    found.append(auroc_interval(keys, positive=positive, scores=[c.score for c in cases]))
    # within one of the third digit, to which they are known
    assert [f.value for f in found if f] == pytest.approx(
        [hateful, other, overall, area], abs=0.001
    )
    oracle, error = find_oracle(cases), calibration_error(score_bins(cases))
    assert oracle is not None and oracle.overall <= overall + 0.001
    assert error is not None and 0.1 < error < 0.5


@pytest.mark.parametrize(
    ("name", "hateful", "other"),
    [
        ("Facebook", [0.40, 0.34, 0.63, 0.61], [0.52, 0.69, 0.39, 0.40]),
        ("CardiffNLP", [0.38, 0.37, 0.57, 0.53], [0.39, 0.40, 0.33, 0.36]),
        ("OpenAI", [0.22, 0.30, 0.50, 0.46], [0.31, 0.24, 0.27, 0.17]),
    ],
)
def test_tiers_are_those_of_the_published_table(
    published: dict[str, list[Case]],
    name: str,
    hateful: list[float],
    other: list[float],
) -> None:
    pack = read_definitions(Path(__file__).parents[2] / "packs" / "hate-speech")
    assert isinstance(pack, PolicySet)
    tiers = {p.id: p.tier for p in pack.policies}
    cases = published[name]
    *found, _ = score_tiers(score_policies(cases, tiers))
    assert [t.policies for t in found] == [14, 19, 5, 3]
    assert [round(t.hateful or 0, 2) for t in found] == hateful
    assert [round(t.other or 0, 2) for t in found] == other
    if name == "OpenAI":
        kinds = [k.failure or 0 for k in score_kinds(cases)]
        assert kinds == pytest.approx([0.396, 0.155, 0.167, 0.222], abs=0.001)
