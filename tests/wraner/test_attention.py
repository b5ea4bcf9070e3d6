import pytest
import torch

from wraner.attention import grouped_attention


def test_it_equals_attention_with_repeated_heads() -> None:
    torch.manual_seed(0)
    query, mask = torch.randn(2, 6, 3, 8), torch.zeros(2, 1, 3, 5)
    key, value = torch.randn(2, 2, 2, 5, 8)
    mask[0, :, 0, 2:] = -torch.inf
    expected = torch.nn.functional.scaled_dot_product_attention(
        query,
        key.repeat_interleave(3, dim=1),
        value.repeat_interleave(3, dim=1),
        attn_mask=mask,
        scale=0.3,
    )
    found, _ = grouped_attention(torch.nn.Module(), query, key, value, mask, scaling=0.3)
    torch.testing.assert_close(found, expected.transpose(1, 2))


def test_other_kinds_of_attention_are_refused() -> None:
    some = torch.zeros(1, 1, 1, 1)
    with pytest.raises(NotImplementedError):
        grouped_attention(torch.nn.Module(), some, some, some, some, softcap=50.0)
