import pytest
import torch

from wraner.packed_linear import PackedLinear, pack


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("tokens", [1, 3, 70])
def test_it_multiplies_as_the_layer_that_it_replaces(
    dtype: torch.dtype, bias: bool, tokens: int
) -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(64, 96, bias=bias).to(dtype)
    given = torch.randn(2, tokens, 64, dtype=dtype)
    with torch.inference_mode():
        found, expected = PackedLinear(linear, dtype)(given), linear(given)
    assert found.dtype == dtype
    precision = {torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype]
    torch.testing.assert_close(found, expected, rtol=precision, atol=precision)


def test_a_head_in_fp32_keeps_what_bf16_would_round_away() -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(64, 96, bias=False).to(torch.bfloat16)
    given = torch.randn(3, 64, dtype=torch.bfloat16)
    with torch.inference_mode():
        found = PackedLinear(linear, torch.float32)(given)
        exact = given.double() @ linear.weight.double().T
        rounded = linear(given)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)
    assert (rounded.double() - exact).abs().max() > 1e-3


def test_every_linear_layer_of_a_model_is_packed() -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList([torch.nn.Sequential(torch.nn.Linear(4, 4))])
            self.head = torch.nn.Linear(4, 8).to(torch.bfloat16)

        def get_output_embeddings(self) -> torch.nn.Module:
            return self.head

        def set_output_embeddings(self, head: torch.nn.Module) -> None:
            self.head = head

    model = Model()
    pack(model)
    assert not [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
    assert model.head(torch.zeros(1, 4)).dtype == torch.float32
