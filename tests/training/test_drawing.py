"""What a step teaches: the same for the same seed and step, and prompts as they are served."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tests.training.conftest import PEOPLE, PLACES, TYPES, LetterEncoder
from training.corpus import Corpus, StoreSettings, open_corpus
from training.drawing import Drawing, Supply
from training.packed import Lesson, Lessons
from training.settings import PromptSettings, Regularisers
from wraner.answers import AnswerSpec
from wraner.chat import ChatEncoder
from wraner.packs import EntityType, TaggedExample
from wraner.prompts import render_extraction
from wraner.weights import BaseModel

QUIET = Regularisers(
    mask_types=0,
    shuffle_types=0,
    shuffle_examples=0,
    synonyms=0,
    letters=0,
    undefined=0,
    paraphrases=0,
    irrelevant=0,
)


@pytest.fixture(scope="module")
def tokenizer(tiny_base: BaseModel) -> PreTrainedTokenizerBase:
    loaded: Any = AutoTokenizer.from_pretrained(tiny_base.path)
    return loaded


def drawing(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase, *, seed: int = 0, **changes: Any
) -> Drawing:
    regularise = changes.pop("regularise", Regularisers())
    return Drawing(
        [Supply(corpus, TYPES, 1.0)],
        ChatEncoder(tokenizer),
        seed=seed,
        prompts=PromptSettings(**({"questions": 2} | changes)),
        regularise=regularise,
    )


def test_a_step_is_a_function_of_seed_and_number(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase
) -> None:
    first, again = (drawing(corpus, tokenizer) for _ in range(2))
    third = first.step(3, tokens=5000)
    assert third == again.step(3, tokens=5000), "whatever was drawn before"
    assert third != first.step(4, tokens=5000)
    assert third != drawing(corpus, tokenizer, seed=1).step(3, tokens=5000)


def test_a_step_has_as_many_tokens_as_it_must(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase
) -> None:
    groups = drawing(corpus, tokenizer).step(1, tokens=5000)
    assert sum(g.tokens for g in groups) >= 5000 > sum(g.tokens for g in groups[:-1])


def read(tokenizer: PreTrainedTokenizerBase, lesson: Lesson) -> tuple[str, str]:
    return tokenizer.decode(lesson.prompt.ids), tokenizer.decode(lesson.answer)


def test_without_regularisers_a_lesson_is_the_prompt_that_serves(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase
) -> None:
    drawn = drawing(corpus, tokenizer, regularise=QUIET, examples=(0, 0, 1), none_kept=1)
    types = [EntityType(name=t.name, definition=t.definition) for t in TYPES]
    numbers = {corpus.example(i).text: i for i in range(len(corpus))}
    for group in drawn.step(1, tokens=4000):
        for lesson in group.members:
            prompt, answer = read(tokenizer, lesson)
            asked = next(
                text for text in numbers if f"<|user|>{text}<|end|><|assistant|>" in prompt[-60:]
            )
            example = corpus.example(numbers[asked])
            near = [corpus.example(i) for i in corpus.neighbours(numbers[asked])[:2]]
            served = render_extraction(types, near, asked)
            encoded = ChatEncoder(tokenizer).encode(served, max_tokens=10_000)
            assert lesson.prompt == encoded
            spec = AnswerSpec(tuple(t.name for t in TYPES), asked)
            assert answer == spec.render(example.entities) + "<|end|>"


def test_the_text_asked_is_never_among_its_examples(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase
) -> None:
    noisy = Regularisers(irrelevant=0.5)
    for group in drawing(corpus, tokenizer, regularise=noisy).step(2, tokens=8000):
        for lesson in group.members:
            asked = tokenizer.decode(lesson.prompt.query).split("<|user|>")[1].split("<|end|>")[0]
            shown = [tokenizer.decode(e) for e in lesson.prompt.examples]
            assert not [s for s in shown if asked in s]


def asked_and_shown(
    groups: list[Lessons], tokenizer: PreTrainedTokenizerBase
) -> list[tuple[str, list[str]]]:
    """Return each lesson's text, and the texts of its examples."""

    def text(ids: Sequence[int]) -> str:
        return tokenizer.decode(ids).split("<|user|>")[1].split("<|end|>")[0]

    return [
        (text(lesson.prompt.query), [text(e) for e in lesson.prompt.examples])
        for group in groups
        for lesson in group.members
    ]


def one_store(examples: list[TaggedExample], cache: Path) -> Corpus:
    settings = StoreSettings(smallest=len(examples), largest=len(examples), kept=12)
    return open_corpus("one", examples, LetterEncoder(), cache=cache, settings=settings)


