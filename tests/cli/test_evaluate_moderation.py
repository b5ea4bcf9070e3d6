"""`wraner evaluate moderation`: what is asked, what is written, what is refused before loading."""

import json
from pathlib import Path

import pytest
import yaml

from cli import moderation_evaluation
from cli.main import main
from tests.cli.conftest import ClosedEngine
from tests.training.moderation_examples import POLICIES, write_data, write_guidelines
from training import hatemoderate
from wraner.adapters import CONFIG, MANIFEST, WEIGHTS, AdapterManifest, content_hash, write_adapter
from wraner.errors import NotFound
from wraner.fusion import Fusion
from wraner.pack_folders import read_pack_folder
from wraner.packs import version

NER = "<the hash of an adapter for extraction>"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_data(tmp_path / "data")
    write_guidelines(tmp_path / "policies.json")
    monkeypatch.setattr(hatemoderate, "_POLICIES", tmp_path / "policies.json")
    monkeypatch.setenv("WRANER_POLICY_ADAPTER", "none")
    pack = tmp_path / "packs" / "zorvia"
    pack.mkdir(parents=True)
    content = POLICIES.model_dump(mode="json", exclude={"examples"}, exclude_none=True)
    (pack / "pack.yaml").write_text(yaml.safe_dump({"kind": "policy-set", **content}))
    (pack / "examples.jsonl").write_text(
        '{"id": "away", "text": "Throw the Zorvians out!", "violates": ["banish"]}\n'
        '{"id": "sings", "text": "My Zorvian neighbour sings.", "complies": "all"}\n'
    )
    return tmp_path / "data"


def moderation(data: Path, *more: str, policy_set: str = "zorvia") -> int:
    base = ["evaluate", "moderation", "--data", str(data), "--policy-set", policy_set]
    return main([*base, *more])


def facts(folder: Path) -> dict[str, str]:
    made = json.loads((folder / "scores.json").read_bytes())["provenance"]
    return {fact["name"]: fact["value"] for fact in made["settings"] + made["versions"]}


