"""What a training run is: every setting, frozen and documented, read from a YAML file.

Two runs with the same settings on the same data are the same run; its name is their hash. Knows no
data and no model.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from training.judged_texts import JudgedSettings
from training.settings_file import read_settings_file
from wraner.adapters import Task
from wraner.view import View

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _some(weights: tuple[float, ...]) -> tuple[float, ...]:
    if not sum(weights) > 0:
        raise ValueError(f"expected weights of which one is above 0, was: {list(weights)}")
    return weights


Weights = Annotated[tuple[Amount, ...], AfterValidator(_some)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LoraSettings(_Frozen):
    """The adapter."""

    rank: Count = 32
    """Rank of the two factors that are trained beside each linear layer."""
    alpha: Count = 64
    """The factors' product is scaled by alpha / rank."""
    dropout: Share = 0.0
    """Share of a layer's inputs that the adapter does not see in training."""
    targets: tuple[str, ...] = ()
    """Names of the adapted linear layers; empty: all but the output head."""


class OptimiserSettings(_Frozen):
    """AdamW with a cosine schedule."""

    steps: Count = 400
    """Updates in all, and the length of the schedule."""
    stop: Count | None = None
    """The run ends with this step, before its schedule does; unset: it does not."""
    step_tokens: Count = 8192
    """A step reads lessons until it has so many tokens, on all workers together."""
    run_tokens: Count = 4096
    """One run of the model reads at most so many, or one lesson; it bounds the memory."""
    learning_rate: Rate = 1e-3
    """The highest, at the end of the warm-up."""
    warm_up: Share = 0.05
    """Share of the steps in which the rate grows linearly from nothing."""
    final_rate: Share = 0.05
    """Where the cosine ends, as a share of the highest."""
    weight_decay: Amount = 0.01
    """AdamW's pull of the factors towards nothing."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """The gradient's norm is cut to this."""

    @property
    def last_step(self) -> int:
        """The step that the run ends with."""
        return self.steps if self.stop is None else min(self.stop, self.steps)


class PromptSettings(_Frozen):
    """What a lesson looks like."""

    view: View = View.BESIDE
    """What the examples in a prompt look at; the adapter is served with the same."""
    examples: Weights = (1, 1, 1, 2, 2, 4)
    """How often a prompt shows 0, 1, 2, ... examples, as weights."""
    questions: Count = 4
    """So many texts are asked with one wording; they share its tokens."""
    none_kept: Share = 0.3
    """Share of the drawn texts without any mention asked for that are kept."""
    shown_weight: Amount = 0.5
    """How much an answer among the examples counts, against 1 for the answer asked for."""
    max_tokens: Count = 1536
    """Farther examples are left out of longer prompts."""


class Regularisers(_Frozen):
    """Probabilities, each with a meaning of its own, see `regularisers`; 0 switches one off."""

    mask_types: Share = 0.5
    """That a prompt asks for some of the source's types only."""
    shuffle_types: Share = 1.0
    """That the types stand in another order."""
    shuffle_examples: Share = 0.1
    """That the examples stand in another order than nearest last."""
    synonyms: Share = 0.3
    """That types are called by synonyms."""
    letters: Share = 0.15
    """That types are called by letters, with their definitions."""
    undefined: Share = 0.2
    """That there are names without definitions."""
    paraphrases: Share = 0.5
    """That a type is defined in other words, each type for itself."""
    drop_doubted: Share = 0.0
    """So many of a store's sentences, those whose tags the others doubt most, are never shown; the
    next nearest takes their place. They are still asked about."""
    irrelevant: Share = 0.1
    """That a neighbour is replaced by a random example, each for itself."""
    mistagged: Share = 0.0
    """That a mention in an example shown is lost or mislabelled, each for itself."""
    embedding_noise: Amount = 0.0
    """NEFTune's alpha (Jain et al. 2023): uniform noise of alpha / sqrt(tokens x width)."""


