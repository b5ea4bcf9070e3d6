"""The screen: what it turns, what it runs, that it goes on where it stopped, and its table."""

import sys
from pathlib import Path

import pytest

from training.factorial import RUNS, design
from training.finished_runs import Finished, carry_on
from training.screen import CONFIG, confirmation, main, screen_settings, shortened, sized
from training.screen_factors import FACTORS, UNSCREENED, Factor, settings_at
from training.screen_run import Outcome
from training.screen_tables import SEEDS, confirmed, table
from training.settings import Regularisers, TrainingSettings, read_settings
from wraner.errors import InvalidInput

SETTINGS = TrainingSettings(sources={"towns": 1.0})
LOW, HIGH = (-1,) * 8, (1,) * 8


class Laboratory:
    """Notes what it is asked to run; `until` runs are well, the next breaks off."""

    def __init__(self, until: int = RUNS) -> None:
        self.asked: list[TrainingSettings] = []
        self._until = until

    def run(self, settings: TrainingSettings) -> Outcome:
        """Return an F1 that masking (+2), examples (+1) and, with both, the seed move."""
        if len(self.asked) == self._until:
            raise InterruptedError
        self.asked.append(settings)
        masked = settings.regularisers.mask_types > 0
        varied = len(set(settings.prompts.examples)) > 2
        f1 = 30.0 + 2 * masked + varied + masked * settings.seed
        return Outcome(f1=f1, interval=(f1 - 1, f1 + 1), tokens=1000 + masked)


def screen(folder: Path, laboratory: Laboratory) -> tuple[Finished[Outcome], ...]:
    return finished(screen_settings(SETTINGS), folder, laboratory)


def finished(
    runs: list[TrainingSettings], folder: Path, laboratory: Laboratory
) -> tuple[Finished[Outcome], ...]:
    return carry_on(runs, folder / "runs.jsonl", laboratory.run, Finished[Outcome], say=quiet)


def quiet(_: str) -> None: ...


def test_low_is_off_and_high_is_the_default_where_that_is_on() -> None:
    low, high = settings_at(LOW, SETTINGS), settings_at(HIGH, SETTINGS)
    own = {"shuffle_types", "shuffle_examples"}
    assert {f for f, value in low.regularisers if value} == own
    assert low.prompts.examples == (0, 0, 0, 0, 0, 1)
    assert low.lora.dropout == low.optimiser.weight_decay == 0
    added = {"mistagged": 0.05, "embedding_noise": 5.0}
    assert high.regularisers == Regularisers(**added)
    assert high.prompts == SETTINGS.prompts
    assert high.lora.dropout == high.optimiser.weight_decay == 0.1


def test_every_factor_turns_dials_of_its_own() -> None:
    dials = [(d.section, d.field) for factor in (*FACTORS, *UNSCREENED) for d in factor.dials]
    assert len(set(dials)) == len(dials)
    for number in range(len(FACTORS)):
        levels = tuple(1 if i == number else -1 for i in range(len(FACTORS)))
        assert settings_at(levels, SETTINGS) != settings_at(LOW, SETTINGS)


@pytest.mark.parametrize("factor", UNSCREENED, ids=lambda factor: factor.name)
def test_the_shipped_settings_are_one_level_of_what_was_not_screened(factor: Factor) -> None:
    chosen = read_settings(CONFIG)
    assert [factor.at(level, chosen) == chosen for level in (-1, 1)] in (
        [True, False],
        [False, True],
    )


def test_whether_doubted_examples_are_removed_can_be_confirmed() -> None:
    factor = next(f for f in UNSCREENED if f.name == "doubted examples removed")
    runs = confirmation(factor, shortened(read_settings(CONFIG)))
    assert [r.regularisers.drop_doubted for r in runs] == [0.0, 0.2] * len(SEEDS)


def test_the_shipped_settings_can_be_screened() -> None:
    chosen = shortened(read_settings(CONFIG))
    assert len({settings_at(levels, chosen).identity for levels in design(8)}) == RUNS