@pytest.fixture(scope="module")
def doubted(sentences: list[TaggedExample], tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """A store in which the first sentence is tagged wrongly."""
    towns = tuple(replace(m, label="town") for m in sentences[0].entities)
    wrong = sentences[0].model_copy(update={"entities": towns})
    return one_store([wrong, *sentences[1:16]], tmp_path_factory.mktemp("doubted"))


def most_doubted(corpus: Corpus) -> str:
    doubts = corpus.doubts(0)
    return corpus.example(max(doubts, key=doubts.__getitem__)).text


def test_in_the_place_of_a_doubted_neighbour_the_next_nearest_is_shown(
    doubted: Corpus, tokenizer: PreTrainedTokenizerBase
) -> None:
    def drawn(share: float) -> list[tuple[str, list[str]]]:
        regularise = QUIET.model_copy(update={"drop_doubted": share})
        always_4 = drawing(doubted, tokenizer, regularise=regularise, examples=(0, 0, 0, 0, 1))
        return asked_and_shown(always_4.step(1, tokens=12_000), tokenizer)

    wrong, changed = most_doubted(doubted), 0
    for (asked, kept), (again, dropped) in zip(drawn(0), drawn(1 / len(doubted)), strict=True):
        assert asked == again, "nothing else is drawn"
        assert wrong not in dropped and len(dropped) == len(kept) == 4
        rest = [text for text in kept if text != wrong]
        assert dropped[4 - len(rest) :] == rest, "the nearest stand last"
        changed += wrong in kept
    assert changed


def test_no_doubted_example_is_drawn_at_random(
    doubted: Corpus, tokenizer: PreTrainedTokenizerBase
) -> None:
    noisy = QUIET.model_copy(update={"irrelevant": 1, "drop_doubted": 1 / len(doubted)})
    drawn = drawing(doubted, tokenizer, regularise=noisy, examples=(0, 0, 0, 0, 1))
    lessons = asked_and_shown(drawn.step(1, tokens=12_000), tokenizer)
    assert most_doubted(doubted) not in {text for _, shown in lessons for text in shown}


def test_no_duplicate_of_the_text_asked_is_drawn_at_random(
    sentences: list[TaggedExample], tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    twins = [TaggedExample(id=f"twin {e.id}", text=f"{e.text}!") for e in sentences[:6]]
    twice = one_store([*sentences[:6], *twins], tmp_path)
    noisy = QUIET.model_copy(update={"irrelevant": 1})
    drawn = drawing(twice, tokenizer, regularise=noisy, examples=(0, 0, 1), none_kept=1)
    for asked, shown in asked_and_shown(drawn.step(1, tokens=12_000), tokenizer):
        assert len(shown) == 2
        assert asked.strip("!") not in {text.strip("!") for text in shown}


def test_answers_among_the_examples_are_where_they_are_said_to_be(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase
) -> None:
    groups = drawing(corpus, tokenizer, regularise=QUIET).step(5, tokens=5000)
    shown = [
        tokenizer.decode(example[len(example) - tokens :])
        for group in groups
        for lesson in group.members
        for example, tokens in zip(lesson.prompt.examples, lesson.shown_answers, strict=True)
    ]
    assert shown
    for answer in shown:
        person, verb, town, rest = answer.splitlines()
        assert person.removeprefix("person: ") in PEOPLE
        assert town.removeprefix("town: ") in PLACES
        assert (verb, rest) in {("-: visits", "-: again."), ("-: leaves", "-: again.")}


@pytest.mark.parametrize(("kept", "most"), [(0.0, 0.0), (1.0, 0.8)])
def test_of_texts_without_a_mention_some_are_kept(
    sentences: list[TaggedExample],
    tokenizer: PreTrainedTokenizerBase,
    tmp_path: Path,
    kept: float,
    most: float,
) -> None:
    untagged = [TaggedExample(text=f"{e.text} It rains.") for e in sentences]
    both = open_corpus(
        "both",
        [*sentences, *untagged],
        LetterEncoder(),
        cache=tmp_path,
        settings=StoreSettings(smallest=8, largest=20, kept=1),
    )
    drawn = drawing(both, tokenizer, regularise=QUIET, examples=(1,), none_kept=kept)
    members = [m for g in drawn.step(1, tokens=9000) for m in g.members]
    empty = [m for m in members if "rains" in read(tokenizer, m)[1]]
    assert len(empty) <= most * len(members)
    assert bool(empty) == bool(kept)
