"""A language model in memory: how its adapters come in."""

import warnings
from pathlib import Path

from tests.wraner.random_adapters import random_adapter
from wraner.language_model import LanguageModel
from wraner.weights import BaseModel


def test_loading_an_adapter_warns_of_nothing(tiny_base: BaseModel, tmp_path: Path) -> None:
    adapter = random_adapter(tiny_base, tmp_path, 1)
    model = LanguageModel(tiny_base, adapters=tmp_path, dtype="float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pytest itself passes over what peft causes
        model.adapted(adapter)
    assert model.loaded_adapters == (adapter,)