def test_a_stopped_screen_goes_on_and_runs_nothing_twice(tmp_path: Path) -> None:
    whole = screen(tmp_path / "whole", Laboratory())
    stopped, rest = Laboratory(until=5), Laboratory()
    with pytest.raises(InterruptedError):
        screen(tmp_path / "stopped", stopped)
    file = tmp_path / "stopped" / "runs.jsonl"
    with file.open("a") as out:
        out.write('{"settings": "79')  # as if it was stopped while it wrote
    both = screen(tmp_path / "stopped", rest)
    assert [f.outcome for f in both] == [f.outcome for f in whole]
    assert [*stopped.asked, *rest.asked] == [settings_at(r, SETTINGS) for r in design(8)]
    assert len(file.read_text().splitlines()) == RUNS
    assert screen(tmp_path / "stopped", Laboratory(until=0)) == both


def test_runs_of_equal_settings_are_shared(tmp_path: Path) -> None:
    masked, renamed = (confirmation(factor, SETTINGS) for factor in FACTORS[:2])
    first = finished(masked, tmp_path, Laboratory())
    laboratory = Laboratory()
    second = finished(renamed, tmp_path, laboratory)
    assert second[1::2] == first[1::2]
    assert laboratory.asked == renamed[::2]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_text("{}\n")
    with pytest.raises(InvalidInput, match=r"is damaged: .* remove it to begin anew"):
        screen(tmp_path, Laboratory(until=0))


def test_the_table_has_the_effects(tmp_path: Path) -> None:
    found = table(screen(tmp_path, Laboratory())).splitlines()
    assert "| types masked: mask_types 0.0 or mask_types 0.5 | +2.0 |" in found
    sizes = [line.split(" | ")[-1] for line in found[2:10]]
    assert sizes[4] == "+1.0 |"
    assert [s.lstrip("+-") for i, s in enumerate(sizes) if i not in (0, 4)] == ["0.0 |"] * 6
    assert "| mean of all runs | +31.5 |" in found
    assert found[-1].endswith("16 runs of 1,000 to 1,001 tokens.")


def test_a_confirmation_turns_one_factor_under_other_seeds(tmp_path: Path) -> None:
    runs = confirmation(FACTORS[0], SETTINGS)
    assert [r.seed for r in runs] == [seed for seed in SEEDS for _ in range(2)]
    assert [r.regularisers.mask_types for r in runs] == [0.0, 0.5] * len(SEEDS)
    own = {"mask_types"}
    assert all(
        r.regularisers.model_dump(exclude=own) == SETTINGS.regularisers.model_dump(exclude=own)
        for r in runs
    )
    found = confirmed(FACTORS[0], finished(runs, tmp_path, Laboratory())).splitlines()
    assert found[2:5] == [
        "| 1 | 31.0 | 34.0 | +3.0 |",
        "| 2 | 31.0 | 35.0 | +4.0 |",
        "| 3 | 31.0 | 36.0 | +5.0 |",
    ]
    assert found[5] == "| mean | | | +4.0, standard error 0.6 |"
    assert found[-1] == "6 runs of 1,000 to 1,001 tokens."


def test_a_full_screen_has_the_configs_own_budget() -> None:
    chosen = read_settings(CONFIG)
    full, short = sized(full=True), sized(full=False)
    assert full.settings == chosen
    assert short.settings == shortened(chosen)
    assert short.sentences < full.sentences
    identities = {s.identity for size in (full, short) for s in screen_settings(size.settings)}
    assert len(identities) == 2 * RUNS  # so both can be kept in one folder


@pytest.mark.parametrize("full", [False, True])
def test_a_screen_that_is_finished_reads_no_data(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    full: bool,
) -> None:
    runs = screen_settings(sized(full=full).settings)
    expected = table(finished(runs, tmp_path / "out", Laboratory()))
    asked = ["--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["screen", *asked, *["--full"] * full])
    assert main() == 0
    assert capsys.readouterr().out == expected
