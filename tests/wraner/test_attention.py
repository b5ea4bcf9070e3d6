from itertools import takewhile

import pytest
import torch

from wraner.attention import Seen, Stretch, packed_attention
from wraner.slots import Feed, Slots

HEADS, SHARED, SIZE = 6, 2, 8


def expected(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Attend with every head's keys written out and the whole causal mask."""
    tokens, columns = query.shape[1], keys.shape[1]
    mask = torch.ones(tokens, columns, dtype=torch.bool).tril(columns - tokens)
    found = torch.nn.functional.scaled_dot_product_attention(
        query[None],
        keys.repeat_interleave(HEADS // SHARED, dim=0)[None],
        values.repeat_interleave(HEADS // SHARED, dim=0)[None],
        attn_mask=mask,
        scale=0.3,
    )
    return found[0].transpose(0, 1)


@pytest.mark.parametrize("lengths", [(1,), (3, 1, 2), (16, 5), (17, 2), (300, 129), (2, 1, 256)])
@pytest.mark.parametrize("kept", [0, 2048])
def test_packed_prompts_attend_as_if_alone(
    lengths: tuple[int, ...], kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wraner.attention._KEPT_COLUMNS", kept)
    torch.manual_seed(0)
    slots = Slots(len(lengths))
    befores = [40 + 7 * number for number in range(len(lengths))]
    queries, wholes, feeds = [], [], []
    for length, before in zip(lengths, befores, strict=True):
        wholes.append(torch.randn(2, SHARED, before + length, SIZE))
        queries.append(torch.randn(HEADS, length, SIZE))
        feeds.append(Feed(range(length), before))

    class Model:
        """One layer of attention; what came before is fed first, under the same layer."""

        device, dtype = torch.device("cpu"), torch.float32

        def __call__(self, *, input_ids: torch.Tensor, **given: object) -> object:
            cache = given["past_key_values"]
            assert isinstance(cache, Slots)
            keys, values = (torch.cat([w[i] for w in self.parts], dim=1)[None] for i in (0, 1))
            seen, same = cache.update(keys, values, 0)
            query = torch.cat(self.queries, dim=1)[None]
            self.found, _ = packed_attention(
                torch.nn.Module(), query, seen, same, None, scaling=0.3
            )
            self.together = 0 if seen.few is None else len(seen.few.row)
            return type("Output", (), {"logits": self.found[:, given["logits_to_keep"], 0]})

    model = Model()
    model.parts = [w[:, :, :b] for w, b in zip(wholes, befores, strict=True)]
    model.queries = [torch.zeros(HEADS, b, SIZE) for b in befores]
    slots.run(model, [Feed(range(b), 0) for b in befores])
    model.parts = [w[:, :, b:] for w, b in zip(wholes, befores, strict=True)]
    model.queries = queries
    slots.run(model, feeds)

    assert model.together == sum(takewhile(lambda length: length <= 16, lengths))
    parts = torch.split(model.found[0], list(lengths))
    for part, query, whole in zip(parts, queries, wholes, strict=True):
        torch.testing.assert_close(part, expected(query, *whole), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("special", [{"softcap": 50.0}, {"s_aux": 1}, {"sliding_window": 8}])
def test_other_kinds_of_attention_are_refused(special: dict[str, object]) -> None:
    some = torch.zeros(1, 1, 1, 1)
    seen = Seen(None, [Stretch(0, 1, 1, [], some, some)])
    with pytest.raises(NotImplementedError):
        packed_attention(torch.nn.Module(), some, seen, seen, None, **special)
