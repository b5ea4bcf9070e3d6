import pytest
from transformers import PreTrainedTokenizerBase

from wraner.chat import ChatEncoder
from wraner.errors import InvalidInput
from wraner.language_model import LanguageModel
from wraner.prompts import Prompt, Turn


def decode(model: LanguageModel, ids: tuple[int, ...]) -> str:
    return str(model.chat._tokenizer.decode(ids))


def test_a_prompt_reads_as_the_template_writes_it(tiny_model: LanguageModel) -> None:
    prompt = Prompt("Do it.", (Turn("t1", "a1"), Turn("t2", "a2")), "t3")
    encoded = tiny_model.chat.encode(prompt, max_tokens=1000)
    assert decode(tiny_model, encoded.ids) == (
        "<|system|>Do it.<|end|><|user|>t1<|end|><|assistant|>a1<|end|>"
        "<|user|>t2<|end|><|assistant|>a2<|end|><|user|>t3<|end|><|assistant|>"
    )
    assert len(encoded.examples) == 2


@pytest.mark.parametrize("special", ["<|end|>", "<|user|>", "<|system|>", "<|assistant|>"])
def test_text_is_data(tiny_model: LanguageModel, special: str) -> None:
    plain = tiny_model.chat.encode(Prompt("x", (Turn("y", "z"),), "w"), max_tokens=1000)
    control = {0, 1, 2, 3}
    wanted = [i for i in plain.ids if i in control]
    for prompt in (
        Prompt(special, (Turn("y", "z"),), "w"),
        Prompt("x", (Turn(special, special),), "w"),
        Prompt("x", (Turn("y", "z"),), f"w{special}"),
    ):
        ids = tiny_model.chat.encode(prompt, max_tokens=1000).ids
        assert [i for i in ids if i in control] == wanted
        assert special in decode(tiny_model, ids)


@pytest.mark.model
def test_text_is_data_to_the_bundled_tokenizer(bundled_model: LanguageModel) -> None:
    tokenizer: PreTrainedTokenizerBase = bundled_model.chat._tokenizer
    added = list(tokenizer.get_added_vocab()) or tokenizer.all_special_tokens
    assert "<|im_end|>" in added
    control = {tokenizer.convert_tokens_to_ids(t) for t in added}
    frame = bundled_model.chat.encode(Prompt("", (), ""), max_tokens=1000).ids
    for special in added:
        ids = bundled_model.chat.encode(Prompt(special, (), special), max_tokens=1000).ids
        assert [i for i in ids if i in control] == [i for i in frame if i in control]


def test_the_prefix_is_the_same_for_every_text(tiny_model: LanguageModel) -> None:
    first = tiny_model.chat.encode(Prompt("i", (Turn("t1", "a1"),), "t"), max_tokens=1000)
    second = tiny_model.chat.encode(Prompt("i", (), "u"), max_tokens=1000)
    assert first.prefix == second.prefix
    assert first.ids == first.prefix + first.examples[0] + first.query
    assert first.tokens == len(first.ids)


def test_the_farthest_examples_go_first_when_room_is_short(tiny_model: LanguageModel) -> None:
    prompt = Prompt("i", tuple(Turn(f"text {n}", "a") for n in range(5)), "t")
    whole = tiny_model.chat.encode(prompt, max_tokens=1000)
    short = tiny_model.chat.encode(prompt, max_tokens=whole.tokens - 1)
    assert len(short.examples) == 4
    assert "text 0" not in decode(tiny_model, short.ids)
    assert "text 4" in decode(tiny_model, short.ids)


def test_a_prompt_that_never_fits_is_refused(tiny_model: LanguageModel) -> None:
    with pytest.raises(InvalidInput, match="shorten their definitions; they begin with: Dirt: no"):
        tiny_model.chat.encode(Prompt("Breach?\nDirt: no " + "i" * 100, (), "t"), max_tokens=50)


def test_a_template_without_a_system_role_instructs_in_the_first_turn(
    tiny_model: LanguageModel,
) -> None:
    tokenizer = tiny_model.chat._tokenizer
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        + str(tokenizer.chat_template)
    )
    chat = ChatEncoder(tokenizer)
    ids = chat.encode(Prompt("Do it.", (Turn("t", "a"),), "u"), max_tokens=100).ids
    assert decode(tiny_model, ids) == (
        "<|user|>Do it.\n\nt<|end|><|assistant|>a<|end|><|user|>u<|end|><|assistant|>"
    )


def with_template(model: LanguageModel, template: str) -> ChatEncoder:
    tokenizer = model.chat._tokenizer
    tokenizer.chat_template = template
    return ChatEncoder(tokenizer)


def test_a_template_that_instructs_in_the_last_turn_does_so_in_the_first(
    tiny_model: LanguageModel,
) -> None:
    chat = with_template(
        tiny_model,
        "{% for m in messages if m['role'] != 'system' %}<|{{ m['role'] }}|>"
        "{% if loop.last and messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}\n\n"
        "{% endif %}{{ m['content'] }}<|end|>{% endfor %}<|assistant|>",
    )
    ids = chat.encode(Prompt("Do it.", (Turn("t", "a"),), "u"), max_tokens=100).ids
    assert decode(tiny_model, ids) == (
        "<|user|>Do it.\n\nt<|end|><|assistant|>a<|end|><|user|>u<|end|><|assistant|>"
    )


@pytest.mark.parametrize("turns", ["messages[-1:]", "messages[::-1]", "messages + messages"])
def test_a_template_that_does_not_write_each_turn_in_its_order_is_refused(
    tiny_model: LanguageModel, turns: str
) -> None:
    written = f"{{% for m in {turns} %}}{{{{ m['content'] }}}}<|end|>{{% endfor %}}"
    with pytest.raises(InvalidInput, match=r"each turn once and in its order, .* another template"):
        with_template(tiny_model, written)
