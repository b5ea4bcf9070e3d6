"""Memory and larger models: the count against real tensors, and architectures on tiny weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from tests.conftest import tiny_tokenizer
from training import lora, tree_attention
from training.loop import logits_of
from training.memory import GIB, bytes_kept, count_memory, main
from training.objective import supervised
from training.packed import Lesson, Lessons, Packer
from training.settings import LoraSettings, OptimiserSettings, TrainingSettings, read_settings
from wraner import weights
from wraner.chat import EncodedPrompt
from wraner.language_model import LanguageModel
from wraner.view import View

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
TINY: dict[str, Any] = {
    "vocab_size": 272,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "bos_token_id": None,
    "eos_token_id": 0,
}
QWEN2 = Qwen2Config(**TINY, tie_word_embeddings=True)
QWEN3 = Qwen3Config(**TINY, head_dim=16, tie_word_embeddings=False)


def full_size(name: str) -> PretrainedConfig:
    """Return the architecture that a shipped configuration names, at its size."""
    qwen2 = {"hidden_size": 1536, "num_hidden_layers": 28, "num_attention_heads": 12}
    qwen2 |= {"num_key_value_heads": 2, "intermediate_size": 8960, "vocab_size": 151936}
    if name == "ner-1.5b":
        return Qwen2Config(**qwen2, tie_word_embeddings=True)
    qwen3 = {"hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32}
    qwen3 |= {"num_key_value_heads": 8, "intermediate_size": 12288, "vocab_size": 151936}
    return Qwen3Config(**qwen3, head_dim=128, tie_word_embeddings=False)


@pytest.mark.parametrize(
    ("name", "parameters"), [("ner-1.5b", 1_543_714_304), ("ner-8b", 8_190_735_360)]
)
def test_the_figures_in_a_configuration_are_the_counted_ones(name: str, parameters: int) -> None:
    file = CONFIGS / f"{name}.yaml"
    counted = count_memory(read_settings(file), full_size(name))
    assert counted.weights == 2 * parameters
    said = file.read_text().replace("\n# ", " ")
    for figure in (counted.weights, counted.adapter, counted.kept):
        assert f" {figure / GIB:.2f}".replace(" 0.", " .") in said
    assert f"{counted.total / GIB:.1f} in all" in said


def test_what_is_counted_is_what_a_real_run_keeps() -> None:
    settings = TrainingSettings(
        sources={"towns": 1}, optimiser=OptimiserSettings(run_tokens=200), lora=LoraSettings(rank=4)
    )
    counted = count_memory(settings, LlamaConfig(**TINY))
    model = AutoModelForCausalLM.from_config(
        LlamaConfig(**TINY), dtype=torch.bfloat16, attn_implementation=tree_attention.NAME
    )
    assert counted.weights == 2 * sum(p.numel() for p in model.parameters())
    lora.attach(model, lora.LoraShape(4, 64, 0.0, tuple(lora.linear_names(model))))
    assert counted.adapter == 16 * sum(p.numel() for _, p in lora.factors(model))
    assert counted.kept == bytes_kept(model, settings)


@pytest.mark.parametrize("architecture", [QWEN2, QWEN3], ids=["qwen2", "qwen3"])
def test_other_architectures_are_trained_stored_and_served(
    architecture: PretrainedConfig, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_config(architecture)
    base.save_pretrained(tmp_path / "base")
    tiny_tokenizer().save_pretrained(tmp_path / "base")
    model = AutoModelForCausalLM.from_pretrained(
        tmp_path / "base", dtype=torch.float32, attn_implementation=tree_attention.NAME
    )
    shape = lora.LoraShape(4, 8, 0.0, tuple(lora.linear_names(model)))
    lora.attach(model, shape)
    packer = Packer(
        View.BESIDE, shown_weight=0, end_of_turn=0, dtype=torch.float32, device=torch.device("cpu")
    )
    prompt = EncodedPrompt((5, 6, 7), ((8, 9), (10, 11, 12)), (13, 14))
    run = packer.pack([Lessons((Lesson(prompt, (15, 16, 0), (1, 1)),))])
    optimiser = torch.optim.AdamW([p for _, p in lora.factors(model)], lr=0.005)
    losses = []
    for _ in range(10):
        loss = supervised(logits_of(model, run), run)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]

    lora.save(model, shape, tmp_path / "adapter", dtype=torch.float32)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32)
    tuned = PeftModel.from_pretrained(plain, str(tmp_path / "adapter")).eval()
    ids = torch.arange(5, 15)[None]
    before = base(ids).logits
    assert not torch.allclose(tuned(ids).logits, before, atol=1e-3)
    served = LanguageModel(
        weights.resolve(str(tmp_path / "base"), tmp_path), adapters=tmp_path, dtype="float32"
    )
    assert served.rotation is not None  # so examples can be remembered


@pytest.mark.model
def test_the_command_counts_for_the_bundled_model(
    bundled_base: weights.BaseModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = str(bundled_base.path.parents[1])
    monkeypatch.setattr("sys.argv", ["memory", str(CONFIGS / "ner.yaml"), "--state", state])
    main()
    counted = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert counted["weights"] == "0.25 GiB"  # 134.5 million in bf16
    assert float(counted["kept"].split()[0]) > 0