def test_a_report_is_written_and_failures_shown(
    data: Path, engine: ClosedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = data.parent / "out"
    assert moderation(data, "--out", str(folder), "--adapter", "none") == 0
    shown = capsys.readouterr()
    # of four hateful rows the two with "bad" are found; so is one of two others
    lines = [line.split() for line in shown.out.splitlines()]
    assert lines[1][:7] == ["wraner", "all", "rows", "6", ".500", ".500", ".500"]
    assert lines[2][:3] == ["clean", "texts", "4"]
    assert lines[3][:2] == ["apart", "4"]
    assert "hatemoderate_test.csv: 5 texts," in shown.err
    assert str(folder / "report.html") in shown.err
    assert sorted(p.name for p in folder.iterdir()) == [
        "predictions.jsonl",
        "report.html",
        "report.md",
        "scores.json",
    ]
    said = [json.loads(line) for line in (folder / "predictions.jsonl").read_bytes().splitlines()]
    assert [(one["rows"], one["decision"]) for one in said] == [
        ([1, 6], "violates"),
        ([2], "allowed"),
        ([3], "allowed"),
        ([4], "violates"),
        ([5], "allowed"),
    ]
    written = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"Zorvian" not in written and b"singing" not in written
    assert engine.closed


def test_examples_come_from_the_store_without_what_is_asked(
    data: Path, engine: ClosedEngine
) -> None:
    assert moderation(data, "--out", str(data.parent / "out")) == 0
    assert facts(data.parent / "out")["examples"].startswith(
        "2 of hatemoderate_train.csv; 1 left out"
    )
    folder = str(data.parent / "packs" / "zorvia")
    options = ("--store", "none", "--out", str(data.parent / "own"))
    assert moderation(data, *options, policy_set=folder) == 0
    assert facts(data.parent / "own")["examples"].startswith(f"0 of {folder}; 2 left out")


def test_the_report_says_how_it_was_made(data: Path, engine: ClosedEngine) -> None:
    folder = data.parent / "out"
    options = ("--texts", "2", "--seed", "3", "--adapter", "f0" * 32, "--exhaustive")
    assert moderation(data, *options, "--out", str(folder)) == 0
    scores = json.loads((folder / "scores.json").read_bytes())
    assert scores["asked"]["texts"] == 2 and scores["asked"]["whole"] == 6
    assert scores["provenance"]["command"].endswith(
        "--file hatemoderate_test.csv --texts 2 --seed 3 --store hatemoderate_train.csv "
        f"--exhaustive --adapter {'f0' * 32}"
    )
    found = facts(folder)
    assert found["adapter"] == "f0" * 32 and found["policies judged"] == "all"
    assert found["word encoder"] == "bundled, untuned"
    assert found[f"{data}/hatemoderate_test.csv"].startswith("sha256 ")


def test_detectors_stand_beside_it_also_on_a_sample(data: Path, engine: ClosedEngine) -> None:
    (data / "detector_scores").mkdir()
    for stem in ("fb_score", "cardiffnlp_score", "openai_score", "perspective"):
        column = 1 if stem == "perspective" else 2
        for label, ids in (("hate", (11, 12, 14, 15)), ("nonhate", (11, 13))):
            blank = ["True", "0.9"] if stem == "openai_score" else ["hate"]
            lines = [[str(i), *blank[: column - 1], "0.9", "x"] for i in ids]
            text = "".join("\t".join(line) + "\n" for line in lines)
            (data / "detector_scores" / f"{stem}_{label}.csv").write_text(text)
    for stem in ("openai_score",):
        for label in ("hate", "nonhate"):
            path = data / "detector_scores" / f"{stem}_{label}.csv"
            path.write_text(path.read_text().replace("\tx", "\t0.9"))
    folder = data.parent / "out"
    assert moderation(data, "--detectors", "--texts", "3", "--out", str(folder)) == 0
    scores = json.loads((folder / "scores.json").read_bytes())
    assert [s["name"] for s in scores["systems"]] == [
        "wraner",
        "Facebook",
        "CardiffNLP",
        "Perspective .5",
        "Perspective .7",
        "OpenAI",
    ]
    assert {s["all"]["cases"] for s in scores["systems"]} == {scores["asked"]["rows"]}


def test_what_was_answered_is_kept_when_it_fails(
    data: Path, engine: ClosedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, folder = engine.score, data.parent / "out"
    answered: list[int] = []

    async def fails_later(requests: object) -> object:
        if answered:
            raise NotFound("there is no such adapter")
        answered.append(1)
        return await real(requests)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "score", fails_later)
    assert moderation(data, "--out", str(folder)) == 4
    assert [p.name for p in folder.iterdir()] == ["predictions.jsonl"]
    assert len((folder / "predictions.jsonl").read_bytes().splitlines()) == 4
    assert engine.closed


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--file", "nowhere.csv"), 1, "nowhere.csv"),
        (("--store", "nowhere.csv"), 2, "expected --store a file in"),
        (("--detectors",), 1, "a detector's scores"),
        (("--policy-set", "nowhere"), 4, "no 'nowhere'"),
        (("--out", "DATA"), 2, "a new or empty folder"),
        (("--card", "DATA"), 2, "is a directory"),
        (("--card", "DATA/all_examples.csv"), 2, "expected a new file or an older card"),
        (("--card", "DATA/../out/card.md", "--out", "DATA/../out"), 2, "outside of --out"),
        (("--card", "DATA/../card.md", "--adapter", "f0" * 32), 4, "an adapter's content hash"),
        (("--card", "DATA/../card.md", "--adapter", NER), 3, "expected an adapter for moderation"),
        (("--texts", "0"), 2, "--texts"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(
    data: Path,
    engine: ClosedEngine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    def heavy(*_: object, **__: object) -> None:
        raise AssertionError("nothing heavy is needed")

    monkeypatch.setattr(moderation_evaluation, "load_engine", heavy)
    other = stored(data, task="ner") if "--card" in options else ""
    given = [option.replace("DATA", str(data)).replace(NER, other) for option in options]
    assert moderation(data, *given) == code
    assert words in capsys.readouterr().err


def stored(data: Path, **told: object) -> str:
    """Store an adapter and the encoder's tuning, without weights; return the adapter's hash."""
    scratch = data.parent / "none" / "policies"
    scratch.mkdir(parents=True)
    for name in (CONFIG, WEIGHTS):
        (scratch / name).write_bytes(b"{}")
    own = {"data": [{"name": "towns", "terms": "our own", "sentences": 7}], "config": {}}
    made = {"created": "2026-01-02", **own}
    tuning = {"base_sha256": "d" * 64, "parent": "", "loss": 0.5, "dev_loss": None, **made}
    (scratch / MANIFEST).write_text(json.dumps(tuning))
    base = {"name": "tiny", "sha256": "b" * 64}
    adapter = {"task": "moderation", "base": base, "metrics": {}, **made, **told}
    manifest = AdapterManifest.model_validate_json(json.dumps(adapter))
    return write_adapter(data.parent / "state" / "adapters", scratch, manifest)


def test_a_card_is_written_beside_the_report(
    data: Path,
    engine: ClosedEngine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    identity = stored(data)
    monkeypatch.chdir(data.parent)
    monkeypatch.setenv("WRANER_POLICY_ADAPTER", str(data.parent / "none" / "policies"))
    options = ("--adapter", identity, "--card", "cards/zorvia.md")
    assert moderation(Path("data"), *options, policy_set="packs/zorvia") == 0
    assert "the card is cards/zorvia.md" in capsys.readouterr().err
    card = (data.parent / "cards" / "zorvia.md").read_text()
    assert f"# Report card: adapter {identity[:12]} on zorvia\n" in card
    assert (
        "    wraner evaluate moderation --policy-set packs/zorvia --data data --file "
        "hatemoderate_test.csv --store hatemoderate_train.csv "
        f"--card cards/zorvia.md --adapter {identity}\n"
    ) in card
    tuning = content_hash(data.parent / "none" / "policies")
    assert f"| word encoder | bundled, tuned: {tuning} |" in card
    assert "| the adapter | towns | 7 | our own |" in card
    assert "| the encoder's tuning | towns | 7 | our own |" in card
    assert f"version `{version(read_pack_folder(Path('packs/zorvia')))}`" in card
    assert "Zorvian" not in card and str(data.parent) not in card
    assert moderation(Path("data"), *options, policy_set="packs/zorvia") == 0


def test_a_card_without_an_adapter_says_so(
    data: Path, engine: ClosedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRANER_POLICY_ADAPTER", "none")
    file = data.parent / "card.md"
    assert moderation(data, "--adapter", "none", "--card", str(file)) == 0
    card = file.read_text()
    assert "# Report card: no adapter, the base model alone, on zorvia\n" in card
    assert "| word encoder | all-MiniLM-L6-v2, untuned |" in card
    assert "Its scores are not calibrated" in card


def test_a_tuning_without_a_manifest_is_named_by_its_hash(
    data: Path, engine: ClosedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning = data.parent / "tuning"
    tuning.mkdir()
    for name in (CONFIG, WEIGHTS):
        (tuning / name).write_text("{}")
    monkeypatch.setenv("WRANER_POLICY_ADAPTER", str(tuning))
    assert moderation(data, "--out", str(data.parent / "out")) == 0
    assert facts(data.parent / "out")["word encoder"] == f"bundled, tuned: {content_hash(tuning)}"


def test_a_report_says_which_examples_stand_in_questions() -> None:
    plain = Fusion(judge=1.0, margin=0.0, bias=0.0)
    one = plain.model_copy(update={"examples_shown": 1})
    later = plain.model_copy(update={"untaught": one})
    said = [moderation_evaluation._shown(fusion) for fusion in (plain, one, later)]
    each = "1 on each side"
    assert said == ["none", each, f"none; policies that came later: {each}"]
