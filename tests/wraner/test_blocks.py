import torch

from wraner.blocks import Blocks
from wraner.chat import EncodedPrompt
from wraner.language_model import LanguageModel
from wraner.slots import Feed, Slots

PREFIX, ONE, TWO = (5, 6, 7), (8, 9), (10, 11, 12, 13)


def prompt(*examples: tuple[int, ...]) -> EncodedPrompt:
    return EncodedPrompt(PREFIX, examples, (20, 21))


@torch.inference_mode()
def test_an_examples_block_does_not_depend_on_its_company(tiny_model: LanguageModel) -> None:
    model = tiny_model.model
    together = Blocks(limit_bytes=10**9).of(model, "", [prompt(ONE, TWO)], batch_tokens=999)[0]
    alone = Blocks(limit_bytes=10**9).of(model, "", [prompt(TWO)], batch_tokens=999)[0]
    assert [block.tokens for block in together] == [3, 2, 4]
    for a, b in zip((together[0], together[2]), alone, strict=True):
        for pair, other in zip(a.layers, b.layers, strict=True):
            torch.testing.assert_close(pair, other, rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_what_is_held_is_not_computed_again_and_the_oldest_goes_first(
    tiny_model: LanguageModel,
) -> None:
    model = tiny_model.model
    blocks = Blocks(limit_bytes=10**9)
    assert len(blocks.missing("", prompt(ONE, TWO))) == 3
    size = sum(b.size_bytes for b in blocks.of(model, "", [prompt(ONE, TWO)], batch_tokens=9)[0])
    assert blocks.missing("", prompt(TWO, ONE)) == []
    assert len(blocks.missing("adapter", prompt(ONE))) == 2
    assert blocks.size_bytes == size

    small = Blocks(limit_bytes=size - 1)
    held = small.of(model, "", [prompt(ONE, TWO)], batch_tokens=999)[0]
    assert [b.tokens for b in held] == [3, 2, 4]  # all that was asked for, kept or not
    assert 0 < small.size_bytes < size
    assert small.missing("", prompt(ONE, TWO))


@torch.inference_mode()
def test_rows_of_different_lengths_run_as_if_alone(tiny_model: LanguageModel) -> None:
    model, long, short = tiny_model.model, list(range(5, 45)), [50, 51, 52]
    slots = Slots(3)
    slots.run(model, [Feed(long[:30], 0, 0), Feed(short[:1], 0, 0)], first=1, keep=1)
    both = slots.run(model, [Feed(long[30:], 30, 30), Feed(short[1:], 1, 1)], first=1, keep=2)
    for number, tokens in enumerate((long, short)):
        alone = Slots(1).run(model, [Feed(tokens, 0, 0)], first=0, keep=2)[0]
        torch.testing.assert_close(both[number], alone, rtol=1e-4, atol=1e-5)
    slots.move(2, 0, 3)
    moved = slots.run(model, [Feed([53], 3, 3)], first=0, keep=1)
    alone = Slots(1).run(model, [Feed([*short, 53], 0, 0)], first=0, keep=1)
    torch.testing.assert_close(moved, alone, rtol=1e-4, atol=1e-5)
