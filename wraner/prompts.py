"""Prompts: what a model is asked, for both tasks.

A prompt is an instruction (task, definitions), examples as earlier turns of the conversation, and
the text. It holds words only; `chat` turns it into tokens through the model's own template.
Serving, evaluation and training all ask through this file. Knows no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from wraner.answers import AnswerSpec, FlatText, write_label
from wraner.packs import EntityType, JudgedExample, Policy, PolicySet, TaggedExample

YES, NO = "yes", "no"


@dataclass(frozen=True, slots=True)
class Turn:
    """An example as a turn: the text that was given and the right answer to it."""

    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked. `examples` stand in reading order, the nearest to the text last."""

    instruction: str
    examples: tuple[Turn, ...]
    text: str


def render_extraction(
    types: Sequence[EntityType], neighbours: Sequence[TaggedExample], text: str
) -> Prompt:
    """Ask for the mentions of `types` in `text`.

    `neighbours` come nearest first, as retrieved; of their entities only those of `types` show.
    """
    labels = tuple(t.name for t in types)
    lines = [
        "Find every mention of these types in the text:",
        *(_defined(write_label(t.name), t.definition) for t in types),
        "Answer with the whole text, cut into lines: the type, a colon, the words as they stand in "
        "the text; a dash stands for words of no type.",
    ]
    return Prompt(
        "\n".join(lines),
        tuple(_tagged_turn(example, labels) for example in reversed(neighbours)),
        _flat(text),
    )


def render_judgement(policy: Policy, neighbours: Sequence[JudgedExample], text: str) -> Prompt:
    """Ask whether `text` breaches `policy`; the answer is ``yes`` or ``no``.

    `neighbours` come nearest first; each must name the policy as violated or complied with.
    """
    lines = ["Does the text breach this policy?", policy_words(policy), f"Answer {YES} or {NO}."]
    return Prompt(
        "\n".join(lines),
        tuple(
            Turn(_flat(e.text), YES if policy.id in e.violates else NO)
            for e in reversed(neighbours)
        ),
        _flat(text),
    )


def policy_words(policy: Policy) -> str:
    """Return what a question says of a policy, a line for its definition and for each case."""
    lines = [
        _defined(_one_line(policy.title), policy.definition),
        *(f"A breach: {_one_line(words)}" for words in policy.includes),
        *(f"No breach: {_one_line(words)}" for words in policy.excludes),
    ]
    return "\n".join(lines)


def render_overall(policy_set: PolicySet, text: str) -> Prompt:
    """Ask whether `text` breaches any policy of a set; the answer is ``yes`` or ``no``."""
    lines = [
        "Does the text breach any of these policies?",
        *filter(None, [_one_line(policy_set.description)]),
        *(_one_line(policy.title) for policy in policy_set.policies),
        f"Answer {YES} or {NO}.",
    ]
    return Prompt("\n".join(lines), (), _flat(text))


@lru_cache(maxsize=256)
def _flat(text: str) -> str:
    """Return a text as a prompt has it; one stands in the questions about many policies."""
    return FlatText.of(text).flat


@lru_cache(maxsize=256)
def _tagged_turn(example: TaggedExample, labels: tuple[str, ...]) -> Turn:
    """Return an example as a turn; one stands in the prompts of many windows."""
    spec = AnswerSpec(labels, example.text)
    shown = [m for m in example.entities if m.label in labels]
    return Turn(spec.flat.flat, spec.render(shown))


def _defined(name: str, definition: str) -> str:
    words = _one_line(definition)
    return f"{name}: {words}" if words else name


def _one_line(words: str) -> str:
    return " ".join(words.split())
