"""Retraining with a real training of the tiny model: on top of one another, each in its folder."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from safetensors.torch import load_file

from index.encoders import Encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from tests.training.conftest import LetterEncoder
from tests.training.test_retraining import GARDEN, TEST
from tests.training.towns import SOURCES, TERMS, town_settings, write_towns
from training import preparation, replay, retraining
from training.corpus import Corpus
from training.examination import examination
from training.model_learner import ModelLearner, ModelTools
from training.preparation import Places
from training.replay import Subject
from training.retrain_settings import RetrainSettings
from training.retraining import Request, Shelf, retrain
from training.settings import TrainingSettings
from training.sources import read_source, read_source_configs
from training.verdict import Verdict
from training.word_settings import WordSettings
from wraner.adapters import WEIGHTS, read_adapter
from wraner.errors import InvalidInput
from wraner.extract import Extractor
from wraner.packs import Domain, EntityType, version
from wraner.view import View
from wraner.weights import BaseModel


def test_a_tiny_model_is_retrained_examined_and_retrained_on_top(
    tiny_base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "ContextualEncoder", lambda **_: LetterEncoder())
    write_towns(tmp_path)
    configured = SOURCES.replace("dev: [dev.conll]", "test: [dev.conll]")
    (tmp_path / "sources.yaml").write_text(configured)
    training = town_settings(tiny_base, tmp_path / "sources.yaml")
    optimiser = training.optimiser.model_copy(update={"steps": 2})
    settings = RetrainSettings(
        model=training.model_copy(update={"optimiser": optimiser, "checkpoint_every": 1}),
        words=WordSettings(sources={"towns": 1.0}),
        elsewhere_sentences=1, elsewhere_examples=8, k=1,
    )  # fmt: skip
    encoder = LetterEncoder()
    console = Console(file=io.StringIO())

    def extractor_of(engine: Any) -> Extractor:
        return Extractor(
            retriever=LocalRetriever(Encoders.same(encoder), IndexSettings()), engine=engine
        )

    monkeypatch.setattr(retraining, "LEAST_OF_ONE", 1)
    tools = ModelTools(encoder, examination(extractor_of, console), console)
    places = Places(tmp_path / "state", tmp_path)
    adapters = places.state / "adapters"

    def once(serving: str, settings: RetrainSettings) -> Verdict:
        request = Request("garden", GARDEN, TEST[:1], (), True, True, "again")
        learner = ModelLearner(settings, places, serving=serving, replayed=True, tools=tools)
        return retrain(request, settings, learner, Shelf(adapters, console))

    first = once("", settings)
    assert first.promoted and [t.domain for t in first.elsewhere] == ["towns"]
    manifest = read_adapter(adapters, first.adapter)
    assert manifest.view is View.BESIDE
    assert [(d.terms, d.sentences) for d in manifest.data[1:]] == [(TERMS, 32)]
    gentle = optimiser.model_copy(update={"steps": 1, "learning_rate": 1e-3})
    gentler = settings.model.model_copy(update={"optimiser": gentle})
    second = once(first.adapter, settings.model_copy(update={"model": gentler}))
    assert second.promoted and second.parent == first.adapter != second.adapter
    trained, start = (load_file(adapters / v.adapter / WEIGHTS) for v in (second, first))
    assert all(trained[n].isclose(start[n], atol=3e-3).all() for n in start)
    assert any(bool((start[n].abs() > 0.01).any()) for n in start if "lora_B" in n)  # not afresh


class OtherLetters(LetterEncoder):
    """Finds the same neighbours, and has another name."""

    identity = "other letters"


def test_another_encoder_another_order_and_more_types_make_another_run(
    tiny_base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "ContextualEncoder", lambda **_: LetterEncoder())
    write_towns(tmp_path)
    training = town_settings(tiny_base, tmp_path / "sources.yaml")
    optimiser = training.optimiser.model_copy(update={"steps": 1})
    said = io.StringIO()

    def taught(pack: Domain, encoder: LetterEncoder) -> Path:
        subject = Subject(pack, 0.5, training.model_copy(update={"optimiser": optimiser}), None)
        console = Console(file=said, width=300)
        return replay.teach(subject, Places(tmp_path, tmp_path), encoder, console=console).adapter

    small = GARDEN.model_copy(update={"examples": GARDEN.examples[:6]})
    turned = small.model_copy(update={"examples": small.examples[::-1]})
    runs = [taught(small, LetterEncoder()), taught(small, OtherLetters())]
    runs.append(taught(turned, LetterEncoder()))
    assert version(small) == version(turned) and len(set(runs)) == 3
    assert taught(small, LetterEncoder()) == runs[0] and "prompts of up to" not in said.getvalue()
    wordy = EntityType(name="wordy", definition="so many words " * 70)
    many = small.model_copy(update={"entity_types": (*small.entity_types, wordy)})
    assert taught(many, LetterEncoder()) not in runs
    assert "prompts of up to 1" in said.getvalue(), "a long instruction is no reason to stop"
    endless = EntityType(name="endless", definition="so many words " * 200)
    with pytest.raises(InvalidInput, match="tokens, the model reads at most"):
        taught(small.model_copy(update={"entity_types": (endless,)}), LetterEncoder())


def test_the_pack_has_its_share_where_sources_are_left_out(corpus: Corpus, tmp_path: Path) -> None:
    (config,) = read_source_configs(write_towns(tmp_path))
    towns = read_source(config, data_root=tmp_path)
    training = TrainingSettings(sources={"towns": 2.0, "left-out": 6.0})
    subject = Subject(GARDEN, 0.25, training, None)
    for sources in ([towns], []):
        pack, *others = replay._supplies(subject, corpus, [corpus] * len(sources), sources)
        assert pack.weight == 0.25
        assert sum(one.weight for one in others) == (0.75 if sources else 0)
