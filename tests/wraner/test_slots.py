from collections.abc import Sequence

import pytest
import torch

from wraner.language_model import LanguageModel
from wraner.slots import Feed, KeyValues, Slots, own_columns

LONG, LONGER, SHORT = (
    [5 + number % step for number in range(length)]
    for length, step in ((256, 97), (301, 101), (40, 13))
)


def computed(model: LanguageModel, tokens: Sequence[int]) -> KeyValues:
    slots = Slots(1)
    slots.run(model.model, [Feed(tokens, 0)])
    return slots.read(0, 0, len(tokens))


@torch.inference_mode()
@pytest.mark.parametrize("beginnings", [[LONG] * 3, [LONG, LONGER, LONG], [LONG, SHORT, LONGER]])
@pytest.mark.parametrize("lengths", [(3, 1, 2), (2, 5, 40), (150, 1, 17)])
def test_rows_that_share_a_beginning_run_as_if_alone(
    tiny_model: LanguageModel, beginnings: list[list[int]], lengths: tuple[int, ...]
) -> None:
    held = {len(tokens): computed(tiny_model, tokens) for tokens in beginnings}
    slots, wholes, feeds = Slots(3), [], []
    for row, (begun, length) in enumerate(zip(beginnings, lengths, strict=True)):
        example = [60 + row] * (4 + row)
        own = [100 + (row + i) % 50 for i in range(length)]
        alone = Slots(1)
        alone.run(tiny_model.model, [Feed([*begun, *example], 0)])
        slots.begin(row, held[len(begun)])
        slots.write(row, len(begun), alone.read(0, len(begun), len(begun) + len(example)))
        wholes.append([*begun, *example, *own])
        feeds.append(Feed(own, len(begun) + len(example), 1))
    slots.run(tiny_model.model, feeds)
    slots.move(2, 0, len(wholes[2]))
    last = [Feed([200 + n], len(wholes[row])) for n, row in enumerate((2, 1))]
    found = slots.run(tiny_model.model, last)
    for number, row in enumerate((2, 1)):
        tokens = [*wholes[row], 200 + number]
        (expected,) = Slots(1).run(tiny_model.model, [Feed(tokens, 0)])
        torch.testing.assert_close(found[number], expected, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_a_long_beginning_is_not_copied(tiny_model: LanguageModel) -> None:
    block = computed(tiny_model, LONG)
    slots = Slots(2)
    slots.begin(0, block)
    slots.run(tiny_model.model, [Feed([7], len(LONG))])
    assert max(held.shape[2] for pair in slots._layers for held in pair) < len(LONG)
    slots.begin(0, computed(tiny_model, SHORT))  # a row begun anew forgets what it shared
    (found,) = slots.run(tiny_model.model, [Feed([8], len(SHORT))])
    (expected,) = Slots(1).run(tiny_model.model, [Feed([*SHORT, 8], 0)])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_runs_come_in_few_sizes(tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    real = type(tiny_model.model).forward

    def forward(self: object, **given: torch.Tensor) -> object:
        sizes.append(given["input_ids"].shape[1])
        return real(self, **given)

    monkeypatch.setattr(type(tiny_model.model), "forward", forward)
    for count in range(1, 300):
        (logits,) = Slots(1).run(tiny_model.model, [Feed([9] * count, 0, 1)])
        assert logits.shape[0] == 1
        assert count <= sizes[-1] < count * 17 / 16 or sizes[-1] == count
    assert len(set(sizes)) < 90


@torch.inference_mode()
def test_room_is_made_for_the_rows_there_are_and_once(tiny_model: LanguageModel) -> None:
    slots, example = Slots(8), computed(tiny_model, SHORT)
    prefix = computed(tiny_model, LONG)
    slots.reserve(1, own_columns(prefix, len(LONG) + 9 * len(SHORT) + 1))
    rooms = set()
    slots.begin(0, prefix)
    for number in range(9):
        slots.write(0, len(LONG) + number * len(SHORT), example)
        rooms.add(tuple(slots._layers[0][0].shape[:3:2]))
    ((rows, columns),) = rooms
    assert rows == 1 and 9 * len(SHORT) < columns < len(LONG) + 9 * len(SHORT)
    slots.begin(4, example)  # a row that comes later leaves the others what they have
    assert slots._layers[0][0].shape[0] == 8
    kept = slots.read(0, len(LONG), len(LONG) + len(SHORT))
    torch.testing.assert_close(kept.keys, example.keys, rtol=0, atol=0)
