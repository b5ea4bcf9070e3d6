"""The loop: it learns, goes on to the bit where it stopped, and works the same on two workers."""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from training import checkpoints, lora
from training.loop import Drawing, Run, Schedule, State, StepReport, measure, rate, train
from training.objective import supervised
from training.packed import Lessons, Packed, Packer
from training.policy_settings import PolicySettings
from training.settings import OptimiserSettings, PromptSettings, Regularisers, TrainingSettings
from training.word_settings import WordSettings
from training.world import share_out
from wraner.errors import InvalidInput


def settings(**changes: Any) -> TrainingSettings:
    given: dict[str, Any] = {
        "sources": {"towns": 1.0},
        "optimiser": OptimiserSettings(
            steps=4, step_tokens=1500, run_tokens=800, learning_rate=0.02, warm_up=0.25
        ),
        "prompts": PromptSettings(questions=1, examples=(0, 1, 1)),
        "checkpoint_every": 2,
    }
    return TrainingSettings(**given | changes)


class Heard:
    """Hooks that remember; `until` stops the run behind a checkpoint, as a crash would."""

    def __init__(self, until: int | None = None) -> None:
        self.steps: list[StepReport] = []
        self.states: list[State] = []
        self.dev: list[float] = []
        self._until = until

    def on_step(self, report: StepReport) -> None:
        self.steps.append(report)

    def on_evaluated(self, step: int, loss: float) -> None:
        self.dev.append(loss)

    def on_checkpoint(self, state: State) -> None:
        self.states.append(state)
        if state.step == self._until:
            raise InterruptedError


def one_step(**optimiser: float) -> TrainingSettings:
    """Settings of a single update, at the full rate."""
    whole = settings()
    changes = {"steps": 1, **optimiser}
    return whole.model_copy(update={"optimiser": whole.optimiser.model_copy(update=changes)})


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in lora.factors(run.model)}


Begin = Callable[..., Run]


def test_the_loss_falls(begin: Begin) -> None:
    chosen = settings()
    longer = chosen.optimiser.model_copy(update={"steps": 12})
    run = begin(chosen.model_copy(update={"optimiser": longer}))
    before = measure(run, run.drawing)
    train(run, Heard())
    assert measure(run, run.drawing) < before - 0.02


def test_another_objective_is_what_is_trained_and_measured(begin: Begin) -> None:
    def doubled(logits: torch.Tensor, run: Packed) -> torch.Tensor:
        return 2 * supervised(logits, run)

    usual, other = begin(one_step()), replace(begin(one_step()), objective=doubled)
    assert measure(other, other.drawing) == pytest.approx(2 * measure(usual, usual.drawing))
    heard = [Heard(), Heard()]
    for run, hooks in zip((usual, other), heard, strict=True):
        train(run, hooks)
    (expected,), (report,) = (hooks.steps for hooks in heard)
    assert report.loss == pytest.approx(2 * expected.loss)
    assert report.gradient_norm == pytest.approx(2 * expected.gradient_norm)


@pytest.mark.parametrize("factor", [math.inf, math.nan])
def test_a_loss_that_is_not_finite_ends_the_run_before_it_spoils_a_weight(
    begin: Begin, factor: float
) -> None:
    def diverged(logits: torch.Tensor, run: Packed) -> torch.Tensor:
        return factor * supervised(logits, run)

    run, heard = replace(begin(one_step()), objective=diverged), Heard()
    before = weights(run)
    with pytest.raises(
        InvalidInput, match=r"finite gradient, was: .* at step 1; lower the learning rate"
    ):
        train(run, heard)
    assert heard.steps == [] and heard.states == []
    assert all(torch.equal(w, before[name]) for name, w in weights(run).items())


def test_a_long_gradient_is_cut(begin: Begin) -> None:
    heard = Heard()
    train(begin(one_step(clip_norm=1e-3)), heard)
    (report,), (state,) = heard.steps, heard.states
    assert report.gradient_norm > 2e-3, "it is told as it was"
    first = [t.flatten() for name, t in state.tensors.items() if name.startswith("first/")]
    # AdamW's first moment behind one step: a tenth of the gradient that it was given
    assert torch.cat(first).norm().item() == pytest.approx(1e-4, rel=1e-3)


