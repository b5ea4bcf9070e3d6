"""The file of mappings: what ships fits the pack that ships, what is wrong in one is said."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
import structlog
import yaml
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from services import drop_in_examples
from services.api import build_api
from services.conditions import condition
from services.drop_in import BUNDLED, Category, Group, read_drop_in
from services.drop_in_scores import FEW, NamedGroup, score_groups
from services.schema import ModerateRequest
from services.settings import Limits
from tests.services.drop_in_service import (
    MAPPING,
    NAMES,
    POLICIES,
    PolicyEngine,
    asking,
    mapped,
    stored,
)
from tests.services.fakes import make_gateway
from tests.services.test_any_input import ANY
from wraner.errors import DeadlineExceeded, InvalidInput, Unavailable
from wraner.fusion import UNTUNED, Fusion, VerdictFusion
from wraner.moderate import ModeratorSettings
from wraner.pack_folders import read_pack_folder
from wraner.packs import PolicySet
from wraner.registry import Kind, Stored

ROOT = Path(__file__).parents[2]
UNMAPPED = {"sexual", "sexual/minors", "illicit", "illicit/violent", "violence/graphic"}


def test_what_ships_names_policies_that_ship() -> None:
    shipped = read_drop_in(BUNDLED)
    groups = [*shipped.moderations.values(), *shipped.attributes.values()]
    assert {g.policy_set for g in groups} == {"hate-speech"}
    declared = read_pack_folder(ROOT / "packs" / "hate-speech")
    assert isinstance(declared, PolicySet)
    ids = {p.id for p in declared.policies}
    for group in groups:
        named = group.of(declared)
        assert set(named) <= ids and len(set(named)) == len(named)
    left_out = set(get_args(Category)) - set(shipped.moderations)
    assert left_out == UNMAPPED | {"self-harm", "self-harm/intent", "self-harm/instructions"}
    assert "PROFANITY" not in shipped.attributes


def test_a_threat_is_also_what_it_is_a_kind_of() -> None:
    shipped = read_drop_in(BUNDLED).moderations
    for narrow, wide in (("harassment/threatening", "harassment"), ("hate/threatening", "hate")):
        inner = shipped[narrow].policies  # type: ignore[index]
        outer = shipped[wide].policies  # type: ignore[index]
        assert outer == "all" or set(inner) <= set(outer)


def test_thresholds_and_shortlists_are_the_moderators() -> None:
    moderator = ModeratorSettings(fusion=UNTUNED)
    assert (read_drop_in(BUNDLED).threshold, FEW) == (moderator.threshold, moderator.shortlist)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threshold": 2.0}, "/threshold: "),
        ({"moderations": {"spite": MAPPING["moderations"]["hate"]}}, "/moderations/spite"),
        ({"attributes": {"X": {"policy_set": "forum", "policies": []}}}, "/attributes/X/policies"),
        ({"extra": 1}, "/extra: this field is not known"),
    ],
)
def test_a_wrong_file_is_refused_at_start(tmp_path: Path, change: Any, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(MAPPING | change))
    with pytest.raises(InvalidInput, match=said) as refused:
        read_drop_in(str(path))
    assert str(refused.value).startswith(f"WRANER_DROP_IN: {path}")


def test_a_category_written_twice_is_refused_at_start(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    words = yaml.safe_dump(MAPPING)
    path.write_text(words.replace("moderations:\n", "moderations:\n  hate: {}\n"))
    with pytest.raises(InvalidInput, match="expected each key once"):
        read_drop_in(str(path))


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"a: [",
        b"\xff\xfe\xfa",
        b"[]",
        b"threshold: 2001-02-30",
        b"threshold: 2001-02-20",
        b"[" * 3000,
    ],
)
def test_no_such_file_is_refused_at_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match="WRANER_DROP_IN"):
        make_gateway_with(path, tmp_path)


def make_gateway_with(path: Path, state: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WRANER_DROP_IN", str(path))
        make_gateway(state)


def test_what_is_missing_is_said_at_start_and_to_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = {"policy_set": "forum", "policies": ["beat", "gone"]}
    mapped(tmp_path, monkeypatch, attributes={"TOXICITY": group})
    api = build_api(make_gateway(tmp_path / "state", engine=PolicyEngine()))
    comment = {"comment": {"text": "hi"}, "requestedAttributes": {"TOXICITY": {}}}
    with structlog.testing.capture_logs() as logs, TestClient(api) as client:
        answers = [
            client.post("/v1/moderations", json={"input": "hi"}),
            client.post("/v1alpha1/comments:analyze", json=comment),
        ]
        assert [a.status_code for a in answers] == [503, 503]
        assert all("'forum', which is not stored; PUT" in a.text for a in answers)
        stored(client)
        assert client.post("/v1/moderations", json={"input": "hi"}).status_code == 200
        again = client.post("/v1alpha1/comments:analyze", json=comment)
        assert again.status_code == 503 and "TOXICITY to gone" in again.json()["error"]["message"]
    said = [entry["error"] for entry in logs if entry["event"] == "drop-in not served"]
    assert len(said) == 1 and "'forum', which is not stored" in said[0]
    with structlog.testing.capture_logs() as logs, TestClient(api):
        pass
    (entry,) = logs
    assert entry["log_level"] == "warning" and "TOXICITY to gone" in entry["error"]


@pytest.mark.parametrize(
    ("text", "flagged", "hate"),
    [
        ("any=0.9 beat=0.3 mock=0.2", ["hate", "violence"], 0.9),  # the strongest stands for all
        ("any=0.9 beat=0.1 mock=0.7", ["harassment", "hate", "illicit"], 0.9),
        ("any=0.4 beat=0.6 mock=0.7", [], 0.4),
        ("any=0.4 beat=0.3 fool=0.95", ["harassment", "hate"], 0.4),  # by its own threshold
        ("any=0.4 beat=0.6 fool=0.95", ["harassment", "hate", "violence"], 0.4),
        ("any=0.9 beat=0.3 fool=0.8", [], 0.9),  # the likeliest has one, and is not that sure
    ],
)
def test_a_texts_own_score_decides_as_in_a_moderation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, flagged: list[str], hate: float
) -> None:
    mapped(tmp_path, monkeypatch)
    gateway = make_gateway(tmp_path / "state", engine=PolicyEngine())
    whole = VerdictFusion(overall=1.0, leaning=0.0, strongest=0.0, bias=0.0)
    fusion = Fusion(judge=1.0, margin=0.0, bias=0.0, verdict=whole)
    monkeypatch.setattr(gateway._moderator, "_settings", ModeratorSettings(fusion=fusion))
    with TestClient(build_api(gateway)) as client:
        stored(client)
        (result,) = client.post("/v1/moderations", json={"input": text}).json()["results"]
        body = {"policy_set": "forum", "text": text, "threshold": MAPPING["threshold"]}
        (verdict,) = client.post("/v1/moderate", json=body).json()["results"]
        comment = {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}}
        analyzed = client.post(
            "/v1alpha1/comments:analyze", json=comment | {"spanAnnotations": True}
        ).json()["attributeScores"]["TOXICITY"]
    assert analyzed["summaryScore"]["value"] == pytest.approx(hate)
    assert max(s["score"]["value"] for s in analyzed["spanScores"]) <= hate + 1e-6
    assert [c for c, on in result["categories"].items() if on] == flagged
    assert result["category_scores"]["hate"] == pytest.approx(hate) == verdict["score"]
    assert result["flagged"] is verdict["flagged"]


@pytest.mark.parametrize(("names", "exhaustive"), [(NAMES[:FEW], False), (NAMES, True)])
@pytest.mark.parametrize("text", ["any=0.9 beat=0.3", "any=0.4 beat=0.6 mock=0.7", "any=0.3"])
def test_a_whole_set_that_is_judged_whole_has_the_texts_own_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: Sequence[str], exhaustive: bool,
    text: str,
) -> None:  # fmt: skip
    every = {"hate": {"policy_set": "forum", "policies": "all"}}
    mapped(tmp_path, monkeypatch, moderations=every, attributes={}, exhaustive=exhaustive)
    gateway = make_gateway(tmp_path / "state", engine=PolicyEngine())
    whole = VerdictFusion(overall=1.0, leaning=0.0, strongest=0.0, bias=0.0)
    fusion = Fusion(judge=1.0, margin=0.0, bias=0.0, verdict=whole, calibrated=True)
    monkeypatch.setattr(gateway._moderator, "_settings", ModeratorSettings(fusion=fusion))
    rules = {"policies": [p for p in POLICIES["policies"] if p["id"] in names]}
    with TestClient(build_api(gateway)) as client:
        assert client.put("/v1/policy-sets/forum", json=rules).status_code == 201
        answer = client.post("/v1/moderations", json={"input": text}).json()
        body = {"policy_set": "forum", "text": text, "threshold": MAPPING["threshold"]}
        (verdict,) = client.post("/v1/moderate", json=body | {"exhaustive": True}).json()["results"]
    (result,) = answer["results"]
    assert result["category_scores"]["hate"] == pytest.approx(verdict["score"])
    assert result["flagged"] is verdict["flagged"] is text.startswith("any=0.9")
    assert answer["calibrated"] is verdict["calibrated"] is True


@pytest.mark.parametrize(
    ("policies", "calibrated"), [("all", True), (["mock"], True), (["mock", "beat"], False)]
)
def test_the_highest_of_several_scores_is_no_probability(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policies: Any, calibrated: bool
) -> None:
    group = {"hate": {"policy_set": "forum", "policies": policies}}
    mapped(tmp_path, monkeypatch, moderations=group, attributes={})
    gateway = make_gateway(tmp_path / "state", engine=PolicyEngine())
    whole = VerdictFusion(overall=1.0, leaning=0.0, strongest=0.0, bias=0.0)
    fusion = Fusion(judge=1.0, margin=0.0, bias=0.0, verdict=whole, calibrated=True)
    monkeypatch.setattr(gateway._moderator, "_settings", ModeratorSettings(fusion=fusion))
    with TestClient(build_api(gateway)) as client:
        stored(client)
        answer = client.post("/v1/moderations", json={"input": "any=0.3"}).json()
    assert answer["calibrated"] is calibrated


def test_groups_may_lie_in_several_policy_sets(tmp_path: Path) -> None:
    moderations = {
        "hate": {"policy_set": "forum", "policies": ["mock"]},
        "violence": {"policy_set": "other", "policies": ["beat"]},
        "harassment": {"policy_set": "forum", "policies": ["swear"]},
    }
    engine = PolicyEngine()
    with asking(tmp_path, engine, moderations=moderations) as client:
        client.put("/v1/policy-sets/other", json=POLICIES)
        body = {"input": ["mock=0.7 beat=0.2", "swear=0.6 beat=0.9"]}
        results = client.post("/v1/moderations", json=body).json()["results"]
    flags = [[c for c, on in r["categories"].items() if on] for r in results]
    assert flags == [["hate"], ["harassment", "violence"]]
    assert results[0]["category_scores"]["violence"] == pytest.approx(0.2)
    assert sorted(engine.asked) == ["beat", "beat", "mock", "mock", "swear", "swear"]


def test_all_policy_sets_of_a_call_are_judged_in_its_one_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped(tmp_path, monkeypatch)
    engine = PolicyEngine()
    engine.seconds = 0.4
    limits = Limits(request_timeout_s=0.6)
    gateway = make_gateway(tmp_path / "state", engine=engine, limits=limits)

    async def ask() -> None:
        groups = []
        for name in ("forum", "other"):
            await gateway.put(name, PolicySet.model_validate(POLICIES), condition(None, None))
            groups.append(NamedGroup(name, Group(policy_set=name, policies=("beat",))))
        with pytest.raises(DeadlineExceeded):
            await score_groups(gateway, groups, text="beat=0.9", field="/input")
        await score_groups(gateway, groups[:1], text="beat=0.9", field="/input")

    asyncio.run(ask())


def test_a_policy_set_that_changes_meanwhile_is_not_judged_by_old_thresholds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped(tmp_path, monkeypatch)
    gateway = make_gateway(tmp_path / "state", engine=PolicyEngine())
    before = PolicySet.model_validate(POLICIES)
    after = before.model_copy(update={"description": "changed"})
    read = gateway.pack

    async def change_behind(kind: Kind, name: str) -> Stored:
        found = await read(kind, name)
        await gateway.put(name, after, condition(None, None))
        return found

    async def ask() -> None:
        await gateway.put("forum", before, condition(None, None))
        monkeypatch.setattr(gateway, "pack", change_behind)
        groups = [NamedGroup("hate", gateway.drop_in.moderations["hate"])]
        await score_groups(gateway, groups, text="beat=0.9", field="/input")

    with pytest.raises(Unavailable, match="'forum' was changed meanwhile"):
        asyncio.run(ask())


def test_scores_of_two_adapters_make_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped(tmp_path, monkeypatch)
    gateway = make_gateway(tmp_path / "state", engine=PolicyEngine())
    promoted = iter(["a" * 64, "a" * 64, "a" * 64, "a" * 16 + "b" * 48])
    monkeypatch.setattr(gateway._adapters, "of", lambda _: next(promoted))
    monkeypatch.setattr(gateway._adapters, "calibration", lambda _: None)

    async def ask() -> None:
        groups = []
        for name in ("forum", "other"):
            await gateway.put(name, PolicySet.model_validate(POLICIES), condition(None, None))
            groups.append(NamedGroup(name, Group(policy_set=name, policies=("beat",))))
        scored = await score_groups(gateway, groups, text="beat=0.9", field="/input")
        assert scored.model == "fake@0+" + "a" * 16
        with pytest.raises(Unavailable, match="changed meanwhile; try again"):
            await score_groups(gateway, groups, text="beat=0.9", field="/input")

    asyncio.run(ask())


@pytest.mark.parametrize("left", [("beat", "fool"), ()])
def test_a_policy_that_goes_meanwhile_is_no_fault_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: tuple[str, ...]
) -> None:
    mapped(tmp_path, monkeypatch)
    gateway = make_gateway(tmp_path / "state", engine=PolicyEngine())
    before = PolicySet.model_validate(POLICIES)
    kept = tuple(p for p in before.policies if p.id in left)
    judge = gateway.judge

    async def change_before(request: ModerateRequest, **drawn: Any) -> Any:
        if kept:
            after = before.model_copy(update={"policies": kept})
            await gateway.put("forum", after, condition(None, None))
        else:
            await gateway.delete(Kind.POLICY_SET, "forum", condition(None, None))
        return await judge(request, **drawn)

    async def ask() -> None:
        await gateway.put("forum", before, condition(None, None))
        monkeypatch.setattr(gateway, "judge", change_before)
        groups = [NamedGroup("sexual", gateway.drop_in.moderations["sexual"])]
        await score_groups(gateway, groups, text="beat=0.9", field="/input")

    with pytest.raises(Unavailable, match="changed meanwhile" if kept else "is not stored"):
        asyncio.run(ask())


def test_policies_that_do_not_fit_the_model_are_no_fault_of_the_caller(tmp_path: Path) -> None:
    engine = PolicyEngine()
    engine.error = InvalidInput("expected instructions of up to 8192 tokens, was: 9000")
    with asking(tmp_path, engine) as client:
        answer = client.post("/v1/moderations", json={"input": "beat=0.9"})
    assert answer.status_code == 503 and "'forum' cannot be judged by" in answer.text


def test_a_file_that_maps_nothing_answers_nothing(tmp_path: Path) -> None:
    with asking(tmp_path, PolicyEngine(), moderations={}) as client:
        answer = client.post("/v1/moderations", json={"input": "beat=0.9"})
    assert answer.status_code == 503 and "nothing is mapped" in answer.text


ROUTES = {
    "ModerationCreateRequest": "/v1/moderations",
    "AnalyzeCommentRequest": "/v1alpha1/comments:analyze",
}


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with asking(tmp_path_factory.mktemp("state"), PolicyEngine()) as client:
        yield client


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(ROUTES)), st.data())
def test_no_body_gives_a_500_or_another_shape_of_error(
    steady: TestClient, name: str, data: st.DataObject
) -> None:
    example = drop_in_examples.REQUESTS[name]
    field = data.draw(st.sampled_from(sorted(example)))
    change = data.draw(ANY | st.lists(st.dictionaries(st.sampled_from(["type", "text"]), ANY)))
    body = json.dumps(example | {field: change}).encode()
    answer = steady.post(ROUTES[name], content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert answer.json()["error"]["message"]
