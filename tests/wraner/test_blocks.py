from typing import Any

import pytest
import torch

from wraner.blocks import Blocks
from wraner.chat import EncodedPrompt
from wraner.language_model import LanguageModel
from wraner.rotation import Rotation
from wraner.slots import Feed, KeyValues, Slots
from wraner.view import View

ONE, TWO = (5, 6, 7), (10, 11, 12, 13)
FAR, NEAR, LAST, TEXT = (20, 21, 22), (30, 31), (40, 41, 42, 43), (50, 51)


def prompt(prefix: tuple[int, ...] = ONE, *examples: tuple[int, ...]) -> EncodedPrompt:
    """Return a prompt whose nearest example sees the others."""
    return EncodedPrompt(prefix, examples, TEXT).viewed(View.NEAREST)


def same(one: KeyValues, other: KeyValues) -> None:
    torch.testing.assert_close(one.keys, other.keys, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(one.values, other.values, rtol=1e-5, atol=1e-5)


def fresh(model: LanguageModel, *, limit_bytes: int = 10**9) -> Blocks:
    return Blocks(model.rotation, limit_bytes=limit_bytes)


@torch.inference_mode()
@pytest.mark.parametrize(("batch_tokens", "rows"), [(1, 8), (999, 8), (999, 1)])
def test_blocks_do_not_depend_on_their_company(
    tiny_model: LanguageModel, batch_tokens: int, rows: int
) -> None:
    model, limits = tiny_model.model, {"batch_tokens": batch_tokens, "rows": rows}
    asked = [prompt(ONE, FAR, NEAR, LAST), prompt(TWO, NEAR, LAST), prompt(ONE, NEAR, FAR, LAST)]
    together = fresh(tiny_model).begin(model, "", asked, **limits)
    assert [[b.tokens for b in begun] for begun in together] == [
        [3, 3, 2],
        [4, 2],
        [3, 2, 3],
    ]
    for begun, one in zip(together, asked, strict=True):
        assert one.query == LAST + TEXT
        (alone,) = fresh(tiny_model).begin(model, "", [one], batch_tokens=999, rows=8)
        for block, expected in zip(begun, alone, strict=True):
            same(block, expected)


@torch.inference_mode()
def test_an_example_sees_the_prefix_and_itself_and_stands_where_the_prompt_has_it(
    tiny_model: LanguageModel,
) -> None:
    model = tiny_model.model
    asked = prompt(ONE, FAR, NEAR, LAST)
    (begun,) = fresh(tiny_model).begin(model, "", [asked], batch_tokens=999, rows=8)
    slots = Slots(2)
    slots.run(model, [Feed(ONE + NEAR, 0), Feed(ONE + FAR + NEAR, 0)])
    alone = slots.read(0, len(ONE), len(ONE + NEAR))
    torch.testing.assert_close(begun[2].values, alone.values, rtol=1e-4, atol=1e-5)
    # In the first layer a key holds its own token and its position, nothing else.
    there = slots.read(1, len(ONE + FAR), len(ONE + FAR + NEAR))
    torch.testing.assert_close(begun[2].keys[0], there.keys[0], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(begun[2].keys[0], alone.keys[0], rtol=1e-2)


@torch.inference_mode()
def test_the_least_recently_used_goes_first(tiny_model: LanguageModel) -> None:
    model, limits = tiny_model.model, {"batch_tokens": 999, "rows": 8}
    blocks = fresh(tiny_model)
    begun = blocks.begin(model, "", [prompt(ONE), prompt(TWO)], **limits)
    size = sum(known[0].size_bytes for known in begun)
    assert blocks.size_bytes == size
    assert not blocks.missing("", prompt(ONE)) and blocks.missing("adapter", prompt(ONE))

    small = fresh(tiny_model, limit_bytes=size - 1)
    for wanted in (ONE, TWO, TWO):
        small.begin(model, "", [prompt(wanted)], **limits)
    assert not small.missing("", prompt(TWO)) and small.missing("", prompt(ONE))
    given = small.begin(model, "", [prompt(ONE), prompt(TWO)], **limits)
    assert [known[0].tokens for known in given] == [3, 4]  # all that was asked for


@pytest.mark.parametrize(
    ("view", "blocks"), [(View.SEQUENCE, 1), (View.NEAREST, 3), (View.BESIDE, 4)]
)
@torch.inference_mode()
def test_what_sees_other_examples_is_never_remembered(
    tiny_model: LanguageModel, view: View, blocks: int
) -> None:
    whole = EncodedPrompt(ONE, (FAR, NEAR, LAST), TEXT)
    asked = whole.viewed(view)
    assert asked.ids == whole.ids
    (begun,) = fresh(tiny_model).begin(tiny_model.model, "", [asked], batch_tokens=999, rows=8)
    assert len(begun) == blocks
    assert sum(b.tokens for b in begun) + len(asked.query) == whole.tokens


def test_a_rotation_is_only_taken_where_it_moves_keys(tiny_model: LanguageModel) -> None:
    class Twisted(torch.nn.Module):
        """A model whose keys at a position are not those of another position, turned."""

        device, dtype = tiny_model.model.device, tiny_model.model.dtype

        def __init__(self) -> None:
            super().__init__()
            self.model = tiny_model.model

        def forward(self, **given: Any) -> Any:
            return self.model(**{**given, "position_ids": given["position_ids"] ** 2 // 3})

    assert Rotation.of(tiny_model.model) is not None
    assert Rotation.of(Twisted()) is None
    assert Rotation.of(torch.nn.Linear(2, 2)) is None


@torch.inference_mode()
def test_rows_of_different_lengths_run_as_if_alone(tiny_model: LanguageModel) -> None:
    model, long, short = tiny_model.model, list(range(5, 45)), [50, 51, 52]
    slots = Slots(2)
    slots.run(model, [Feed(long[:30], 0), Feed(short[:1], 0)])
    both = slots.run(model, [Feed(long[30:], 30, 2), Feed(short[1:], 1, 2)])
    for number, tokens in enumerate((long, short)):
        alone = Slots(1).run(model, [Feed(tokens, 0, 2)])[0]
        torch.testing.assert_close(both[number], alone, rtol=1e-4, atol=1e-5)
    slots.move(1, 0, 3)
    moved = slots.run(model, [Feed([53], 3)])
    alone = Slots(1).run(model, [Feed([*short, 53], 0)])
    torch.testing.assert_close(moved, alone, rtol=1e-4, atol=1e-5)