def test_weights_decay_by_the_rate(begin: Begin) -> None:
    runs = [begin(one_step(weight_decay=decay)) for decay in (0.0, 3.0)]
    before, highest = weights(runs[0]), one_step().optimiser.learning_rate
    for run in runs:
        train(run, Heard())
    free, decayed = map(weights, runs)
    for name, start in before.items():
        expected = free[name] - 3.0 * highest * start
        assert torch.allclose(decayed[name], expected, atol=1e-6), name
    assert any(not torch.equal(free[name], decayed[name]) for name in before)


class Measuring:
    """A packer that remembers how many tokens each run of the model reads."""

    def __init__(self, packer: Packer) -> None:
        self.tokens: list[int] = []
        self._packer = packer

    def pack(self, groups: Sequence[Lessons]) -> Packed:
        packed = self._packer.pack(groups)
        self.tokens.append(packed.ids.shape[1])
        return packed


def test_a_group_that_is_longer_than_a_run_is_taught_in_pieces_by_the_same_gradient(
    begin: Begin,
) -> None:
    read, gradients = [], []
    for most in (100_000, 1000, 1):
        usual = one_step(run_tokens=most, step_tokens=1, clip_norm=1e9)
        run = begin(usual.model_copy(update={"prompts": PromptSettings(questions=4)}))
        heard, packer = Heard(), Measuring(run.packer)
        train(replace(run, packer=packer), heard)  # type: ignore[arg-type]
        read.append(packer.tokens)
        (report,), (state,) = heard.steps, heard.states
        moments = [t.flatten() for name, t in state.tensors.items() if name.startswith("first/")]
        gradients.append(torch.cat([*moments, torch.tensor([report.loss, report.taught_tokens])]))
    whole, pieces, alone = read
    assert len(whole) == 1 and max(pieces) <= 1000 and 1 < len(pieces) < len(alone) == 4
    for pieced in gradients[1:]:
        torch.testing.assert_close(pieced, gradients[0], rtol=1e-4, atol=1e-6)


def test_noise_falls_on_what_is_taught_and_never_on_what_is_measured(begin: Begin) -> None:
    ended = []
    for noise in (0.0, 5.0):
        run = begin(settings(regularisers=Regularisers(embedding_noise=noise)))
        heard = Heard()
        train(replace(run, dev=run.drawing), heard)
        # at its end, when nothing of the noise is left behind
        assert heard.dev == [measure(run, run.drawing)]
        ended.append(weights(run))
    quiet, noisy = ended
    assert all(not torch.equal(noisy[name], w) for name, w in quiet.items())


@pytest.mark.parametrize(
    ("noise", "dtype"), [(0.0, "float32"), (5.0, "float32"), (5.0, "bfloat16")]
)
def test_a_stopped_run_ends_with_the_same_weights_to_the_bit(
    begin: Begin, noise: float, dtype: str, tmp_path: Path
) -> None:
    chosen = settings(regularisers=Regularisers(embedding_noise=noise), dtype=dtype)
    chosen = chosen.model_copy(update={"lora": chosen.lora.model_copy(update={"dropout": 0.2})})
    whole = begin(chosen)
    train(whole, Heard())
    stopped, heard = begin(chosen), Heard(until=2)
    with pytest.raises(InterruptedError):
        train(stopped, heard)
    checkpoints.keep(tmp_path, heard.states[-1], run=chosen.identity)
    resumed = begin(chosen)
    train(resumed, Heard(), start=checkpoints.latest(tmp_path, run=chosen.identity))
    for name, expected in weights(whole).items():
        assert torch.equal(weights(resumed)[name], expected), name


class Together:
    """Workers in threads of one process that sum through shared memory."""

    def __init__(self, rank: int, size: int, meeting: "Meeting") -> None:
        self.rank, self.size = rank, size
        self._meeting = meeting

    def sum(self, tensors: Sequence[torch.Tensor]) -> None:
        self._meeting.sum(self.rank, tensors)


class Meeting:
    def __init__(self, size: int) -> None:
        self._barrier = threading.Barrier(size, timeout=60)
        self._given: list[list[torch.Tensor]] = [[] for _ in range(size)]

    def sum(self, rank: int, tensors: Sequence[torch.Tensor]) -> None:
        self._given[rank] = [t.detach().clone() for t in tensors]
        self._barrier.wait()
        totals = [
            sum(parts[1:], start=parts[0].clone()) for parts in zip(*self._given, strict=True)
        ]
        self._barrier.wait()
        for tensor, total in zip(tensors, totals, strict=True):
            tensor.copy_(total)


