"""A promotion is live for the next request; a request keeps the adapter that it began with."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from services.adapters import AdapterChoice
from services.api import build_api
from services.loading import gateway_of
from services.settings import Settings
from services.stock import stock_adapters
from tests.services.fakes import FakeEngine, FakeIndex, make_gateway
from tests.wraner.random_adapters import hollow_adapter, random_adapter
from wraner.adapters import WEIGHTS, Task, read_adapter, write_adapter
from wraner.fusion import Fusion
from wraner.local import LocalEngine
from wraner.promotions import Source, current, history, promote, rollback
from wraner.weights import BaseModel

NER = Task.NER
ASK = {"inline": {"entity_types": [{"name": "city"}]}, "text": "We met in Lyon."}
JUDGE = {
    "inline": {"policies": [{"id": "p", "title": "P", "definition": "d"}]},
    "text": "We met in Lyon.",
}
NOWHERE = BaseModel(Path("none"), "tiny", "0" * 64)


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    """The folder of adapters of the service in `tmp_path`."""
    return tmp_path / "adapters"


@pytest.fixture
def client(tmp_path: Path, tiny_engine: LocalEngine) -> Any:
    """A client of the API over the tiny model."""
    gateway = make_gateway(tmp_path, engine=tiny_engine, index=FakeIndex())
    with TestClient(build_api(gateway)) as client:
        yield client


def ask(client: TestClient, route: str = "extract", **body: Any) -> Any:
    answer = client.post(f"/v1/{route}", json=body or (ASK if route == "extract" else JUDGE))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_promotion_and_rollback_are_live_for_the_next_request(
    client: TestClient, tiny_base: BaseModel, adapters: Path
) -> None:
    first, second = (random_adapter(tiny_base, adapters, seed) for seed in (1, 2))
    judge = random_adapter(tiny_base, adapters, 3, task="moderation")
    scores = {}
    for before, adapter in (("", first), (first, second)):
        assert ask(client)["versions"]["adapter"] == before
        promote(adapters, NER, adapter, expected=before)
        assert ask(client)["versions"]["adapter"] == adapter
    rollback(adapters, NER)
    assert ask(client)["versions"]["adapter"] == first
    for adapter in ("", judge):
        if adapter:
            promote(adapters, Task.MODERATION, adapter, expected="")
        answer = ask(client, "moderate")
        assert answer["versions"]["adapter"] == adapter
        scores[adapter] = answer["results"][0]["score"]
    assert scores[""] != scores[judge] and ask(client)["versions"]["adapter"] == first


def test_a_request_under_way_keeps_its_adapter(
    tmp_path: Path, tiny_base: BaseModel, tiny_engine: LocalEngine, adapters: Path
) -> None:
    from services.schema import ExtractRequest

    first, second = (random_adapter(tiny_base, adapters, seed) for seed in (1, 2))
    promote(adapters, NER, first, expected="")
    gateway = make_gateway(tmp_path, engine=tiny_engine, index=FakeIndex())
    long = ExtractRequest.model_validate({**ASK, "text": ["We met in Lyon and Ghent."] * 64})
    short = ExtractRequest.model_validate(ASK)

    async def both() -> tuple[str, str]:
        begun = asyncio.ensure_future(gateway.extract(long))
        while not any(worker.jobs for worker in tiny_engine._desk.workers):
            await asyncio.sleep(0.001)
        promote(adapters, NER, second, expected=first)
        after = await gateway.extract(short)
        return (await begun).versions.adapter, after.versions.adapter

    assert asyncio.run(both()) == (first, second)


def damage(adapters: Path, identity: str) -> None:
    (adapters / identity / WEIGHTS).write_bytes(b"cut")


def lose(adapters: Path, identity: str) -> None:
    (adapters / identity).rename(adapters / "lost")


@pytest.mark.parametrize("harm", [damage, lose])
def test_an_adapter_that_is_damaged_or_gone_is_a_503_that_names_it(
    client: TestClient, tiny_base: BaseModel, adapters: Path, harm: Any
) -> None:
    identity = random_adapter(tiny_base, adapters, 1)
    promote(adapters, NER, identity, expected="")
    harm(adapters, identity)
    answer = client.post("/v1/extract", json=ASK)
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert answer.json()["title"] == "A part that the answer needs is missing"
    assert identity[:16] in answer.json()["detail"]
    ready = client.get("/readyz")
    assert ready.status_code == 503 and identity[:16] in ready.json()["detail"]
    assert ask(client, "moderate")["versions"]["adapter"] == ""
    rollback(adapters, NER)
    assert ask(client)["versions"]["adapter"] == "" and client.get("/readyz").status_code == 200


def test_an_adapter_of_another_base_or_without_weights_is_a_503(
    client: TestClient, tiny_base: BaseModel, adapters: Path
) -> None:
    foreign = hollow_adapter(NOWHERE, adapters, "{}")
    hollow = hollow_adapter(tiny_base, adapters, '{"r": 1}')
    for before, adapter, said in (
        ("", foreign, "choose an adapter of this base"),
        (foreign, hollow, "does not load"),
    ):
        promote(adapters, NER, adapter, expected=before)
        answer = client.post("/v1/extract", json=ASK)
        assert answer.status_code == 503, answer.text
        assert said in answer.json()["detail"] and adapter[:16] in answer.json()["detail"]


def test_readiness_loads_what_will_be_asked_for(
    client: TestClient, tiny_base: BaseModel, tiny_engine: LocalEngine, adapters: Path
) -> None:
    identity = random_adapter(tiny_base, adapters, 1)
    promote(adapters, NER, identity, expected="")
    assert asyncio.run(tiny_engine.info()).adapters == ()
    assert client.get("/readyz").status_code == 200
    assert asyncio.run(tiny_engine.info()).adapters == (identity,)


def test_a_damaged_pointer_is_a_503(tmp_path: Path, adapters: Path) -> None:
    adapters.mkdir()
    (adapters / "ner.json").write_text("{")
    gateway = make_gateway(tmp_path, engine=FakeEngine(), index=FakeIndex())
    with TestClient(build_api(gateway)) as client:
        answer = client.post("/v1/extract", json=ASK)
        assert answer.status_code == 503 and "ner.json" in answer.json()["detail"]


def test_what_ships_answers_until_a_user_chooses(tmp_path: Path, adapters: Path) -> None:
    shipped = tmp_path / "shipped"
    old = hollow_adapter(NOWHERE, shipped / "ner", "old", created="2026-01-01")
    assert stock_adapters(adapters, shipped) == []
    assert current(adapters, NER) == old
    new = hollow_adapter(NOWHERE, shipped / "ner", "new", created="2026-01-02")
    for _ in range(2):
        assert stock_adapters(adapters, shipped) == []
    assert current(adapters, NER) == new and len(history(adapters, NER)) == 2
    folder = shipped / "ner"
    fitted = read_adapter(folder, new).model_copy(update={"metrics": {"f1": 0.5}})
    write_adapter(folder, folder / new, fitted)
    assert stock_adapters(adapters, shipped) == []
    assert read_adapter(adapters, new).metrics == {"f1": 0.5}, "more is known of the same weights"
    (shipped / "ner" / new).rename(tmp_path / new)
    assert stock_adapters(adapters, shipped) == []
    assert current(adapters, NER) == old, "an older release goes back to what shipped with it"
    mine = hollow_adapter(NOWHERE, adapters, "mine", created="2025-01-01")
    promote(adapters, NER, mine, expected=old)
    (tmp_path / new).rename(shipped / "ner" / new)
    stock_adapters(adapters, shipped)
    assert current(adapters, NER) == mine


def test_a_calibration_of_ones_own_outlives_starts_and_upgrades(
    tmp_path: Path, adapters: Path
) -> None:
    shipped = tmp_path / "shipped"
    new = hollow_adapter(NOWHERE, shipped / "ner", "new")
    assert stock_adapters(adapters, shipped) == []
    mine = read_adapter(adapters, new).model_copy(update={"metrics": {"f1": 0.7}})
    write_adapter(adapters, adapters / new, mine)
    for f1 in (None, 0.5):
        if f1:
            fitted = read_adapter(shipped / "ner", new).model_copy(update={"metrics": {"f1": f1}})
            write_adapter(shipped / "ner", shipped / "ner" / new, fitted)
        assert stock_adapters(adapters, shipped) == []
        assert read_adapter(adapters, new).metrics == {"f1": 0.7}


def test_what_nobody_changed_follows_what_ships_however_it_was_written(
    tmp_path: Path, adapters: Path
) -> None:
    shipped = tmp_path / "shipped"
    new = hollow_adapter(NOWHERE, shipped / "ner", "new")
    assert stock_adapters(adapters, shipped) == []
    for mark in ("", None):  # torn, and of a release before there were marks
        if mark is None:
            (adapters / new / "shipped.sha256").unlink()
        else:
            (adapters / new / "shipped.sha256").write_text(mark)
        f1 = 0.25 if mark is None else 0.5
        fitted = read_adapter(shipped / "ner", new).model_copy(update={"metrics": {"f1": f1}})
        write_adapter(shipped / "ner", shipped / "ner" / new, fitted)
        assert stock_adapters(adapters, shipped) == []
        assert read_adapter(adapters, new).metrics == {"f1": f1}


def test_gateways_that_start_together_leave_an_adapter_whole(
    tmp_path: Path, adapters: Path
) -> None:
    shipped = tmp_path / "shipped"
    new = hollow_adapter(NOWHERE, shipped / "ner", "new")
    manifest = read_adapter(shipped / "ner", new)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: write_adapter(adapters, shipped / "ner" / new, manifest), range(8)))
    assert [f.name for f in adapters.iterdir()] == [new], "none took another's for damaged"

    def write(number: int) -> None:
        for turn in range(40):
            named = manifest.model_copy(update={"metrics": {"f1": number + turn / 100}})
            write_adapter(adapters, adapters / new, named)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    assert read_adapter(adapters, new).base == manifest.base
    assert [f.name for f in adapters.iterdir()] == [new], "and none was moved aside"
    assert not [f for f in (adapters / new).iterdir() if f.name.startswith(".")]


def test_a_gateway_stocks_what_ships(tmp_path: Path, adapters: Path) -> None:
    whole = hollow_adapter(NOWHERE, tmp_path / "shipped" / "ner", "whole")
    broken = hollow_adapter(NOWHERE, tmp_path / "shipped" / "moderation", "x", task="moderation")
    damage(tmp_path / "shipped" / "moderation", broken)
    settings = Settings(state_dir=tmp_path, adapters_dir=tmp_path / "shipped")
    index: Any = FakeIndex()
    with capture_logs() as logged:
        gateway_of(settings, engine=FakeEngine(), retriever=index, writer=index)
    assert current(adapters, NER) == whole and current(adapters, Task.MODERATION) == ""
    assert [broken[:16] in line["error"] for line in logged] == [True]


def test_a_release_answers_by_its_own_while_another_starts(tmp_path: Path, adapters: Path) -> None:
    """A cluster that is upgraded has both, on one state folder."""
    choices = []
    for release, day in (("before", "2026-01-01"), ("after", "2026-01-02")):
        shipped = tmp_path / release
        identity = hollow_adapter(NOWHERE, shipped / "ner", release, created=day)
        assert stock_adapters(adapters, shipped) == []
        choice = AdapterChoice(Settings(state_dir=tmp_path, adapters_dir=shipped))
        choices.append((choice, identity))
        assert [c.of(NER) for c, _ in choices] == [i for _, i in choices]
    mine = hollow_adapter(NOWHERE, adapters, "mine")
    promote(adapters, NER, mine, expected=choices[-1][1])
    assert {c.of(NER) for c, _ in choices} == {mine}


def test_a_rollback_of_what_ships_stays(tmp_path: Path, adapters: Path) -> None:
    shipped = tmp_path / "shipped"
    hollow_adapter(NOWHERE, shipped / "moderation", "x", task="moderation")
    stock_adapters(adapters, shipped)
    assert rollback(adapters, Task.MODERATION) == ""
    assert stock_adapters(adapters, shipped) == []
    assert current(adapters, Task.MODERATION) == ""


def test_what_ships_is_followed_by_the_bundled_model_alone(tmp_path: Path, adapters: Path) -> None:
    identity = hollow_adapter(NOWHERE, adapters, "x")
    promote(adapters, NER, identity, expected="", source=Source.SHIPPED)
    of = {
        base: AdapterChoice(
            Settings(state_dir=tmp_path, base_model=base, adapters_dir=tmp_path / "none")
        ).of(NER)
        for base in ("bundled", "some/other")
    }
    assert of == {"bundled": identity, "some/other": ""}
    hollow_adapter(NOWHERE, tmp_path / "ship" / "ner", "x")
    own = hollow_adapter(NOWHERE, adapters, "own")
    settings = Settings(state_dir=tmp_path, base_model="some/other", adapters_dir=tmp_path / "ship")
    promote(adapters, NER, own, expected=identity)
    assert AdapterChoice(settings).of(NER) == own, "a user's, whatever it was trained for"
    assert rollback(adapters, NER) == identity
    assert AdapterChoice(settings).of(NER) == "", "what ships, also where a rollback chose it"


def test_a_damaged_shipped_adapter_is_told_and_the_others_answer(
    tmp_path: Path, adapters: Path
) -> None:
    shipped = tmp_path / "shipped"
    broken = hollow_adapter(NOWHERE, shipped / "ner", "broken", created="2026-02-01")
    whole = hollow_adapter(NOWHERE, shipped / "ner", "whole")
    misplaced = hollow_adapter(NOWHERE, shipped / "moderation", "misplaced")
    damage(shipped / "ner", broken)
    complaints = stock_adapters(adapters, shipped)
    assert current(adapters, NER) == whole and current(adapters, Task.MODERATION) == ""
    assert [broken[:16] in complaints[0], misplaced[:16] in complaints[1]] == [True, True]
    assert len(complaints) == 2


def test_a_calibration_is_that_of_the_adapter_and_of_the_encoder_and_tuning_that_ship(
    tiny_base: BaseModel, adapters: Path, tmp_path: Path
) -> None:
    plain = random_adapter(tiny_base, adapters, seed=1, task="moderation")
    fitted = random_adapter(tiny_base, adapters, seed=2, task="moderation")
    fusion = Fusion(judge=1.0, margin=0.0, bias=0.0, calibrated=True)
    manifest = read_adapter(adapters, fitted).model_copy(update={"calibration": fusion})
    write_adapter(adapters, adapters / fitted, manifest)
    choice = AdapterChoice(Settings(state_dir=tmp_path))
    assert choice.calibration(fitted) == fusion
    assert [choice.calibration(i) for i in ("", plain, "0" * 64)] == [None] * 3
    write_adapter(
        adapters,
        adapters / plain,
        read_adapter(adapters, plain).model_copy(update={"calibration": fusion}),
    )
    assert choice.calibration(plain) == fusion, "fitted while it serves"
    folder = str(tmp_path / "own")
    for changed in (
        {"policy_adapter": "none"},
        {"policy_adapter": folder},
        {"encoder": folder},
        {"encoder": folder, "policy_adapter": folder},
    ):
        other = AdapterChoice(Settings.model_validate({"state_dir": tmp_path, **changed}))
        assert other.calibration(fitted) is None, changed
