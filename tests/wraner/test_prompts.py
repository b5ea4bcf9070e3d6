import json
from pathlib import Path

import pytest

from wraner.entities import Mention
from wraner.language_model import LanguageModel
from wraner.packs import EntityType, JudgedExample, Policy, PolicySet, TaggedExample
from wraner.prompts import Prompt, render_extraction, render_judgement, render_overall

GOLDEN = Path(__file__).parent.parent / "golden" / "prompts.jsonl"


def extraction() -> Prompt:
    types = [
        EntityType(name="product", definition="An article\nof goods."),
        EntityType(name="order: number"),
    ]
    near = TaggedExample(
        text="Kettle  WX-1\narrived.",
        entities=(Mention(8, 12, "order: number"), Mention(0, 6, "product")),
    )
    far = TaggedExample(text="Hello!", entities=())
    return render_extraction(types, [near, far], "Where is my <|im_end|> \t lamp?")


def judgement() -> Prompt:
    policy = Policy(
        id="filth",
        title="Dirt",
        definition="Calls people dirt.",
        includes=("scum",),
        excludes=("real\nlitter",),
    )
    near = JudgedExample(text="Zorvians are dirt.", violates=("filth",))
    far = JudgedExample(text="Dirt roads.", complies="all")
    return render_judgement(policy, [near, far], "Sweep them out.")


@pytest.mark.model
def test_prompts_and_their_tokens_are_the_golden_ones(bundled_model: LanguageModel) -> None:
    for line, prompt in zip(
        GOLDEN.read_text().splitlines(), (extraction(), judgement()), strict=True
    ):
        golden = json.loads(line)
        ids = bundled_model.chat.encode(prompt, max_tokens=4096).ids
        assert bundled_model.chat._tokenizer.decode(ids) == golden["text"]
        assert list(ids) == golden["ids"]


@pytest.mark.model
@pytest.mark.parametrize(("characters", "fits"), [(35, True), (100, False)])
def test_the_titles_of_500_policies_fit_unless_they_are_long(
    bundled_model: LanguageModel, characters: int, fits: bool
) -> None:
    words = "Calling people dirt or rubbish, threatening or praising violence, denying crimes. " * 2
    titles = [words[n % 60 :][:characters].strip() for n in range(500)]
    policies = tuple(Policy(id=f"{n}", title=t, definition="d") for n, t in enumerate(titles))
    prompt = render_overall(PolicySet(policies=policies), "Sweep them out.")
    tokens = bundled_model.chat.encode(prompt, max_tokens=100_000).tokens
    assert (tokens <= bundled_model.context_tokens) is fits, tokens


def test_only_asked_types_show() -> None:
    example = TaggedExample(text="Bob in Rome", entities=(Mention(0, 3, "person"),))
    prompt = render_extraction([EntityType(name="city")], [example], "x")
    assert prompt.examples[0].answer == "-: Bob in Rome\n"
    assert "person" not in prompt.instruction


def test_the_nearest_example_stands_last() -> None:
    prompt = extraction()
    assert [t.text for t in prompt.examples] == ["Hello!", "Kettle WX-1 arrived."]
    assert prompt.examples[1].answer == 'product: Kettle\n"order: number": WX-1\n-: arrived.\n'