def test_two_workers_see_the_loss_that_one_sees(begin: Begin) -> None:
    chosen = settings(regularisers=Regularisers(embedding_noise=0.0))
    alone = Heard()
    train(begin(chosen), alone)
    meeting, heard = Meeting(2), [Heard(), Heard()]
    runs = [begin(chosen, Together(rank, 2, meeting)) for rank in range(2)]
    workers = [
        threading.Thread(target=train, args=(run, hooks))
        for run, hooks in zip(runs, heard, strict=True)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    expected = [r.loss for r in alone.steps]
    for hooks in heard:
        assert [r.loss for r in hooks.steps] == pytest.approx(expected, rel=1e-5)
    for name, own in weights(runs[0]).items():
        assert torch.equal(own, weights(runs[1])[name]), name


def test_work_is_shared_out_once_and_evenly() -> None:
    class Worker:
        def __init__(self, rank: int) -> None:
            self.rank, self.size = rank, 3

        def sum(self, tensors: Sequence[torch.Tensor]) -> None: ...

    sizes = [9, 1, 8, 2, 7, 3, 6, 4, 5]
    parts = [share_out(sizes, sizes, Worker(rank)) for rank in range(3)]
    assert sorted(i for part in parts for i in part) == sorted(sizes)
    assert max(map(sum, parts)) - min(map(sum, parts)) <= 2


FALLING = {"steps": 100, "warm_up": 0.1, "learning_rate": 2.0, "final_rate": 0.1}


@pytest.mark.parametrize(
    "chosen",
    [
        OptimiserSettings.model_validate(FALLING),
        PolicySettings.model_validate(FALLING),
        WordSettings.model_validate({"sources": {"towns": 1.0}, **FALLING}),
    ],
    ids=lambda chosen: type(chosen).__name__,
)
def test_the_rate_warms_up_and_falls(chosen: Schedule) -> None:
    rates = [rate(chosen, step) for step in range(1, 101)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[9] == 2.0
    assert rates[-1] == pytest.approx(0.2)
    assert rates[9:] == sorted(rates[9:], reverse=True)


class Changed:
    """A drawing that teaches something else from a step on."""

    def __init__(self, drawing: Drawing, first: int) -> None:
        self._drawing, self._first = drawing, first

    def step(self, number: int, *, tokens: int) -> list[Lessons]:
        later = 100 if number >= self._first else 0
        return self._drawing.step(number + later, tokens=tokens)


def test_a_run_whose_data_changed_does_not_go_on(begin: Begin) -> None:
    heard = Heard()
    train(begin(settings()), heard)
    start = heard.states[0]
    whole = begin(settings())
    for first in (1, start.step):
        changed = replace(whole, drawing=Changed(whole.drawing, first))
        with pytest.raises(InvalidInput, match=r"changed since; restore .* remove kept/run to"):
            train(changed, Heard(), start=start, place="kept/run")
    train(replace(whole, drawing=Changed(whole.drawing, start.step + 1)), Heard(), start=start)


def test_only_the_newest_checkpoints_are_kept(tmp_path: Path) -> None:
    for step in (2, 4, 6, 100):
        checkpoints.keep(tmp_path, State(step, {"factor/x": torch.ones(2)}, "t"), run="r")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["000006", "000100"]
    found = checkpoints.latest(tmp_path, run="r")
    assert found is not None and found.step == 100


@pytest.mark.parametrize("file", ["state.safetensors", "state.json"])
def test_a_damaged_checkpoint_says_so(tmp_path: Path, file: str) -> None:
    folder = checkpoints.keep(tmp_path, State(2, {"factor/x": torch.ones(2)}, "t"), run="r")
    (folder / file).write_bytes(b"{")
    with pytest.raises(InvalidInput, match=r"is damaged .* remove it"):
        checkpoints.latest(tmp_path, run="r")


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    checkpoints.keep(tmp_path, State(2, {"factor/x": torch.ones(2)}, "t"), run="r")
    with pytest.raises(InvalidInput, match="expected a checkpoint of run s, was: one of run r"):
        checkpoints.latest(tmp_path, run="s")
