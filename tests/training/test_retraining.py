"""Retraining: what is taught and asked, what is promoted, and the whole of it on a tiny model."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.training.conftest import LetterEncoder
from tests.wraner.random_adapters import hollow_adapter
from training import replay, retraining
from training.examination import Bench
from training.gate import LEAST_OF_ONE
from training.learner import Examine, Taught
from training.model_learner import ModelLearner, ModelTools
from training.ner_domains import NerDomain
from training.pack_lots import asked_domain, fold_lots, lot_with_test
from training.preparation import Places
from training.replay import Subject, shaped_like
from training.retrain_settings import RetrainSettings, layered, read_retrain_settings
from training.retraining import Request, Shelf, retrain
from training.settings import LoraSettings, TrainingSettings
from training.sources import read_source_configs
from training.verdict import Verdict
from training.word_settings import WordSettings
from wraner.adapters import (
    CONFIG,
    WEIGHTS,
    Task,
    content_hash,
    identities,
    read_adapter,
    write_adapter,
)
from wraner.entities import Mention
from wraner.errors import InvalidInput, Stale, Unavailable
from wraner.fusion import Fusion
from wraner.metrics import SpanCounts
from wraner.packs import Domain, EntityType, TaggedExample
from wraner.promotions import current, promote
from wraner.weights import BaseModel

RIGHT, WRONG = SpanCounts(1, 1, 1), SpanCounts(0, 1, 1)


def sentence(number: int) -> TaggedExample:
    fruit, month = ["plum", "fig", "pear"][number % 3], ["May", "June", "July"][number // 3 % 3]
    text = f"Pick the {fruit} number {number} in {month}."
    at = text.index(month)
    entities = (Mention(9, 9 + len(fruit), "fruit"), Mention(at, at + len(month), "month"))
    return TaggedExample(id=f"s{number}", text=text, entities=entities)


GARDEN = Domain(
    description="Notes.",
    entity_types=(EntityType(name="fruit", definition="what grows"), EntityType(name="month")),
    examples=tuple(map(sentence, range(30))),
)
TEST = tuple(map(sentence, range(100, 130)))
ELSEWHERE = asked_domain("sheds", GARDEN, tuple(map(sentence, range(200, 320))))


class Examined:
    """An examination that finds candidates right, or not; remembers what was asked of whom."""

    def __init__(self, serving: str, *, better: bool, meanwhile: Callable[[], None] = lambda: None):
        self.asked: list[tuple[str, NerDomain]] = []
        self._serving, self._better, self._meanwhile = serving, better, meanwhile

    @contextmanager
    def __call__(self, bench: Bench) -> Iterator[Examine]:
        self._meanwhile()

        def examine(domain: NerDomain, adapter: str) -> tuple[SpanCounts, ...]:
            assert adapter == "" or read_adapter(bench.adapters, adapter)
            self.asked.append((adapter, domain))
            gains = self._better and adapter != self._serving and domain.name == "garden"
            return (RIGHT if gains else WRONG,) * len(domain.asked)

        yield examine


class Teaching:
    """Stands in for training: writes files that depend on what is taught."""

    def __init__(self, folder: Path) -> None:
        self.subjects: dict[str, Subject] = {}
        self._folder = folder

    def __call__(self, subject: Subject, *_: Any, **__: Any) -> Taught:
        folder = self._folder / subject.identity
        folder.mkdir(parents=True)
        (folder / CONFIG).write_text(subject.identity)
        (folder / WEIGHTS).write_bytes(b"")
        self.subjects[content_hash(folder)] = subject
        return Taught(folder, len(subject.pack.examples), (), ())


class Bed:
    """A state folder and all that a retraining needs but training itself."""

    def __init__(self, base: BaseModel, folder: Path, teaching: Teaching) -> None:
        self.base, self.teaching, self.said = base, teaching, io.StringIO()
        self.places = Places(folder / "state", folder / "none")
        self.adapters = self.places.state / "adapters"

    def serve(self) -> str:
        config = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
        identity = hollow_adapter(self.base, self.adapters, json.dumps(config))
        promote(self.adapters, Task.NER, identity, expected="")
        return identity

    def retrain(self, examined: Examined, **changes: Any) -> Verdict:
        given: dict[str, Any] = {
            "name": "garden", "pack": GARDEN, "test": TEST, "elsewhere": (ELSEWHERE,),
            "replay": False, "force": False, "command": "wraner train --domain garden",
        }  # fmt: skip
        serving = changes.pop("serving", current(self.adapters, Task.NER))
        training = TrainingSettings(base=str(self.base.path), sources={"towns": 1.0})
        settings = RetrainSettings(model=training, words=WordSettings(sources={"towns": 1.0}))
        console = Console(file=self.said, width=300)
        tools = ModelTools(LetterEncoder(), examined, console)
        learner = ModelLearner(settings, self.places, serving=serving, replayed=False, tools=tools)
        return retrain(Request(**given | changes), settings, learner, Shelf(self.adapters, console))


@pytest.fixture
def bed(tiny_base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    teaching = Teaching(tmp_path / "taught")
    monkeypatch.setattr(replay, "teach", teaching)
    return Bed(tiny_base, tmp_path, teaching)


def test_a_better_candidate_serves_and_says_what_it_is(bed: Bed) -> None:
    before = bed.serve()
    verdict = bed.retrain(Examined(before, better=True))
    assert verdict.promoted and current(bed.adapters, Task.NER) == verdict.adapter != before
    manifest = read_adapter(bed.adapters, verdict.adapter)
    assert manifest.parent == before and not manifest.forced
    assert [(d.name.split("@")[0], d.sentences) for d in manifest.data] == [("garden", 30)]
    assert manifest.config["replay"] is False and manifest.config["pack_share"] == 0.5
    assert manifest.metrics["command"] == "wraner train --domain garden"
    assert str(manifest.metrics["decision"]).startswith("promote: garden +100.0")
    (subject,) = bed.teaching.subjects.values()
    assert subject.parent == bed.adapters / before and subject.training.sources == {}
    assert subject.training.lora.rank == 4 and subject.training.lora.targets == ("q_proj",)


def test_a_candidate_names_what_it_goes_on_from_was_taught(bed: Bed) -> None:
    config = json.dumps({"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]})
    data = [{"name": "towns", "terms": "made up", "sentences": 3}]
    before = hollow_adapter(bed.base, bed.adapters, config, data=data)
    promote(bed.adapters, Task.NER, before, expected="")
    verdict = bed.retrain(Examined(before, better=True))
    found = read_adapter(bed.adapters, verdict.adapter).data
    assert [d.name.split("@")[0] for d in found] == ["towns", "garden"]
    assert found[0].terms == "made up"


def test_a_candidate_that_is_made_again_keeps_its_date(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bed.retrain(Examined("", better=False)).adapter
    folder = bed.adapters / made
    before = read_adapter(bed.adapters, made).model_copy(update={"created": date(2026, 1, 2)})
    write_adapter(bed.adapters, folder, before)
    monkeypatch.setattr(replay, "teach", lambda *_, **__: Taught(folder, 1, (), ()))
    bed.retrain(Examined("", better=False))
    assert read_adapter(bed.adapters, made).created == date(2026, 1, 2)


def test_a_candidate_that_is_no_better_stays_on_the_shelf(bed: Bed) -> None:
    before = bed.serve()
    verdict = bed.retrain(Examined(before, better=False))
    assert not verdict.promoted and current(bed.adapters, Task.NER) == before
    assert not read_adapter(bed.adapters, verdict.adapter).forced
    assert verdict.decision.words.startswith("insufficient evidence")


def test_force_promotes_and_is_recorded_where_it_was_needed(bed: Bed) -> None:
    verdict = bed.retrain(Examined("", better=False), force=True)
    assert verdict.parent == "" and verdict.promoted
    assert read_adapter(bed.adapters, verdict.adapter).forced


def test_force_is_not_recorded_where_the_gate_opens(bed: Bed) -> None:
    verdict = bed.retrain(Examined("", better=True), force=True)
    assert verdict.promoted and not read_adapter(bed.adapters, verdict.adapter).forced


def test_what_serves_may_not_change_meanwhile(bed: Bed) -> None:
    before = bed.serve()
    other = hollow_adapter(bed.base, bed.adapters, "other")

    def meanwhile() -> None:
        promote(bed.adapters, Task.NER, other, expected=before)

    with pytest.raises(Stale, match="Train again"):
        bed.retrain(Examined(before, better=False, meanwhile=meanwhile), force=True)
    assert current(bed.adapters, Task.NER) == other
    (candidate,) = set(identities(bed.adapters)) - {before, other}
    assert not read_adapter(bed.adapters, candidate).forced


def test_a_calibration_outlives_a_training_that_makes_the_same_weights(bed: Bed) -> None:
    fitted = Fusion(judge=1.0, margin=0.0, bias=0.0, calibrated=True)
    one = bed.serve()
    manifest = read_adapter(bed.adapters, one)
    calibrated = manifest.model_copy(update={"calibration": fitted})
    for given in (calibrated, manifest):
        write_adapter(bed.adapters, bed.adapters / one, given)
        assert read_adapter(bed.adapters, one).calibration == fitted


def test_without_tests_each_example_is_asked_of_a_candidate_that_was_not_taught_it(
    bed: Bed,
) -> None:
    examined = Examined("", better=True)
    verdict = bed.retrain(examined, test=())
    assert verdict.promoted and len(bed.teaching.subjects) == 4
    parts = [(a, d) for a, d in examined.asked if d.name == "garden" and a]
    assert sorted(s.id for _, d in parts for s in d.asked) == sorted(e.id for e in GARDEN.examples)
    for adapter, domain in parts:
        asked = {s.id for s in domain.asked}
        taught = {e.id for e in bed.teaching.subjects[adapter].pack.examples}
        assert taught | asked == {e.id for e in GARDEN.examples} and not taught & asked
        assert not asked & {e.id for e in domain.pack.examples}
    assert len(bed.teaching.subjects[verdict.adapter].pack.examples) == 30
    assert ELSEWHERE.name in {d.name for a, d in examined.asked if a == verdict.adapter}


def test_it_is_said_where_what_serves_was_taught_what_is_held_out(bed: Bed) -> None:
    config = json.dumps({"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]})
    data = [{"name": "garden@0123", "terms": "own", "sentences": 3}]
    before = hollow_adapter(bed.base, bed.adapters, config, data=data)
    promote(bed.adapters, Task.NER, before, expected="")
    bed.retrain(Examined(before, better=False))
    assert "what serves was taught" not in bed.said.getvalue()
    bed.retrain(
        Examined(before, better=False),
        pack=GARDEN.model_copy(update={"examples": GARDEN.examples[:20]}),
        test=(),
    )
    assert "what serves was taught examples of garden" in bed.said.getvalue()


def test_it_is_said_where_what_serves_came_from_what_was_taught_what_is_held_out(bed: Bed) -> None:
    config = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
    data = [{"name": "garden@0123", "terms": "own", "sentences": 3}]
    first = hollow_adapter(bed.base, bed.adapters, json.dumps(config), data=data)
    after = json.dumps({**config, "then": "sheds"})
    second = hollow_adapter(bed.base, bed.adapters, after, parent=first)
    promote(bed.adapters, Task.NER, second, expected="")
    bed.retrain(Examined(second, better=False), test=())
    assert "what serves was taught examples of garden" in bed.said.getvalue()


def test_without_replay_and_other_tests_nothing_is_promoted(bed: Bed) -> None:
    verdict = bed.retrain(Examined("", better=True), elsewhere=())
    assert not verdict.promoted and "nothing was measured" in verdict.decision.words


def test_a_training_that_changes_nothing_is_refused(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bed.serve()
    monkeypatch.setattr(replay, "teach", lambda *_, **__: Taught(bed.adapters / before, 1, (), ()))
    with pytest.raises(InvalidInput, match="learning rate"):
        bed.retrain(Examined(before, better=True))


def test_an_adapter_of_another_base_is_refused(bed: Bed) -> None:
    foreign = hollow_adapter(BaseModel(Path("none"), "other", "0" * 64), bed.adapters, "{}")
    with pytest.raises(Unavailable, match="choose an adapter of this base"):
        bed.retrain(Examined(foreign, better=True), serving=foreign)


def test_what_is_asked_is_not_taught() -> None:
    long_test = TaggedExample(text="one two three four five six seven eight nine")
    same = TaggedExample(id="same", text="zero one two three four five six seven eight!")
    endless = TaggedExample(id="long", text="word " * 200)
    pack = GARDEN.model_copy(update={"examples": (*GARDEN.examples, same, endless)})
    lot = lot_with_test("garden", pack, [long_test])
    assert (lot.leaks, lot.long) == (1, 1)
    assert {e.id for e in lot.taught.examples} == {e.id for e in GARDEN.examples}
    assert same in lot.asked.pack.examples  # it may be retrieved, by both systems
    with pytest.raises(InvalidInput, match="expected examples of up to"):
        lot_with_test("garden", pack.model_copy(update={"examples": (same,)}), [long_test])
    with pytest.raises(InvalidInput, match="at least 100 examples"):
        fold_lots("garden", pack, 50)


@pytest.mark.parametrize(
    "config", [{"use_rslora": True, "target_modules": ["q"]}, {"target_modules": ".*proj"}]
)
def test_an_adapter_that_training_does_not_understand_is_refused(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    (tmp_path / CONFIG).write_text(json.dumps({"r": 4, "lora_alpha": 8, **config}))
    with pytest.raises(InvalidInput, match="plain LoRA"):
        shaped_like(tmp_path, LoraSettings())


def test_the_shipped_settings_hold_and_each_field_can_differ(tmp_path: Path) -> None:
    shipped = read_retrain_settings(base="bundled")
    assert shipped.pack_share == 0.5 and shipped.model.base == "bundled"
    configured = {c.name for c in read_source_configs()}
    assert shipped.model.sources.keys() <= configured and shipped.words.sources.keys() <= configured
    assert shipped.words.held_out == shipped.model.held_out != ()
    own = tmp_path / "own.yaml"
    own.write_text("folds: 5\nmodel: {sources: {gum: 1}, optimiser: {steps: 9}}\nwords: {steps: 7}")
    changed = read_retrain_settings(own, base="elsewhere")
    assert changed.folds == 5 and changed.model.sources == {"gum": 1.0}
    assert changed.model.optimiser.steps == 9 and changed.model.base == "elsewhere"
    assert changed.words == shipped.words.model_copy(update={"steps": 7})
    rates = [s.model.optimiser.learning_rate for s in (shipped, changed)]
    assert rates[0] == rates[1] < TrainingSettings(sources={"towns": 1.0}).optimiser.learning_rate
    assert layered({"a": {"b": 1}}, {"a": 2}) == {"a": 2}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("pack_share: 1", "pack_share: "),
        ("model: {optimiser: {steps: 0}}", "model/optimiser/steps: "),
        ("share: 0.5", "share: this field is not known"),
        ("- 1", "expected fields such as"),
        ("", "expected fields such as"),
        ("{", "expected a YAML file"),
        ("model: {seed: 1}\nfolds: 3\nmodel: {seed: 2}", ":3: expected each key once"),
    ],
)
def test_the_wrong_field_is_named(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "own.yaml").write_text(content)
    with pytest.raises(InvalidInput) as raised:
        read_retrain_settings(tmp_path / "own.yaml", base="bundled")
    assert words in raised.value.message and "own.yaml" in raised.value.message


def test_domains_with_few_test_sentences_are_not_measured(bed: Bed) -> None:
    few = asked_domain("huts", GARDEN, tuple(map(sentence, range(400, 400 + LEAST_OF_ONE - 1))))
    examined = Examined("", better=True)
    verdict = bed.retrain(examined, elsewhere=(ELSEWHERE, few))
    assert verdict.promoted and [t.domain for t in verdict.elsewhere] == ["sheds"]
    assert "huts" not in {domain.name for _, domain in examined.asked}
    assert "fewer than 20 test sentences that are not of garden: huts" in bed.said.getvalue()


@pytest.mark.parametrize(
    ("asked", "elsewhere", "said"),
    [
        (TEST[:19], (ELSEWHERE,), ["here 19 test sentences are asked, at least 20"]),
        (TEST, (), ["elsewhere 0 test sentences are asked, at least 100"]),
        (TEST, (ELSEWHERE,), []),
    ],
)
def test_what_cannot_be_promoted_is_said_before_the_training(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, asked: Any, elsewhere: Any, said: list[str]
) -> None:
    def stopped(*_: Any, **__: Any) -> Taught:
        raise KeyboardInterrupt

    monkeypatch.setattr(replay, "teach", stopped)
    with pytest.raises(KeyboardInterrupt):
        bed.retrain(Examined("", better=True), test=asked, elsewhere=elsewhere)
    told = bed.said.getvalue()
    assert all(words in told for words in said)
    assert ("nothing will be promoted but by --force" in told) is bool(said)


@pytest.mark.parametrize("still_full", [False, True])
def test_a_promotion_that_fails_names_the_candidate_and_forces_nothing(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, still_full: bool
) -> None:
    forced: list[bool] = []

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    def promoted(self: ModelLearner, identity: str) -> None:
        forced.append(read_adapter(bed.adapters, identity).forced)
        if still_full:
            monkeypatch.setattr(retraining, "write_adapter", full)
        full()

    monkeypatch.setattr(ModelLearner, "promote", promoted)
    with pytest.raises(Unavailable, match=r"No space left.* is stored and not promoted"):
        bed.retrain(Examined("", better=False), force=True)
    (candidate,) = identities(bed.adapters)
    assert forced == [True] and read_adapter(bed.adapters, candidate).forced is still_full
