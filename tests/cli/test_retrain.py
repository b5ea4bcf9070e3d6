"""`wraner train --domain NAME`: what is trained on and judged by, what is said, what is refused."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli import retraining
from cli.failures import Exit, WrongUse
from cli.main import main
from cli.retrain import DomainOptions, Tune, retrain_domain
from index.encoders import Encoders
from services.settings import Settings
from tests.training.conftest import LetterEncoder
from tests.wraner.random_adapters import hollow_adapter, manifest_of
from training.gate import Trial, decide
from training.learner import Learner, Serving
from training.model_learner import ModelTools
from training.retrain_settings import RetrainSettings
from training.retraining import Request
from training.verdict import Verdict
from wraner.adapters import CONFIG, WEIGHTS, Task, content_hash
from wraner.errors import InvalidInput, NotFound
from wraner.formats.jsonl import render_lines
from wraner.metrics import SpanCounts
from wraner.pack_folders import write_pack_folder
from wraner.packs import Domain, EntityType, TaggedExample, version
from wraner.promotions import promote
from wraner.registry import Kind, PackStore
from wraner.weights import BaseModel

BASE = BaseModel(Path("x"), "x", "0" * 64)
RIGHT, WRONG = SpanCounts(1, 1, 1), SpanCounts(0, 1, 1)
TRIPS = Domain(
    entity_types=(EntityType(name="city"),), examples=(TaggedExample(text="She saw Ghent."),)
)
TEST = (TaggedExample(id="t1", text="It rains in Hull."),)
TOURS = Domain(
    entity_types=(EntityType(name="town"),), examples=(TaggedExample(text="He left Lyon."),)
)
TOURS_TEST = (TaggedExample(id="t2", text="It snows in Cork."), *TRIPS.examples)


TUNED, UNTUNED = LetterEncoder(), LetterEncoder()


def encoders_with(_: Settings, tuning: Path | None) -> Encoders:
    return Encoders.same(UNTUNED if tuning is None else TUNED)


class Retraining:
    """Stands in for the retraining: remembers what it was asked, and ends as told."""

    def __init__(self, *, gain: bool = True) -> None:
        self.requests: list[Request] = []
        self.settings: list[RetrainSettings] = []
        self.learners: list[Learner] = []
        self.gain = gain
        self.error: BaseException | None = None

    def __call__(
        self, request: Request, settings: RetrainSettings, learner: Learner, *_: Any
    ) -> Verdict:
        self.requests.append(request)
        self.settings.append(settings)
        self.learners.append(learner)
        if self.error:
            raise self.error
        here = Trial(request.name, (RIGHT,) * 40, ((WRONG if self.gain else RIGHT),) * 40)
        others = (Trial("sheds", (RIGHT,) * 300, (RIGHT,) * 300),)
        decision = decide(here, others)
        promoted = decision.promote or request.force
        parent = learner.serving.adapter
        return Verdict("f0" * 32, parent, decision, here, others, promoted, "")


class ModelLearner:
    """Stands in for the language model's learner, which would load the model."""

    def __init__(
        self, *_: Any, serving: str, asked: Sequence[str], tools: ModelTools, **__: Any
    ) -> None:
        self.tools = tools
        self.serving, self.asked = Serving(serving, None, serving), list(asked)
        self.manifest = manifest_of(BASE)


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Retraining:
    """Stand in for what is heavy; two domains are stored, one ships with tests."""
    for name in ("STATE", "PACKS", "ADAPTERS"):
        monkeypatch.setenv(f"WRANER_{name}_DIR", str(tmp_path / name.lower()))
    for name in ("HF_HUB_OFFLINE", "GOMP_SPINCOUNT", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        monkeypatch.setenv(name, "1")
    monkeypatch.delenv("WRANER_EXTRACT_ADAPTER", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    packs = PackStore(tmp_path / "state" / "packs")
    packs.publish("trips", TRIPS, expected=None)
    for name, pack, test in (("tours", TOURS, TOURS_TEST), ("copied-trips", TRIPS, TEST)):
        packs.publish(name, pack, expected=None)
        write_pack_folder(tmp_path / "packs" / name, pack)
        (tmp_path / "packs" / name / "test.jsonl").write_bytes(b"".join(render_lines(test)))
    retrained = Retraining()
    monkeypatch.setattr(retraining, "retrain", retrained)
    shipped = tmp_path / "adapters" / "words"
    shipped.mkdir(parents=True)
    for name in (CONFIG, WEIGHTS):
        (shipped / name).write_text("{}")
    monkeypatch.setattr(retraining, "word_encoders", lambda _: Encoders.same(TUNED))
    monkeypatch.setattr(retraining, "encoders_with", encoders_with)
    monkeypatch.setattr(retraining, "ModelLearner", ModelLearner)
    monkeypatch.delenv("WRANER_WORD_ADAPTER", raising=False)
    monkeypatch.delenv("WRANER_ENCODER", raising=False)
    return retrained


def write_test(file: Path) -> Path:
    file.write_bytes(b"".join(render_lines(TEST)))
    return file


def test_a_stored_domain_is_judged_by_folds_or_by_a_named_file(
    ran: Retraining, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        retrain_domain(DomainOptions(domain="trips"), tmp_path, tmp_path / "here", ["--data", "x"])
        == Exit.OK
    )
    shown = capsys.readouterr()
    assert "trips has no test sentences" in shown.err
    assert shown.out.splitlines()[1].split() == [
        "here:", "trips", "40", "0.0", "100.0", "+100.0", "(+100.0", "to", "+100.0)",
    ]  # fmt: skip
    assert "f0f0f0f0f0f0 serves now, the tuning that ships before" in shown.err
    assert f"wraner adapters rollback words --state {tmp_path / 'here'}" in shown.err
    few = "trips has few examples: the language model answers; votes alone are compared"
    assert few in shown.err
    file = write_test(tmp_path / "own.jsonl")
    assert retrain_domain(DomainOptions(domain="trips", test=file), tmp_path, None, []) == Exit.OK
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InvalidInput, match=r"expected test sentences in .*empty\.jsonl"):
        retrain_domain(
            DomainOptions(domain="trips", test=tmp_path / "empty.jsonl"), tmp_path, None, []
        )
    first, second = ran.requests
    assert (first.name, first.pack, first.test) == ("trips", TRIPS, ())
    assert [other.name for other in first.elsewhere] == ["tours"]
    assert first.command == "wraner train --domain trips --data x" and first.replay
    assert second.test == TEST and str(file) in second.command
    assert ran.settings[0].model.base == "bundled"
    shipped = tmp_path / "adapters" / "words"
    assert ran.learners[0].serving == Serving(content_hash(shipped), shipped, "")


def test_a_pack_folder_and_a_domain_that_ships_bring_their_tests(
    ran: Retraining, tmp_path: Path
) -> None:
    assert retrain_domain(DomainOptions(pack=tmp_path / "packs" / "tours"), tmp_path, None, []) == 0
    assert retrain_domain(DomainOptions(domain="tours"), tmp_path, None, []) == 0
    assert [(r.name, r.test) for r in ran.requests] == [("tours", TOURS_TEST)] * 2


def test_enough_examples_are_heard_beside_the_model(
    ran: Retraining, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = tuple(TaggedExample(id=f"e{i}", text=f"She saw Ghent {i} times.") for i in range(5))
    write_pack_folder(tmp_path / "many", TRIPS.model_copy(update={"examples": many}))
    assert retrain_domain(DomainOptions(pack=tmp_path / "many"), tmp_path, None, []) == Exit.OK
    heard = "serving hears the language model beside the votes; votes alone are compared"
    assert heard in capsys.readouterr().err


def test_tests_that_ship_are_left_where_the_definitions_are_others(
    ran: Retraining, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    defined = (EntityType(name="city", definition="a city by name"),)
    changed = TRIPS.model_copy(update={"entity_types": defined})
    packs = PackStore(tmp_path / "state" / "packs")
    packs.publish("towns", changed, expected=None)
    write_pack_folder(tmp_path / "packs" / "towns", TRIPS)
    write_test(tmp_path / "packs" / "towns" / "test.jsonl")
    assert retrain_domain(DomainOptions(domain="towns"), tmp_path, None, []) == 0
    assert ran.requests[0].test == ()
    file, said = tmp_path / "packs" / "towns" / "test.jsonl", capsys.readouterr().err
    assert f"{file} was written for other definitions; name it with --test FILE" in said
    assert "no test sentences" not in said
    named = DomainOptions(domain="towns", test=file)
    assert retrain_domain(named, tmp_path, None, []) == 0 and ran.requests[1].test == TEST
    assert retrain_domain(DomainOptions(domain="trips"), tmp_path, None, []) == 0
    assert [other.name for other in ran.requests[2].elsewhere] == ["tours"]
    said = capsys.readouterr().err
    assert f"towns is not measured: {file} was written for other definitions" in said


def test_copies_of_a_test_sentence_are_no_evidence_of_their_own(
    ran: Retraining, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = tuple(
        TaggedExample(id=f"c{i}", text="  ".join(TEST[0].text.split())) for i in range(3)
    )
    own, beside = tmp_path / "own.jsonl", tmp_path / "packs" / "tours" / "test.jsonl"
    own.write_bytes(b"".join(render_lines((*TEST, *copies))))
    snow = TaggedExample(id="c4", text=TOURS_TEST[0].text)
    beside.write_bytes(b"".join(render_lines((*TOURS_TEST, snow))))
    assert retrain_domain(DomainOptions(domain="trips", test=own), tmp_path, None, []) == Exit.OK
    (request,) = ran.requests
    assert request.test == TEST and [len(d.asked) for d in request.elsewhere] == [1]
    said = capsys.readouterr().err
    assert f"trips is judged by {own}; left out as the same text again: 3" in said
    assert f"tours is measured by {beside}; left out as the same text again: 1" in said


def test_sentences_that_share_their_latin_letters_alone_are_no_copies(
    ran: Retraining, tmp_path: Path
) -> None:
    texts = ("Apple купила завод", "Компания Apple выросла", "apple купила завод", "C++", "C#")
    own = tmp_path / "own.jsonl"
    own.write_bytes(b"".join(render_lines(TaggedExample(id=t, text=t) for t in texts)))
    assert retrain_domain(DomainOptions(domain="trips", test=own), tmp_path, None, []) == Exit.OK
    assert {e.text for e in ran.requests[0].test} == set(texts)


def test_without_replay_other_domains_with_tests_are_asked(
    ran: Retraining, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(InvalidInput, match=r"nowhere, was: no folder; .*--data.*--no-replay"):
        retrain_domain(DomainOptions(domain="trips"), missing, None, [])
    assert retrain_domain(DomainOptions(domain="trips", no_replay=True), missing, None, []) == 0
    (request,) = ran.requests
    assert not request.replay and request.command.endswith("--domain trips --no-replay")
    (other,) = request.elsewhere
    assert (other.name, other.pack) == ("tours", TOURS), "not the same domain under another name"
    assert [one.text for one in other.asked] == ["It snows in Cork."], "nothing that is taught"
    packs = PackStore(tmp_path / "state" / "packs")
    packs.delete(Kind.DOMAIN, "copied-trips", expected=version(TRIPS))
    assert retrain_domain(DomainOptions(domain="tours", no_replay=True), missing, None, []) == 0
    assert ran.requests[1].elsewhere == ()


def test_a_domain_that_is_damaged_is_not_measured_and_stops_no_other(
    ran: Retraining, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state" / "packs" / Kind.DOMAIN / "tours" / "CURRENT").write_text("?")
    trips = DomainOptions(domain="trips", no_replay=True)
    assert retrain_domain(trips, tmp_path, None, []) == 0 and ran.requests[0].elsewhere == ()
    said = capsys.readouterr().err
    assert "tours is not measured: " in said and "is damaged" in said


def test_tests_may_be_marked_text_and_of_two_files_only_their_own_domain_complains(
    ran: Retraining, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tours = tmp_path / "packs" / "tours"
    (tours / "test.txt").write_text("It snows in Cork.")
    trips = DomainOptions(domain="trips", no_replay=True)
    assert retrain_domain(trips, tmp_path, None, []) == 0 and ran.requests[0].elsewhere == ()
    assert "one of test.jsonl and test.txt, was: both" in capsys.readouterr().err
    named = DomainOptions(pack=tours, test=write_test(tmp_path / "own.jsonl"), no_replay=True)
    assert retrain_domain(named, tmp_path, None, []) == 0, "what is named goes before both"
    (tours / "test.jsonl").unlink()
    assert retrain_domain(trips, tmp_path, None, []) == 0
    (other,) = ran.requests[-1].elsewhere
    assert [one.text for one in other.asked] == ["It snows in Cork."]


def test_nothing_that_judges_is_taught_by_what_is_replayed(ran: Retraining, tmp_path: Path) -> None:
    trips = DomainOptions(domain="trips", test=write_test(tmp_path / "own.jsonl"), tune=Tune.MODEL)
    assert retrain_domain(trips, tmp_path, None, []) == Exit.OK
    (learner,) = ran.learners
    assert isinstance(learner, ModelLearner)
    assert learner.asked == ["She saw Ghent.", "It rains in Hull.", "It snows in Cork."]


def test_neighbours_of_what_is_taught_are_found_without_the_tuning_that_serves(
    ran: Retraining, tmp_path: Path
) -> None:
    trips = DomainOptions(domain="trips", tune=Tune.MODEL)
    assert retrain_domain(trips, tmp_path, None, []) == Exit.OK
    (learner,) = ran.learners
    assert isinstance(learner, ModelLearner) and learner.tools.encoder is UNTUNED


def test_an_adapter_that_no_server_could_load_is_not_trained(
    ran: Retraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, weights in (("one", b"1"), ("copy", b"1"), ("other", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(weights)
    monkeypatch.setenv("WRANER_BASE_MODEL", str(tmp_path / "one"))
    own = tmp_path / "own.yaml"
    trips = DomainOptions(domain="trips", own=own, tune=Tune.MODEL)
    own.write_text(f"model: {{base: {tmp_path / 'other'}}}")
    with pytest.raises(InvalidInput, match=r"set WRANER_BASE_MODEL=.*other, for the server too"):
        retrain_domain(trips, tmp_path, None, [])
    assert not ran.requests
    own.write_text(f"model: {{base: {tmp_path / 'copy'}}}")
    assert retrain_domain(trips, tmp_path, None, []) == Exit.OK


@pytest.mark.parametrize(("tune", "task"), [(Tune.WORDS, Task.WORDS), (Tune.MODEL, Task.NER)])
def test_the_outcome_is_said(
    ran: Retraining, tmp_path: Path, capsys: pytest.CaptureFixture[str], tune: Tune, task: Task
) -> None:
    adapters = tmp_path / "state" / "adapters"
    before = hollow_adapter(BASE, adapters, "{}", task=task)
    promote(adapters, task, before, expected="")
    ran.gain = False
    trips = DomainOptions(domain="trips", tune=tune)
    assert retrain_domain(trips, tmp_path, None, []) == Exit.REFUSED
    said = capsys.readouterr().err
    assert "insufficient evidence: trips +0.0 (+0.0 to +0.0) F1 on 40 sentences" in said
    assert f"stored and not promoted; {before[:12]} still serves" in said
    assert retrain_domain(replace(trips, force=True), tmp_path, None, []) == Exit.OK
    said = capsys.readouterr().err
    assert f"serves now, by --force, {before[:12]} before" in said and f"rollback {task}" in said
    assert ran.learners[-1].serving.adapter == before and ran.requests[-1].force


def test_a_pinned_tuning_is_said_and_not_gone_on_from(
    ran: Retraining,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WRANER_WORD_ADAPTER", "none")
    assert retrain_domain(DomainOptions(domain="trips"), tmp_path, None, []) == Exit.OK
    assert ran.learners[0].serving.folder == tmp_path / "adapters" / "words"
    assert "WRANER_WORD_ADAPTER=none is set here" in capsys.readouterr().err


def test_only_the_bundled_word_encoder_is_tuned_so(
    ran: Retraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRANER_ENCODER", str(tmp_path))
    with pytest.raises(InvalidInput, match=r"bundled word encoder, .*training\.tune_words"):
        retrain_domain(DomainOptions(domain="trips"), tmp_path, None, [])


def test_ctrl_c_says_how_to_go_on(
    ran: Retraining, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran.error = KeyboardInterrupt()
    assert retrain_domain(DomainOptions(domain="trips"), tmp_path, None, []) == Exit.INTERRUPTED
    assert "go on behind the last with: wraner train --domain trips" in capsys.readouterr().err


def test_what_names_no_domain_is_refused(ran: Retraining, tmp_path: Path) -> None:
    assert not DomainOptions().given and DomainOptions(force=True).given
    for wrong in (DomainOptions(force=True), DomainOptions(domain="trips", pack=tmp_path)):
        with pytest.raises(WrongUse, match="expected one of --domain NAME and --pack FOLDER"):
            retrain_domain(wrong, tmp_path, None, [])
    with pytest.raises(NotFound, match="nothing-like-it"):
        retrain_domain(DomainOptions(domain="nothing-like-it"), tmp_path, None, [])
    own = tmp_path / "own.yaml"
    own.write_text("folds: 1")
    with pytest.raises(InvalidInput, match="folds"):
        retrain_domain(DomainOptions(domain="trips", own=own), tmp_path, None, [])


def test_the_command_line_reaches_it(
    ran: Retraining,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TRANSFORMERS_VERBOSITY", "TQDM_DISABLE"):
        monkeypatch.setenv(name, "1")
    data, state = str(tmp_path), str(tmp_path / "state")
    given = ["train", "--domain", "trips", "--data", data, "--state", state, "--force"]
    given += ["--tune", "model"]
    assert main(given) == 0
    (request,) = ran.requests
    assert request.name == "trips" and request.force
    assert request.command == (
        f"wraner train --domain trips --tune model --force --data {data} --state {state}"
    )
    for wrong in (["train"], ["train", data], [*given, "--workers", "2"]):
        assert main(wrong) == 2
    own = tmp_path / "own.yaml"
    own.write_text("folds: 3")
    assert main([*given, str(own)]) == 2
    assert "expected CONFIG" in capsys.readouterr().err
