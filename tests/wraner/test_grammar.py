import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, normalizers
from transformers import PreTrainedTokenizerFast

from wraner.answers import GAP, AnswerSpec
from wraner.chunks import chunk
from wraner.entities import Mention
from wraner.errors import InvalidInput, Unavailable
from wraner.grammar import GrowingAnswer, TokenGrammar, _as_written
from wraner.language_model import LanguageModel

LABELS = ("person", "a: b", '"q', GAP, 'we"ird\\n {x} /re/ \x00 é 北', "<|end|")


def spell(model: LanguageModel, answer: GrowingAnswer, words: str) -> bool:
    """Feed `words` token by token; say whether each was permitted."""
    for token in model.chat.text_ids(words):
        if answer.done or not answer.permitted()[token]:
            return False
        answer.accept(token, 0.0)
    return True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    source=st.text(
        st.sampled_from(list('ab .,\n\t"\\北😀é<|end>/{}\x00')), min_size=1, max_size=40
    ),
    label=st.sampled_from(LABELS),
    data=st.data(),
)
def test_every_run_of_chunks_can_be_written(
    tiny_model: LanguageModel, source: str, label: str, data: st.DataObject
) -> None:
    chunks = chunk(source)
    assume(chunks)
    first = data.draw(st.integers(0, len(chunks) - 1))
    last = data.draw(st.integers(first, len(chunks) - 1))
    spec = AnswerSpec(LABELS, source)
    mention = Mention(chunks[first].start, chunks[last].end, label)
    answer = GrowingAnswer(tiny_model.grammar, spec, max_tokens=1000)
    written = spec.render([mention])
    assert spell(tiny_model, answer, written)
    assert "".join(entry.text + "\n" for entry in answer.lines) == written
    assert (answer.done, answer.truncated) == (True, False)


@pytest.mark.parametrize(
    "lines",
    [
        "city: Foo\n",
        "person: oo\n",
        "person:  Foo\n",
        "person: Foo \n",
        "person: \n",
        "\n",
        "person: x\n",
        "-: Foo\n-: x\n",
        "person: Foo\nperson: Foo\n",
        "none\n",
    ],
)
def test_nothing_else_can_be_written(tiny_model: LanguageModel, lines: str) -> None:
    answer = GrowingAnswer(tiny_model.grammar, AnswerSpec(("person",), "Foo x"), max_tokens=99)
    assert not spell(tiny_model, answer, lines)


@pytest.mark.parametrize(
    "lines", ["x: Foo Bar\n", "-: Foo Bar\n", "x: Foo\n-: Bar\n", "-: Foo\nx: Bar\n"]
)
def test_an_answer_ends_where_the_text_does(tiny_model: LanguageModel, lines: str) -> None:
    spec = AnswerSpec(("x",), "Foo Bar")
    answer = GrowingAnswer(tiny_model.grammar, spec, max_tokens=99)
    assert spell(tiny_model, answer, lines)
    assert (answer.done, answer.truncated) == (True, False)
    assert "".join(line.text + "\n" for line in answer.lines) == lines


def test_more_labels_than_a_grammar_bears_are_an_error(tiny_model: LanguageModel) -> None:
    labels = tuple(f"l{n}" for n in range(2_200))
    answer = GrowingAnswer(tiny_model.grammar, AnswerSpec(labels, "Foo Bar"), max_tokens=9)
    with pytest.raises(InvalidInput, match=r"was: 2200 \(.*\); ask for fewer: entity_types"):
        for _ in range(3):
            answer.accept(int(answer.permitted().nonzero()[0, 0]), 0.0)


def test_an_answer_that_is_cut_says_so(tiny_model: LanguageModel) -> None:
    answer = GrowingAnswer(tiny_model.grammar, AnswerSpec(("x",), "Foo Bar"), max_tokens=9)
    assert spell(tiny_model, answer, "x: Foo\nx:")
    assert (answer.done, answer.truncated, len(answer.lines)) == (True, True, 1)


def test_a_text_without_words_has_no_answer(tiny_model: LanguageModel) -> None:
    answer = GrowingAnswer(tiny_model.grammar, AnswerSpec(("x",), "  "), max_tokens=9)
    assert (answer.done, answer.lines) == (True, [])


