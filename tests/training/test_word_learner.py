"""The word encoder as a learner: a tiny one is tuned on a pack, judged by votes, and stored."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from index.bundled import hash_file
from index.contextual import ContextualEncoder
from index.encoders import Encoders
from tests.training.towns import SOURCES, TERMS, TRAIN_SENTENCES, write_towns
from tests.training.word_towns import word_settings, write_tiny_bert
from training import word_learner
from training.learner import Serving
from training.pack_lots import asked_domain
from training.preparation import Places
from training.retrain_settings import RetrainSettings
from training.retraining import Request, Shelf, retrain
from training.settings import TrainingSettings
from training.sources import read_source, read_source_configs
from training.verdict import Verdict
from training.word_learner import WordLearner, WordTools
from training.word_preparation import TaughtPack, _of_pack
from wraner.adapters import WEIGHTS, Task, content_hash, identities, read_adapter
from wraner.entities import Mention
from wraner.errors import InvalidInput, Stale, Unavailable
from wraner.packs import Domain, EntityType, TaggedExample


def sentence(number: int) -> TaggedExample:
    fruit, month = ["plum", "fig", "pear"][number % 3], ["May", "June", "July"][number // 3 % 3]
    text = f"Pick {fruit} {number} in {month}."
    at = text.index(month)
    entities = (Mention(5, 5 + len(fruit), "fruit"), Mention(at, at + len(month), "month"))
    return TaggedExample(id=f"s{number}", text=text, entities=entities)


GARDEN = Domain(
    entity_types=(EntityType(name="fruit"), EntityType(name="month")),
    examples=tuple(map(sentence, range(12))),
)
TEST = tuple(map(sentence, range(100, 106)))


class Bed:
    """A folder with a tiny encoder, a source, and a shelf."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, io.StringIO()
        self.bert = write_tiny_bert(folder / "bert")
        write_towns(folder)
        (folder / "sources.yaml").write_text(SOURCES.replace("dev: [dev", "test: [dev"))
        self.adapters = folder / "state" / "adapters"
        self.promoted: list[tuple[str, str]] = []
        self.error: Exception | None = None

    def encoders_with(self, tuning: Path | None) -> Encoders:
        layer = 2 if tuning is None else None
        return Encoders.same(
            ContextualEncoder(self.bert, layer=layer, tuning=tuning, window_tokens=40)
        )

    def promote(self, identity: str, expected: str) -> None:
        assert read_adapter(self.adapters, identity).task is Task.WORDS
        if self.error:
            raise self.error
        self.promoted.append((identity, expected))

    def retrain(self, serving: Serving, *, replay: bool = True, **changes: Any) -> Verdict:
        steps = changes.pop("steps", 3)
        words = word_settings(self.bert, self.folder / "sources.yaml", steps=steps)
        settings = RetrainSettings(
            words=words, model=TrainingSettings(sources={"towns": 1.0}), folds=2,
            elsewhere_sentences=3, elsewhere_examples=8,
        )  # fmt: skip
        console = Console(file=self.said, width=300)
        tools = WordTools(self.encoders_with, self.promote, console)
        places = Places(self.folder / "state", self.folder)
        learner = WordLearner(settings, places, serving=serving, replayed=replay, tools=tools)
        given: dict[str, Any] = {
            "name": "garden", "pack": GARDEN, "test": TEST, "elsewhere": (), "replay": replay,
            "force": True, "command": "wraner train --domain garden",
        }  # fmt: skip
        return retrain(Request(**given | changes), settings, learner, Shelf(self.adapters, console))


ALONE = Serving("", None, "")


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    monkeypatch.setattr("training.retraining.LEAST_OF_ONE", 1)
    return Bed(tmp_path)


def test_a_tuning_is_stored_with_what_went_into_it_and_gone_on_from(bed: Bed) -> None:
    sheds = asked_domain("sheds", GARDEN, TEST[:1])
    first = bed.retrain(ALONE, elsewhere=(sheds,))
    assert first.promoted and bed.promoted == [(first.adapter, "")]
    assert [t.domain for t in first.elsewhere] == ["towns", "sheds"] and len(
        first.here.candidate
    ) == 6
    manifest = read_adapter(bed.adapters, first.adapter)
    assert (manifest.base.name, manifest.base.sha256) == (
        "bert", hash_file(bed.bert / "model.safetensors"),
    )  # fmt: skip
    garden, towns = manifest.data
    assert garden.name.startswith("garden@") and garden.sentences == 12
    assert (towns.name, towns.terms, towns.sentences) == ("towns", TERMS, TRAIN_SENTENCES)
    assert manifest.config["pack_share"] == 0.5 and manifest.config["replay"] is True
    assert "model" not in manifest.config and manifest.metrics["decision"]
    folder = bed.adapters / first.adapter
    second = bed.retrain(Serving(first.adapter, folder, "pointed"))
    assert second.parent == first.adapter != second.adapter
    assert bed.promoted[1] == (second.adapter, "pointed")
    assert read_adapter(bed.adapters, second.adapter).parent == first.adapter


