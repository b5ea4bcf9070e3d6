import torch

from wraner.language_model import LanguageModel
from wraner.prefixes import Prefixes
from wraner.slots import Feed, KeyValues, Slots

ONE, TWO = (5, 6, 7), (10, 11, 12, 13)


def same(one: KeyValues, other: KeyValues) -> None:
    for pair, expected in zip(one.layers, other.layers, strict=True):
        torch.testing.assert_close(pair, expected, rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_a_prefix_does_not_depend_on_its_company(tiny_model: LanguageModel) -> None:
    model = tiny_model.model
    for batch_tokens in (1, 999):
        prefixes = Prefixes(limit_bytes=10**9)
        both = prefixes.of(model, "", [ONE, TWO, ONE], batch_tokens=batch_tokens)
        assert [block.tokens for block in both] == [3, 4, 3]
        same(both[1], Prefixes(limit_bytes=10**9).of(model, "", [TWO], batch_tokens=999)[0])


@torch.inference_mode()
def test_the_least_recently_used_goes_first(tiny_model: LanguageModel) -> None:
    model = tiny_model.model
    prefixes = Prefixes(limit_bytes=10**9)
    size = sum(b.size_bytes for b in prefixes.of(model, "", [ONE, TWO], batch_tokens=999))
    assert prefixes.size_bytes == size
    assert prefixes.holds("", ONE) and not prefixes.holds("adapter", ONE)

    small = Prefixes(limit_bytes=size - 1)
    for wanted in ([ONE], [TWO], [TWO]):
        small.of(model, "", wanted, batch_tokens=999)
    assert small.holds("", TWO) and not small.holds("", ONE)
    given = small.of(model, "", [ONE, TWO], batch_tokens=999)
    assert [b.tokens for b in given] == [3, 4]  # all that was asked for, kept or not


@torch.inference_mode()
def test_rows_of_different_lengths_run_as_if_alone(tiny_model: LanguageModel) -> None:
    model, long, short = tiny_model.model, list(range(5, 45)), [50, 51, 52]
    slots = Slots(3)
    slots.run(model, [Feed(long[:30], 0), Feed(short[:1], 0)], first=1)
    both = slots.run(model, [Feed(long[30:], 30, 2), Feed(short[1:], 1, 2)], first=1)
    for number, tokens in enumerate((long, short)):
        alone = Slots(1).run(model, [Feed(tokens, 0, 2)], first=0)[0]
        torch.testing.assert_close(both[number], alone, rtol=1e-4, atol=1e-5)
    slots.move(2, 0, 3)
    moved = slots.run(model, [Feed([53], 3)], first=0)
    alone = Slots(1).run(model, [Feed([*short, 53], 0)], first=0)
    torch.testing.assert_close(moved, alone, rtol=1e-4, atol=1e-5)