class JudgementSettings(_Frozen):
    """What a judge is taught of policies, and how it is asked."""

    texts: JudgedSettings = JudgedSettings()
    """Policies and texts."""
    overall: Share = 0.5
    """Share of the groups that ask about the whole set; the others ask about one policy."""
    overall_texts: Annotated[int, Field(ge=2)] = 24
    """Texts of a group about the whole set, half of which breach something."""
    policy_texts: Annotated[int, Field(ge=4)] = 12
    """Texts of a group about one policy, half of which breach it; one less where it is odd."""
    shuffle: bool = True
    """Whether policies, and what they include and exclude, stand in another order each time."""
    fewer_cases: Share = 0.3
    """That some of what a policy includes is left out, or all, and of what it excludes; nothing is
    where `shuffle` is off."""
    reworded: Share = 0.0
    """That a policy is called and defined in other words, where there are such for it."""
    numbered: Share = 0.0
    """That a question about one policy calls it by a number, so that its words alone say it."""
    contrasts: bool = True
    """Whether texts that were collected for a policy and breach nothing are asked about it."""
    kept: Annotated[int, Field(ge=0)] = 0
    """At most so many of a group's own examples, of which `own` says how many there are, keep its
    policy and breach another, near one."""
    examples: Weights = (1,)
    """How often a question about one policy shows 0, 1, 2, ... examples a side, as weights."""
    definitions: bool = True
    """Whether questions about one policy show its definition and cases, or its title alone."""
    renamed: Share = 0.0
    """That the groups that a text names are named by others of their kind."""
    retargeted: Share = 0.0
    """Share of the harmless texts that are breaching ones, aimed at whom no policy protects."""
    own: Share = 0.0
    """Share of a group's texts that are the policy set's own examples or `texts.more`, where both
    sides are among them."""
    rules: Share = 0.0
    """Share of the groups about one policy that ask about house rules, see `communities`."""
    strangers: Share = 0.0
    """Share of a house rule's texts on one side that attack groups of people instead, where it is
    known on which side such a text stands."""
    everyday: Share = 0.0
    """Share of the texts that keep a house rule that are everyday messages, where such keep it."""
    turned: Share = 0.0
    """That a house rule is turned into its opposite, and so are the answers."""


class TrainingSettings(_Frozen):
    """A whole run: to extract, by `sources`, or to judge, by `judgements`."""

    base: str = "bundled"
    """The base model: bundled, a folder or a hub id."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """What the frozen weights are multiplied in; the factors are always fp32."""
    sources: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """The source corpora and how often each is drawn, as weights."""
    judgements: JudgementSettings | None = None
    """What is judged, in a run without sources."""
    source_file: Path | None = None
    """Where the sources are configured; by default the ones that ship with the project."""
    most_sentences: Count | None = None
    """So many sentences of a source are indexed, drawn at random; unset: all. Indexing takes about
    20 ms a sentence, once."""
    held_out: tuple[Path, ...] = ()
    """Files, from the data root, with which no training sentence may share 8 words in a row."""
    start: Path | None = None
    """The folder of an adapter of the same shape to go on from; unset: a fresh one."""
    seed: int = Field(default=0, ge=0)
    """Decides about everything that is drawn."""
    lora: LoraSettings = LoraSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    prompts: PromptSettings = PromptSettings()
    regularisers: Regularisers = Regularisers()
    evaluate_every: Count = 100
    """Steps between two measurements of the loss on the sources' dev files."""
    checkpoint_every: Count = 50
    """Steps between two checkpoints."""

    @model_validator(mode="after")
    def _one_task(self) -> Self:
        if bool(self.sources) == (self.judgements is not None):
            raise ValueError("expected either sources or judgements, was: both or neither")
        return self

    @property
    def task(self) -> Task:
        """What the adapter is trained for."""
        return Task.NER if self.judgements is None else Task.MODERATION

    @property
    def identity(self) -> str:
        """A hash of all settings: the run's name."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def read_settings(file: Path) -> TrainingSettings:
    """Read a run's settings.

    Raises:
        InvalidInput: the file cannot be read, or names the field that is wrong.
    """
    return read_settings_file(file, TrainingSettings, named="training settings")
