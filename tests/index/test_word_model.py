import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from index.bundled import hash_file
from index.contextual import ContextualEncoder
from index.word_model import WordModel, load_encoder, load_tuned
from tests.index.conftest import ALPHA, INNER, RANK, WIDTH, write_tuning
from wraner.adapters import CONFIG, WEIGHTS
from wraner.errors import Unavailable

Tensors = dict[str, torch.Tensor]
_PREFIX = "base_model.model."
_CASE = f"{_PREFIX}letter_case.weight"


class Beside(torch.nn.Module):
    """A linear layer and the product of two factors beside it."""

    def __init__(self, linear: Any, down: torch.Tensor, up: torch.Tensor) -> None:
        super().__init__()
        self.linear, self.down, self.up = linear, down, up

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        narrow = hidden @ self.down.T
        out: torch.Tensor = self.linear(hidden) + ALPHA / RANK * (narrow @ self.up.T)
        return out


def test_factors_multiplied_in_compute_what_factors_beside_compute(
    tiny: Path, tuning: Path, tuning_tensors: Tensors
) -> None:
    encoder = load_encoder(tiny, 1)
    for name in [n for n in tuning_tensors if "lora_A" in n]:
        path = name.removeprefix(f"{_PREFIX}encoder.").removesuffix(".lora_A.weight")
        parent, _, own = path.rpartition(".")
        up = tuning_tensors[name.replace("lora_A", "lora_B")]
        beside = Beside(encoder.get_submodule(path), tuning_tensors[name], up)
        setattr(encoder.get_submodule(parent), own, beside)
    ids, cases = torch.tensor([[2, 40, 70, 9, 3]]), torch.tensor([[0, 3, 2, 1, 0]])
    with torch.inference_mode():
        expected = WordModel(encoder, tuning_tensors[_CASE])(ids, cases)
        found = load_tuned(tiny, tuning)(ids, cases)
        plain = WordModel(load_encoder(tiny, 1))(ids, cases)
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-5)
    assert np.abs(found.numpy() - plain.numpy()).max() > 0.1


def test_the_tuning_decides_the_layer(tiny: Path, tuning: Path) -> None:
    assert len(load_tuned(tiny, tuning).encoder.encoder.layer) == 1


def test_how_a_word_is_written_changes_its_vector(tiny: Path, tuning: Path) -> None:
    tuned, plain = (
        [e.encode([text])[0].vectors for text in ("us", "US", "Us")]
        for e in (ContextualEncoder(tiny, tuning=tuning), ContextualEncoder(tiny, layer=1))
    )
    assert np.abs(tuned[0] - tuned[1]).max() > 0.01
    assert np.abs(tuned[1] - tuned[2]).max() > 0.01
    assert (plain[0] == plain[1]).all() and (plain[1] == plain[2]).all()


def test_identity_is_of_the_tunings_bytes(
    tiny: Path, tuning: Path, tuning_tensors: Tensors
) -> None:
    first = ContextualEncoder(tiny, tuning=tuning).identity
    assert ContextualEncoder(tiny, tuning=tuning).identity == first
    changed = {**tuning_tensors, _CASE: tuning_tensors[_CASE] + 1e-3}
    base = hash_file(tiny / "model.safetensors")
    write_tuning(tuning, changed, base_sha256=base)
    second = ContextualEncoder(tiny, tuning=tuning).identity
    (tuning / CONFIG).write_text(json.dumps({"r": RANK, "lora_alpha": ALPHA + 1}))
    third = ContextualEncoder(tiny, tuning=tuning).identity
    assert len({first, second, third, ContextualEncoder(tiny, layer=1).identity}) == 4


@pytest.mark.parametrize("metadata", [{}, {"base_sha256": "0" * 64}, {"base_sha256": "missing"}])
def test_a_tuning_for_other_weights_is_refused(
    tiny: Path, tmp_path: Path, tuning_tensors: Tensors, metadata: dict[str, str]
) -> None:
    write_tuning(tmp_path / "other", tuning_tensors, **metadata)
    with pytest.raises(ValueError, match=r"whose base is .*; tune this encoder, or do without"):
        load_tuned(tiny, tmp_path / "other")
    with pytest.raises(Unavailable, match=r"tuned by .*other, cannot be loaded: expected a tuning"):
        ContextualEncoder(tiny, tuning=tmp_path / "other")


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_cut_or_missing_file_is_unavailable(
    tiny: Path, tuning: Path, name: str, damage: str
) -> None:
    content = (tuning / name).read_bytes()
    (tuning / name).unlink()
    if damage == "cut":
        (tuning / name).write_bytes(content[:-5])
    with pytest.raises(Unavailable, match="cannot be loaded") as caught:
        ContextualEncoder(tiny, tuning=tuning)
    assert "\n" not in str(caught.value)


def without(tensors: Tensors, name: str) -> Tensors:
    return {n: t for n, t in tensors.items() if not n.endswith(name)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: {_CASE: t[_CASE]}, "no factors"),
        (lambda t: without(t, "query.lora_B.weight"), "query.lora_B.weight"),
        (lambda t: without(t, "letter_case.weight"), "letter_case.weight"),
        (lambda t: {**t, "more": torch.ones(1)}, "was: more"),
        (lambda t: {**t, _CASE: torch.ones(9, 1)}, r"shape \(9, 8\), was: \(9, 1\)"),
        (lambda t: {**t, _CASE: torch.ones(8, WIDTH)}, r"shape \(9, 8\), was: \(8, 8\)"),
        (
            lambda t: {n.replace("query", "nothing"): x for n, x in t.items()},
            "no attribute `nothing`",
        ),
        (
            lambda t: {n: torch.ones(WIDTH, INNER) if "lora_B" in n else x for n, x in t.items()},
            "shapes cannot be multiplied",
        ),
    ],
)
def test_what_is_no_tuning_of_this_encoder_is_unavailable(
    tiny: Path, tuning: Path, tuning_tensors: Tensors, change: Any, words: str
) -> None:
    base = hash_file(tiny / "model.safetensors")
    write_tuning(tuning, change(tuning_tensors), base_sha256=base)
    with pytest.raises(Unavailable, match=words):
        ContextualEncoder(tiny, tuning=tuning)


@pytest.mark.parametrize("config", ["[]", "{}", '{"r": 0, "lora_alpha": 2}'])
def test_a_config_without_a_scale_is_unavailable(tiny: Path, tuning: Path, config: str) -> None:
    (tuning / CONFIG).write_text(config)
    with pytest.raises(Unavailable, match="expected r and lora_alpha in"):
        ContextualEncoder(tiny, tuning=tuning)
