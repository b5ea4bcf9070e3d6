"""The ablation: what each run changes, a row of it, that finished rows are not done again."""

from pathlib import Path
from typing import Any

import pytest

from training.judge_ablation import (
    STEPS,
    Row,
    ablate,
    gather,
    settings_of,
    table,
    variants,
)
from training.preparation import Places
from training.settings import TrainingSettings, read_settings
from wraner.errors import InvalidInput

CONFIG = Path(__file__).parents[2] / "training" / "configs" / "moderation.yaml"
BASE = read_settings(CONFIG)
RUNS = variants(("exclude-expel",))
FIGURES = {"overall": 0.5, "near": 0.6, "which": 0.7, "opposite": 0.8}


class Laboratory:
    """Notes what it is asked to run."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def row(self, variant: Any, settings: TrainingSettings, places: Places) -> Row:
        """Return figures that say nothing."""
        self.names.append(variant.name)
        return Row(
            name=variant.name,
            settings=settings.identity,
            tokens=1,
            seconds=0.0,
            dev=FIGURES,
            titles_alone=0.65,
            unseen=0.55,
        )


def test_every_run_differs_from_the_first_in_what_it_says() -> None:
    assert len({settings_of(v, BASE).identity for v in RUNS}) == len(RUNS)
    for variant in RUNS:
        settings = settings_of(variant, BASE)
        assert settings.optimiser.last_step == STEPS
        judgements = settings.judgements
        assert judgements is not None and BASE.judgements is not None
        shown = {**dict(judgements), "without": judgements.texts.without}
        before = {**dict(BASE.judgements), "without": BASE.judgements.texts.without}
        changed = {name for name in shown if name != "texts" and shown[name] != before[name]}
        assert changed == set(variant.changed)


def test_finished_rows_are_not_done_again(tmp_path: Path) -> None:
    laboratory = Laboratory()
    places = Places(tmp_path, tmp_path)
    first = ablate(laboratory, BASE, RUNS[:2], places, out=tmp_path / "out")
    again = ablate(laboratory, BASE, RUNS[:3], places, out=tmp_path / "out")
    assert again[:2] == first
    assert laboratory.names == [v.name for v in RUNS[:3]]


def test_the_table_has_a_line_a_run(tmp_path: Path) -> None:
    laboratory = Laboratory()
    rows = ablate(laboratory, BASE, RUNS[:1], Places(tmp_path, tmp_path), out=tmp_path)
    expected = "| as the config says | 0.500 | 0.600 | 0.700 | 0.800 | 0.650 | 0.550 |"
    assert expected in table(rows).splitlines()


def test_settings_without_judgements_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="settings with judgements"):
        gather(TrainingSettings(sources={"towns": 1.0}), (), tmp_path)
