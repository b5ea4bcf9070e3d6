"""The training loop: draw, run, sum over workers, update; measure and keep at steps.

A step is a function of the seed and its number: what it teaches is drawn first and shared out to
the workers afterwards, gradients are sums over all of them divided by what all were taught, and
randomness inside the model is seeded anew in every run. So a run that was stopped goes on to the
same weights. Knows no Ray and no files.
"""

import hashlib
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from training import lora
from training.divergence import check_finite
from training.objective import Objective, supervised
from training.packed import Lessons, Packed, Packer
from training.settings import OptimiserSettings, TrainingSettings
from training.world import Alone, World, share_out
from wraner.errors import InvalidInput
from wraner.trimming import give_back

_DEV_TOKENS = 10_000
_REMEMBERED_STEPS = 20


@dataclass(frozen=True, slots=True)
class State:
    """All that a run needs to go on: `step` updates are done.

    `tensors` are fp32: the factors and AdamW's two moments of each, by name. `taught` is a hash of
    what the newest of these updates taught.
    """

    step: int
    tensors: dict[str, torch.Tensor]
    taught: str


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did, over all workers. `loss` is in nats a taught token."""

    step: int
    loss: float
    gradient_norm: float
    learning_rate: float
    tokens: int
    taught_tokens: float
    seconds: float


class Hooks(Protocol):
    """What hears of a run; every worker calls each hook at the same steps."""

    def on_step(self, report: StepReport) -> None:
        """Hear of an update."""
        ...

    def on_evaluated(self, step: int, loss: float) -> None:
        """Hear of the loss on what is never taught."""
        ...

    def on_checkpoint(self, state: State) -> None:
        """Keep a state, or do not."""
        ...


class Drawing(Protocol):
    """Says what each step teaches."""

    def step(self, number: int, *, tokens: int) -> list[Lessons]:
        """Return groups of at least `tokens` in all, a function of the number alone."""
        ...


class Schedule(Protocol):
    """Steps and rates, as the settings of every training here have them."""

    @property
    def steps(self) -> int:
        """Updates in all."""

    @property
    def learning_rate(self) -> float:
        """The highest, at the end of the warm-up."""

    @property
    def warm_up(self) -> float:
        """Share of the steps in which the rate grows linearly from nothing."""

    @property
    def final_rate(self) -> float:
        """Where the cosine ends, as a share of the highest."""


@dataclass(frozen=True)
class Run:
    """What is trained, on what, how. `dev` draws what is never taught."""

    settings: TrainingSettings
    model: torch.nn.Module
    packer: Packer
    drawing: Drawing
    dev: Drawing | None = None
    objective: Objective = supervised
    world: World = field(default_factory=Alone)


def train(
    run: Run, hooks: Hooks, *, start: State | None = None, place: str = "the run's folder"
) -> None:
    """Train to the last step, from `start` or from the beginning.

    `place` is where the run's states are kept, as an error calls it.

    Raises:
        InvalidInput: the steps before `start` would teach something else by now, or a loss is not
            finite.
    """
    settings = run.settings
    taught = _Taught()
    if start is not None:
        _check_taught(run, start, taught, place)
    optimiser = _optimiser(run.model, settings.optimiser)
    done = 0 if start is None else _restore(run.model, optimiser, start)
    noise = _EmbeddingNoise(run.model, settings.regularisers.embedding_noise)
    for step in range(done + 1, settings.optimiser.last_step + 1):
        began = time.monotonic()
        groups = run.drawing.step(step, tokens=settings.optimiser.step_tokens)
        taught.add(groups)
        hooks.on_step(_update(run, optimiser, step, groups, began=began))
        give_back()  # runs differ in size; what the allocator keeps of each would add up
        last = step == settings.optimiser.last_step
        if run.dev is not None and (last or step % settings.evaluate_every == 0):
            hooks.on_evaluated(step, measure(run, run.dev))
        if last or step % settings.checkpoint_every == 0:
            hooks.on_checkpoint(_state(run.model, optimiser, step, taught.digest))
    noise.remove()


class _Taught:
    """What the newest steps taught; to draw all of a long run's again would take minutes."""

    def __init__(self) -> None:
        self._steps: deque[str] = deque(maxlen=_REMEMBERED_STEPS)

    def add(self, groups: Sequence[Lessons]) -> None:
        """Hear of a step."""
        self._steps.append(hashlib.sha256(repr(groups).encode()).hexdigest())

    @property
    def digest(self) -> str:
        """A hash of it."""
        return hashlib.sha256("".join(self._steps).encode()).hexdigest()


def _check_taught(run: Run, start: State, taught: _Taught, place: str) -> None:
    """Refuse to go on where the newest steps so far would teach something else by now."""
    for step in range(max(1, start.step - _REMEMBERED_STEPS + 1), start.step + 1):
        taught.add(run.drawing.step(step, tokens=run.settings.optimiser.step_tokens))
    if taught.digest != start.taught:
        raise InvalidInput(
            f"expected a run whose steps up to {start.step} teach what they taught, was: one "
            f"whose data, wordings or prompts have changed since; restore these, or remove {place} "
            "to begin anew"
        )


