"""Judged texts to learn from: a policy set's wording with the texts of HateModerate.

What is held out or kept for choosing is left out by its letters and digits, and where asked for
with all its near copies. Policies can be left out whole, to see what is known of a policy that was
never taught. Knows no model.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from training.hatemoderate import CollectedText, dev_keys, normalised, read_collected, read_texts
from training.moderation_rows import same_text
from training.near_copies import parts
from wraner.adapters import TrainingData
from wraner.errors import InvalidInput
from wraner.pack_folders import read_examples, read_pack_folder
from wraner.packs import JudgedExample, Policy, PolicySet

_PARTS = 3


class JudgedSettings(BaseModel):
    """Which policies are taught, by which texts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy_set: Path = Path("packs/hate-speech")
    """The pack whose wording of the policies is taught, and its own examples where asked for."""
    more: tuple[Path, ...] = ()
    """Files of further examples of the policy set, taught beside its own."""
    train: Path = Path("hatemoderate/hatemoderate_train.csv")
    """The texts, from the data root."""
    held_out: tuple[Path, ...] = (Path("hatemoderate/hatemoderate_test.csv"),)
    """Files, from the data root, none of whose texts is taught."""
    far: Annotated[int, Field(ge=0, lt=_PARTS)] | None = None
    """Choose by this of three parts of all texts, and teach the other two, which hold no near copy
    of any of its texts; unset: choose by the dev texts."""
    without: tuple[str, ...] = ()
    """Ids of policies that are not taught, nor texts that were collected for them alone."""
    weights: dict[str, float] = Field(default={"dynahate": 2.0})
    """How often texts of a data set are drawn where the whole set is asked about, and by the
    encoder's tuning, as weights; 1 where it is not named."""
    terms: str = "HateModerate (no licence file; upstream corpora carry their own terms)"
    """Licence and origin, for the manifest."""
    own_terms: str = "written for this project, Apache-2.0"
    """The same of the policy set's own examples."""


@dataclass(frozen=True, slots=True)
class TaughtText:
    """A text to learn from. `near` are the policies that it was collected for, breached or not."""

    example: JudgedExample
    near: tuple[str, ...]
    weight: float

    @property
    def breaches(self) -> bool:
        """Whether the text breaches any policy."""
        return bool(self.example.violates)

    def among(self, policies: Container[str]) -> "TaughtText":
        """Return the text as a set of these policies knows it."""
        example = self.example
        complies = (
            example.complies if example.complies == "all" else _of(example.complies, policies)
        )
        violates = _of(example.violates, policies)
        changed = example.model_copy(update={"violates": violates, "complies": complies})
        return TaughtText(changed, _of(self.near, policies), self.weight)


@dataclass(frozen=True, slots=True)
class JudgedTexts:
    """Policies and the texts to teach them by; `dev` is never taught.

    `own` are the policy set's own examples and more of such; `data` names the corpus's texts, then
    those.
    """

    description: str
    policies: tuple[Policy, ...]
    train: tuple[TaughtText, ...]
    dev: tuple[TaughtText, ...]
    own: tuple[TaughtText, ...]
    data: tuple[TrainingData, ...]

    @property
    def asked_of_dev(self) -> "JudgedTexts":
        """The same policies with the texts of `dev` about them in the place of those taught."""
        known = {p.id for p in self.policies}
        dev = tuple(text.among(known) for text in self.dev if not known.isdisjoint(text.near))
        return replace(self, train=dev, dev=(), own=())

    @property
    def pack(self) -> PolicySet:
        """The policies with the taught texts as their examples."""
        return PolicySet(
            description=self.description,
            policies=self.policies,
            examples=tuple(t.example for t in self.train),
        )


def read_judged_texts(settings: JudgedSettings, data: Path) -> JudgedTexts:
    """Read policies and texts.

    Raises:
        InvalidInput: the pack or a file cannot be read, or a policy left out is not among them.
    """
    pack = read_pack_folder(settings.policy_set)
    if not isinstance(pack, PolicySet):
        raise InvalidInput(f"expected a policy set in {settings.policy_set}, was: a domain")
    _check_left_out(settings.without, pack)
    held_out = {same_text(t) for file in settings.held_out for t in read_texts(data / file)}
    texts = [t for t in read_collected(data / settings.train) if same_text(t.text) not in held_out]
    texts.sort(key=lambda text: normalised(text.text))
    everything = settings.model_copy(update={"without": ()})
    chosen = _chosen(texts, settings.far)
    known = {same_text(t.text) for t in chosen}
    train = [_taught(t, settings) for t in texts if same_text(t.text) not in known]
    dev = [_taught(t, everything) for t in chosen]
    taught = tuple(text for text in train if text is not None)
    more = (e for file in settings.more for e in read_examples(file, pack))
    examples = [e for e in (*pack.examples, *more) if isinstance(e, JudgedExample)]
    own = _own_examples(pack, examples, settings.without)
    return JudgedTexts(
        description=pack.description,
        policies=tuple(p for p in pack.policies if p.id not in settings.without),
        train=taught,
        dev=tuple(text for text in dev if text is not None),
        own=own,
        data=(
            TrainingData(name="hatemoderate", terms=settings.terms, sentences=len(taught)),
            TrainingData(
                name=settings.policy_set.name, terms=settings.own_terms, sentences=len(own)
            ),
        ),
    )


def _of(ids: Sequence[str], policies: Container[str]) -> tuple[str, ...]:
    return tuple(i for i in ids if i in policies)


def _chosen(texts: Sequence[CollectedText], far: int | None) -> list[CollectedText]:
    """Return the texts that are not taught."""
    if far is None:
        kept = dev_keys()
        return [t for t in texts if t.key in kept]
    part = parts([t.text for t in texts], [t.dataset for t in texts], _PARTS)
    return [t for t, number in zip(texts, part.tolist(), strict=True) if number == far]


def _own_examples(
    pack: PolicySet, examples: Sequence[JudgedExample], without: Sequence[str]
) -> tuple[TaughtText, ...]:
    """Return examples of a pack's policies, but for those about policies left out alone.

    One that breaches nothing was written for the policy whose id its own id begins with.
    """
    own = []
    for example in examples:
        written_for = (p.id for p in pack.policies if example.id.startswith(f"{p.id}-"))
        about = example.violates or tuple(written_for)
        near = tuple(p for p in about if p not in without)
        if near or not about:
            left = example.model_copy(update={"violates": near if example.violates else ()})
            own.append(TaughtText(left, near, 1.0))
    return tuple(own)


def _taught(text: CollectedText, settings: JudgedSettings) -> TaughtText | None:
    """Return a text without the policies left out; None where it was collected for them alone."""
    near = tuple(p for p in text.policies if p not in settings.without)
    if not near:
        return None
    example = text.example
    if text.hateful:
        example = example.model_copy(update={"violates": near})
    return TaughtText(example, near, settings.weights.get(text.dataset, 1.0))


def _check_left_out(without: Sequence[str], pack: PolicySet) -> None:
    unknown = sorted(set(without) - {p.id for p in pack.policies})
    if unknown:
        raise InvalidInput(
            f"expected ids of policies to leave out, was: {', '.join(unknown)}; the set has "
            f"{', '.join(p.id for p in pack.policies)}"
        )
