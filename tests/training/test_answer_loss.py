"""The loss of right answers: served prompts, the plain loss, and which tokens are of labels."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from index.encoders import Encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from tests.training.conftest import TYPES, LetterEncoder
from training.answer_loss import Asking, Questions, answer_loss
from training.loop import Run
from training.ner_domains import AskedSentence, NerDomain, Split
from training.packed import Packer
from training.settings import PromptSettings, TrainingSettings
from training.tree_layout import Masked
from wraner.entities import Mention
from wraner.packs import Domain, EntityType, TaggedExample
from wraner.view import View
from wraner.weights import BaseModel

ASKED = (
    AskedSentence("dev-1", "Eve leaves Hull.", (Mention(0, 3, "person"), Mention(11, 15, "-")), ""),
    AskedSentence("dev-2", "It rains: town: Ulm.", (Mention(16, 19, "-"),), ""),
    AskedSentence("dev-3", "Nobody is here.", (), ""),
    AskedSentence("dev-4", "Fay visits nobody.", (Mention(0, 3, "person"),), ""),
    AskedSentence("dev-5", "Here is Eve.", (Mention(8, 11, "person"),), ""),
)


@pytest.fixture
def domain(sentences: list[TaggedExample]) -> NerDomain:
    """Five sentences to ask about; one type has a name that answers must quote."""
    types = (EntityType(name="person", definition=TYPES[0].definition), EntityType(name="-"))
    examples = tuple(
        e.model_copy(update={"entities": tuple(m for m in e.entities if m.label == "person")})
        for e in sentences
    )
    pack = Domain(description="Trips.", entity_types=types, examples=examples)
    return NerDomain("trips", Split.DEV, pack, (), ASKED, len(ASKED), ())


@pytest.fixture
def tokenizer(tiny_base: BaseModel) -> Any:
    return AutoTokenizer.from_pretrained(tiny_base.path)


def asking(tokenizer: Any, k: int = 2, max_tokens: int = 2048) -> Asking:
    retriever = LocalRetriever(Encoders.same(LetterEncoder()), IndexSettings())
    return Asking(tokenizer, retriever, max_tokens, k=k)


def packer(tokenizer: Any) -> Packer:
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    device = torch.device("cpu")
    return Packer(View.BESIDE, shown_weight=0, end_of_turn=end, dtype=torch.float32, device=device)


def of_labels(tokenizer: Any, questions: Questions) -> list[str]:
    """Return what the tokens of labels read, those side by side as one."""
    ids = [i for lesson in questions.lessons.members for i in lesson.answer]
    found, before = [""], False
    for token, label in zip(ids, questions.labels, strict=True):
        if label and not before:
            found.append("")
        if label:
            found[-1] += tokenizer.decode([token])
        before = label
    return found[1:]


def test_labels_are_those_of_mentions_quoted_or_not(domain: NerDomain, tokenizer: Any) -> None:
    first, second = asking(tokenizer).questions(domain)
    assert of_labels(tokenizer, first) == ["person", '"-"', '"-"', "person"]
    assert of_labels(tokenizer, second) == ["person"]


def test_prompts_are_the_served_ones(domain: NerDomain, tokenizer: Any) -> None:
    first, second = asking(tokenizer).questions(domain)
    members = (*first.lessons.members, *second.lessons.members)
    assert len(members) == len(ASKED)
    for lesson, asked in zip(members, ASKED, strict=True):
        words = tokenizer.decode(lesson.prompt.ids)
        assert len(lesson.prompt.examples) == 2
        assert f"person: {TYPES[0].definition}" in words
        assert words.endswith(f"<|user|>{asked.text}<|end|><|assistant|>")
    assert tokenizer.decode(members[3].answer) == "person: Fay\n-: visits nobody.\n<|end|>"
    near = tokenizer.decode(members[0].prompt.examples[-1])
    assert " leaves " in near  # the nearest stands last


def test_examples_that_do_not_fit_are_left_out(domain: NerDomain, tokenizer: Any) -> None:
    whole = asking(tokenizer).questions(domain)[1].lessons.members[0]
    cut = asking(tokenizer, max_tokens=whole.prompt.tokens - 1).questions(domain)
    assert cut[1].lessons.members[0].prompt.examples == whole.prompt.examples[1:]


def test_the_loss_is_that_of_reading_each_prompt_alone(
    domain: NerDomain, tokenizer: Any, begin: Callable[..., Run]
) -> None:
    # With one example nobody sees another, so the model reads a prompt as any other text.
    settings = TrainingSettings(sources={"towns": 1.0}, prompts=PromptSettings())
    model: Any = begin(settings).model
    questions = asking(tokenizer, k=1).questions(domain)
    found = answer_loss(model, packer(tokenizer), questions)
    lost = []
    for lesson in (m for q in questions for m in q.lessons.members):
        ids = torch.tensor([[*lesson.prompt.ids, *lesson.answer]])
        mask = torch.full((ids.shape[1],) * 2, float("-inf")).triu(1)
        stretch = Masked(0, ids.shape[1], (0, 0), mask)
        with torch.no_grad():
            logits = model(
                ids, attention_mask=torch.empty(1, 1, 1, 1), stretches=(stretch,), use_cache=False
            ).logits[0]
        rows = logits[-len(lesson.answer) - 1 : -1].log_softmax(-1)
        lost += [-float(row[i]) for row, i in zip(rows, lesson.answer, strict=True)]
    flags = [label for q in questions for label in q.labels]
    of_labels = [loss for loss, label in zip(lost, flags, strict=True) if label]
    assert found.answers == pytest.approx(sum(lost) / len(lost), rel=1e-4)
    assert found.labels == pytest.approx(sum(of_labels) / len(of_labels), rel=1e-4)