@torch.no_grad()
def measure(run: Run, drawing: Drawing) -> float:
    """Return the loss on a fixed draw, in nats a taught token."""
    run.model.eval()
    groups = drawing.step(0, tokens=_DEV_TOKENS)
    total = torch.zeros(2)
    for packed in _runs(run, groups):
        total[0] += run.objective(logits_of(run.model, packed), packed).cpu()
        total[1] += packed.weights.sum().cpu()
    run.world.sum([total])
    run.model.train()
    return float(total[0] / total[1])


def rate(settings: Schedule, step: int) -> float:
    """Return the learning rate of a step, counted from 1: warm-up, then half a cosine."""
    warm = max(1, round(settings.steps * settings.warm_up))
    if step <= warm:
        return settings.learning_rate * step / warm
    share = (step - warm) / max(1, settings.steps - warm)
    cosine = 0.5 * (1 + math.cos(math.pi * share))
    return settings.learning_rate * (settings.final_rate + (1 - settings.final_rate) * cosine)


def _update(
    run: Run, optimiser: torch.optim.AdamW, step: int, groups: Sequence[Lessons], *, began: float
) -> StepReport:
    settings = run.settings.optimiser
    trained = [p for _, p in lora.factors(run.model)]
    run.model.train()
    optimiser.zero_grad(set_to_none=False)
    totals = torch.zeros(2)
    for number, packed in enumerate(_runs(run, groups)):
        torch.manual_seed(hash((run.settings.seed, step, run.world.rank, number)))
        loss = run.objective(logits_of(run.model, packed), packed)
        loss.backward()  # type: ignore[no-untyped-call]
        totals[0] += loss.detach().cpu()
        totals[1] += packed.weights.sum().cpu()
    for parameter in trained:
        if parameter.grad is None:  # a worker that had nothing to do
            parameter.grad = torch.zeros_like(parameter)
    run.world.sum([totals])
    gradients = [p.grad for p in trained if p.grad is not None]
    run.world.sum(gradients)
    for gradient in gradients:
        gradient /= totals[1].item()
    loss_a_token = float(totals[0] / totals[1])
    norm = float(torch.nn.utils.clip_grad_norm_(trained, settings.clip_norm))
    check_finite(step, loss=loss_a_token, gradient_norm=norm)
    for group in optimiser.param_groups:
        group["lr"] = rate(settings, step)
    optimiser.step()
    return StepReport(
        step=step,
        loss=loss_a_token,
        gradient_norm=norm,
        learning_rate=rate(settings, step),
        tokens=sum(g.tokens for g in groups),
        taught_tokens=float(totals[1]),
        seconds=time.monotonic() - began,
    )


def _runs(run: Run, groups: Sequence[Lessons]) -> Iterator[Packed]:
    """Yield this worker's part of some groups in runs of the model."""
    own = share_out(groups, [g.tokens for g in groups], run.world)
    most = room = run.settings.optimiser.run_tokens
    batch: list[Lessons] = []
    for piece in (p for group in own for p in group.pieces(most)):
        if batch and piece.tokens > room:
            yield run.packer.pack(batch)
            batch, room = [], most
        batch.append(piece)
        room -= piece.tokens
    if batch:
        yield run.packer.pack(batch)


def logits_of(model: torch.nn.Module, packed: Packed) -> torch.Tensor:
    """Return the logits of what is taught, computed nowhere else."""
    logits: torch.Tensor = model(
        input_ids=packed.ids,
        position_ids=packed.positions,
        # transformers makes no mask of its own where it is given one of four dimensions
        attention_mask=torch.empty(1, 1, 1, 1),
        use_cache=False,
        logits_to_keep=packed.kept,
        stretches=packed.stretches,
    ).logits
    return logits[0]


def _optimiser(model: torch.nn.Module, settings: OptimiserSettings) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        [p for _, p in lora.factors(model)],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )


def _state(model: torch.nn.Module, optimiser: torch.optim.AdamW, step: int, taught: str) -> State:
    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in lora.factors(model):
        moments = optimiser.state[parameter]
        tensors[f"factor/{name}"] = parameter.detach().cpu().clone()
        tensors[f"first/{name}"] = moments["exp_avg"].cpu().clone()
        tensors[f"second/{name}"] = moments["exp_avg_sq"].cpu().clone()
    return State(step, tensors, taught)


def _restore(model: torch.nn.Module, optimiser: torch.optim.AdamW, state: State) -> int:
    for name, parameter in lora.factors(model):
        with torch.no_grad():
            parameter.copy_(state.tensors[f"factor/{name}"])
        optimiser.state[parameter] = {
            "step": torch.tensor(float(state.step)),
            "exp_avg": state.tensors[f"first/{name}"].to(parameter.device, copy=True),
            "exp_avg_sq": state.tensors[f"second/{name}"].to(parameter.device, copy=True),
        }
    return state.step


class _EmbeddingNoise:
    """Uniform noise on the embeddings of what is read (NEFTune, Jain et al. 2023, section 3)."""

    def __init__(self, model: Any, alpha: float) -> None:
        self._alpha = alpha
        embeddings: torch.nn.Module = model.get_input_embeddings()
        self.remove = embeddings.register_forward_hook(self._add).remove if alpha else _nothing

    def _add(self, module: torch.nn.Module, _: Any, out: torch.Tensor) -> torch.Tensor | None:
        if not module.training:
            return None
        reach = self._alpha / math.sqrt(out.shape[-2] * out.shape[-1])
        return out + torch.empty_like(out).uniform_(-reach, reach)


def _nothing() -> None:
    pass