def test_tuning_on_the_pack_helps_votes_there(bed: Bed) -> None:
    verdict = bed.retrain(ALONE, steps=30, replay=False)
    gain = verdict.decision.here.change
    assert gain is not None and gain.value >= 0 and verdict.elsewhere == ()
    assert [d.name.split("@")[0] for d in read_adapter(bed.adapters, verdict.adapter).data] == [
        "garden"
    ]


def test_folds_are_taught_apart_and_what_is_tuned_is_kept(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Path] = []
    run_tuning = word_learner.run_tuning

    def counted(run: Any, *, console: Console) -> None:
        if len(runs) == 2:
            runs.append(run.target)
            raise KeyboardInterrupt
        runs.append(run.target)
        run_tuning(run, console=console)

    monkeypatch.setattr(word_learner, "run_tuning", counted)
    with pytest.raises(KeyboardInterrupt):
        bed.retrain(ALONE, test=())
    assert len(set(runs)) == 3 and not runs[2].exists() and not identities(bed.adapters)
    assert bed.retrain(ALONE, test=()).promoted
    assert runs[3:] == [runs[2]]  # the two folds are not tuned again
    assert "what was tuned before is taken" in bed.said.getvalue()


def test_two_processes_do_not_tune_one_folder(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []
    run_tuning = word_learner.run_tuning

    def twice(run: Any, *, console: Console) -> None:
        with pytest.raises(Unavailable, match="in use by another process") as found:
            bed.retrain(ALONE)
        refused.append(found)
        run_tuning(run, console=console)

    with monkeypatch.context() as patched:
        patched.setattr(word_learner, "run_tuning", twice)
        assert bed.retrain(ALONE).promoted
    assert refused and bed.retrain(ALONE).promoted


@pytest.mark.parametrize("error", [Stale("another serves"), Unavailable("no index")])
def test_what_cannot_serve_is_on_the_shelf(bed: Bed, error: Exception) -> None:
    bed.error = error
    with pytest.raises(type(error), match="stored and not promoted"):
        bed.retrain(ALONE)
    (candidate,) = identities(bed.adapters)
    assert not read_adapter(bed.adapters, candidate).forced


def test_a_pack_of_long_sentences_is_refused(bed: Bed) -> None:
    long = TaggedExample(id="long", text="word " * 80)
    said = "sentences that are not too long in the pack, was: 0 of 1; leave it out, or add some"
    with pytest.raises(InvalidInput, match=said):
        bed.retrain(ALONE, pack=GARDEN.model_copy(update={"examples": (long,)}))


def test_an_example_alone_is_refused(bed: Bed) -> None:
    one = GARDEN.model_copy(update={"examples": GARDEN.examples[:1]})
    with pytest.raises(InvalidInput, match=r"was: 1 of 1; leave it out, or add some$"):
        bed.retrain(ALONE, pack=one)


def test_the_pack_has_its_share_where_sources_are_left_out(bed: Bed) -> None:
    both = {"towns": 2.0, "left-out": 6.0}
    settings = word_settings(bed.bert, bed.folder / "sources.yaml", sources=both)
    (config,) = read_source_configs(bed.folder / "sources.yaml")
    towns = read_source(config, data_root=bed.folder)
    pack = TaughtPack("garden", GARDEN, 0.75)
    assert _of_pack(pack, [towns], settings).weight == pytest.approx(3 * 2.0)
    assert _of_pack(pack, [], settings).weight == 1.0


def test_a_damaged_serving_tuning_is_named(bed: Bed) -> None:
    first = bed.retrain(ALONE)
    folder = bed.adapters / first.adapter
    (folder / WEIGHTS).write_bytes(b"cut")
    with pytest.raises(InvalidInput, match="expected the folder of a tuned word encoder"):
        bed.retrain(Serving(content_hash(folder), folder, first.adapter))