def test_a_score_is_the_product_of_a_lines_choices_and_of_where_it_began(
    tiny_model: LanguageModel,
) -> None:
    answer = GrowingAnswer(tiny_model.grammar, AnswerSpec(("x",), "An Foo Bar"), max_tokens=99)
    for token in tiny_model.chat.text_ids("-: An\nx: Foo\nx: Bar\n"):
        answer.accept(token, -0.5)
    own = 7 * -0.5  # a token a letter
    assert answer.lines[1].score == pytest.approx(math.exp(own - 0.5))
    assert answer.lines[2].score == pytest.approx(math.exp(own))


def test_a_grammar_that_cannot_be_compiled_is_said(tiny_model: LanguageModel) -> None:
    with pytest.raises(Unavailable, match="cannot be compiled"):
        tiny_model.grammar.matcher("start: ???")


def grow(grammar: TokenGrammar, spec: AnswerSpec) -> GrowingAnswer:
    """Answer with one mention of all words: the first permitted token that begins and ends none."""
    answer = GrowingAnswer(grammar, spec, max_tokens=99)
    while not answer.done:
        tokens = answer.permitted().nonzero()[:, 0].tolist()
        spelt = {token: grammar.text([token]) for token in tokens}
        on = [t for t in tokens if "\n" not in spelt[t] and not spelt[t].startswith(GAP)]
        answer.accept((on or tokens)[0], 0.0)
        answer.take_forced()
    return answer


def normalising(
    tokenizer: PreTrainedTokenizerFast, *steps: normalizers.Normalizer
) -> PreTrainedTokenizerFast:
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.normalizer = steps[0] if len(steps) == 1 else normalizers.Sequence(list(steps))
    return PreTrainedTokenizerFast(tokenizer_object=backend)


@pytest.mark.parametrize(
    "steps",
    [
        (normalizers.NFC(),),
        (normalizers.NFKC(),),
        (normalizers.Replace("\t", " "), normalizers.NFC()),
    ],
)
def test_text_that_a_tokenizer_would_compose_is_answered_as_it_stands(
    tiny_model: LanguageModel, steps: tuple[normalizers.Normalizer, ...]
) -> None:
    tokenizer = normalising(tiny_model.chat._tokenizer, *steps)
    grammar = TokenGrammar(tokenizer, vocabulary=260, end_of_turn=0)
    text = "Cafe\u0301 \u212b \ufb01n"
    (line,) = grow(grammar, AnswerSpec(("x",), text)).lines
    assert line.text == f"x: {text}"


def test_what_sentencepiece_does_to_blanks_stays() -> None:
    blanks = {"type": "Replace", "pattern": {"String": " "}, "content": "_"}
    given = {"normalizer": {"type": "Sequence", "normalizers": [blanks, {"type": "NFKC"}]}}
    kept = {"type": "Sequence", "normalizers": [blanks]}
    assert _as_written(given)["normalizer"] == kept


def test_a_tokenizer_that_spells_other_words_is_said(tiny_model: LanguageModel) -> None:
    tokenizer = normalising(tiny_model.chat._tokenizer, normalizers.Lowercase())
    grammar = TokenGrammar(tokenizer, vocabulary=260, end_of_turn=0)
    with pytest.raises(Unavailable, match=r"spells words as the text has them, .*; use another"):
        grow(grammar, AnswerSpec(("x",), "FOO"))


@pytest.mark.parametrize("label", ["<|end|>", "an <|user|> b", '"<|end|>: x'])
def test_a_label_that_holds_a_control_token_is_refused(
    tiny_model: LanguageModel, label: str
) -> None:
    with pytest.raises(InvalidInput, match=r"no control token .* another name"):
        GrowingAnswer(tiny_model.grammar, AnswerSpec(("x", label), "Foo Bar"), max_tokens=9)


@pytest.mark.model
def test_every_gold_span_of_crossner_and_of_the_packs_can_be_generated(
    bundled_model: LanguageModel, crossner: Path
) -> None:
    from wraner.formats.conll import read_conll
    from wraner.packs import TaggedExample

    packs = Path(__file__).parents[2] / "packs" / "customer-care"
    examples = [
        TaggedExample.model_validate(json.loads(line))
        for name in ("examples.jsonl", "test.jsonl")
        for line in (packs / name).read_text().splitlines()
    ]
    for path in sorted(crossner.glob("*/*.txt")):
        examples += read_conll(path)[:: 100 if path.parent.name == "conll2003" else 10]
    for example in examples:
        labels = tuple({m.label: None for m in example.entities}) or ("x",)
        spec = AnswerSpec(labels, example.text)
        answer = GrowingAnswer(bundled_model.grammar, spec, max_tokens=100_000)
        assert spell(bundled_model, answer, spec.render(example.entities)), example.text
    assert len(examples) > 500
