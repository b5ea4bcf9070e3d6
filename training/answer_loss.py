"""The loss of a domain's right answers, in prompts as they are served.

A prompt has the domain's definitions and the nearest examples of its store; the right answer is
read behind it, and no answer is generated. So a model is measured in seconds, more evenly than by
F1 on as many sentences. Most words of an answer are only copied; the loss on the labels of its
mentions alone is nearer to F1, but blind to words that should be left untagged. A text is asked
whole, however long. Knows no training.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from index.local import LocalRetriever
from training.loop import logits_of
from training.ner_domains import NerDomain
from training.packed import Lesson, Lessons, Packer
from wraner.answers import GAP, AnswerSpec, write_label
from wraner.chat import ChatEncoder
from wraner.entities import Mention
from wraner.packs import version
from wraner.prompts import render_extraction
from wraner.retrieval import PackRef

_TOGETHER = 4  # prompts that share an instruction in one run of the model


@dataclass(frozen=True, slots=True)
class Questions:
    """Prompts with one instruction; `labels` says which tokens of their answers are of labels."""

    lessons: Lessons
    labels: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class AnswerLoss:
    """In nats a token: of whole answers, and of the labels in them."""

    answers: float
    labels: float


@dataclass(frozen=True)
class Asking:
    """How sentences are asked about.

    A prompt shows the `k` nearest examples, or as many of them as `max_tokens` allow.
    """

    tokenizer: PreTrainedTokenizerBase
    retriever: LocalRetriever
    max_tokens: int
    k: int = 5

    def questions(self, domain: NerDomain) -> tuple[Questions, ...]:
        """Return what is asked about a domain's sentences."""
        chat = ChatEncoder(self.tokenizer)
        pack = PackRef(version(domain.pack), inline=domain.pack)
        near = self.retriever.neighbours_now(pack, [s.text for s in domain.asked], self.k)
        asked = []
        for sentence, found in zip(domain.asked, near, strict=True):
            shown = [n.example for n in found.neighbours]
            prompt = render_extraction(domain.pack.entity_types, shown, sentence.text)
            encoded = chat.encode(prompt, max_tokens=self.max_tokens)
            answer = AnswerSpec(domain.pack.labels, sentence.text).render(sentence.gold)
            ids = (*chat.text_ids(answer), chat.end_of_turn)
            lesson = Lesson(encoded, ids, (0,) * len(encoded.examples))
            asked.append((lesson, (*self._labels(answer, sentence.gold), False)))
        return tuple(_joined(asked[i : i + _TOGETHER]) for i in range(0, len(asked), _TOGETHER))

    def _labels(self, answer: str, gold: Sequence[Mention]) -> Iterator[bool]:
        """Yield of each of an answer's tokens whether it holds a part of a label."""
        tokenize: Any = self.tokenizer
        read = tokenize(
            answer, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        spans = list(_label_spans(answer, gold))
        for start, end in read["offset_mapping"]:
            yield any(start < stop and first < end for first, stop in spans)


@torch.no_grad()
def answer_loss(
    model: torch.nn.Module, packer: Packer, questions: Sequence[Questions]
) -> AnswerLoss:
    """Return the loss over all questions; `packer` must give no weight to the examples shown."""
    model.eval()
    lost: list[torch.Tensor] = []
    for asked in questions:
        packed = packer.pack([asked.lessons])
        logits = logits_of(model, packed).float()
        lost.append(torch.nn.functional.cross_entropy(logits, packed.targets, reduction="none"))
    losses = torch.cat(lost).cpu()
    of_labels = torch.tensor([label for asked in questions for label in asked.labels])
    return AnswerLoss(float(losses.mean()), float(losses[of_labels].mean()))


def _joined(asked: Sequence[tuple[Lesson, tuple[bool, ...]]]) -> Questions:
    lessons, labels = zip(*asked, strict=True)
    return Questions(Lessons(lessons), tuple(chain.from_iterable(labels)))


def _label_spans(answer: str, gold: Sequence[Mention]) -> Iterator[tuple[int, int]]:
    """Yield where the labels stand in an answer; lines of no type have none."""
    written = (write_label(m.label) for m in sorted(gold))
    at = 0
    for line in answer.split("\n")[:-1]:
        if not line.startswith(f"{GAP}: "):
            yield at, at + len(next(written))
        at += len(line) + 1
