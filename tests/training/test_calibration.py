"""Calibration: texts are asked about as when served, and what is fitted tells sides apart."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.training.judged_towns import TOWNS
from tests.training.leaning_index import Leaning, breaching
from tests.wraner.random_adapters import hollow_adapter
from training import calibration
from training.calibration import Subjects, answers, fit, taught_words
from training.calibration_tables import report, tables
from training.fusion_fit import cross_fitted, fitted, score_of
from training.judge_answers import Judge, ask
from training.policy_wordings import PolicyWordings
from training.settings import JudgementSettings, TrainingSettings, read_settings
from training.untaught import NewSet
from wraner.adapters import read_adapter
from wraner.engine import Answer, GenerateRequest, ModelInfo, ScoreRequest, Scores
from wraner.fusion import Fusion, wordings
from wraner.packs import Policy
from wraner.retrieval import Evidence, JudgedNeighbour
from wraner.weights import BaseModel

TIERS = {p.id: p.tier for p in TOWNS.policies}


class Knowing:
    def __init__(self) -> None:
        self.asked: list[ScoreRequest] = []

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        self.asked += requests
        return [Scores((self._logit(r.prompt.text), 0.0), 0) for r in requests]

    def _logit(self, text: str) -> float:
        return 1.0 if breaching(text) else -1.0

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        raise NotImplementedError

    async def info(self) -> ModelInfo:
        return ModelInfo("fake", ())


def test_texts_are_asked_about_as_when_served() -> None:
    engine = Knowing()
    judge = Judge(Leaning(), engine, "ad", shortlist=1, exhaustive=4)
    asked = asyncio.run(ask(judge, TOWNS.pack, TOWNS.dev))
    assert [len(a.judged) for a in asked] == [2, 1, 1, 1] * 2
    assert len(engine.asked) == 10 + len(TOWNS.dev)  # the policies and the whole set
    assert {r.adapter for r in engine.asked} == {"ad"}
    assert sum("any of these" in r.prompt.instruction for r in engine.asked) == len(TOWNS.dev)
    assert [a.overall for a in asked] == [1.0 if t.breaches else -1.0 for t in TOWNS.dev]


def test_nothing_is_asked_twice() -> None:
    engine = Knowing()
    judge = Judge(Leaning(), engine, "ad")
    first = asyncio.run(ask(judge, TOWNS.pack, TOWNS.dev))
    count = len(engine.asked)
    assert asyncio.run(ask(judge, TOWNS.pack, TOWNS.dev)) == first
    assert len(engine.asked) == count == len({r.prompt for r in engine.asked})


def test_many_texts_are_asked_in_turns_that_count_on() -> None:
    texts = TOWNS.dev * 3
    asked = asyncio.run(
        ask(Judge(Leaning(), Knowing(), "", shortlist=1, exhaustive=7), TOWNS.pack, texts)
    )
    assert [n for n, a in enumerate(asked) if len(a.judged) > 1] == [0, 7, 14, 21]
    assert [a.text for a in asked] == list(texts)


def test_what_is_fitted_tells_sides_apart_and_is_calibrated() -> None:
    asked = asyncio.run(ask(Judge(Leaning(), Knowing(), ""), TOWNS.pack, TOWNS.dev))
    fusion = fitted(asked, TIERS, hears="leaning")
    assert fusion.calibrated and not fusion.examples_shown and fusion.verdict is not None
    for a in asked:
        assert (score_of(a, fusion) >= 0.5) == a.text.breaches
    fusions = cross_fitted(asked, TIERS, hears="leaning", folds=2)
    crossed = [score_of(a, f) for a, f in zip(asked, fusions, strict=True)]
    assert [s >= 0.5 for s in crossed] == [t.breaches for t in TOWNS.dev]
    few = fitted(asked, TIERS, hears="definition")
    assert few.verdict is not None and few.verdict.leaning == 0.0
    assert [score_of(a, few) >= 0.5 for a in asked] == [a.text.breaches for a in asked]
    assert report("fused", TOWNS.dev, crossed).startswith("| fused | 1.000 |")
    halfway = report("unsure", TOWNS.dev, [0.9 if t.breaches else 0.3 for t in TOWNS.dev])
    assert halfway.endswith("| 0.000 | 0.000 | 0.000 | 0.200 |"), "half are .1 off, half .3"


RULES = TOWNS.pack.model_copy(update={"examples": ()})


def told(name: str) -> NewSet:
    """Return a set that is asked about texts of its own."""
    texts = []
    for text in TOWNS.dev:
        words = f"{text.example.text} {name.title()}."
        texts.append(replace(text, example=text.example.model_copy(update={"text": words})))
    return NewSet(RULES, tuple(texts))


SUBJECTS = Subjects(
    TOWNS, RULES, {"market": told("market"), "office": told("office")}, {"eight": told("eight")}
)


class Shouting(Knowing):
    """Knows nothing, and says so loudly."""

    def _logit(self, text: str) -> float:
        return 5.0 * (-1) ** len(text)


def test_who_is_wrong_about_untaught_sets_is_not_heard_there() -> None:
    right, wrong = (Judge(Leaning(), engine(), "") for engine in (Knowing, Shouting))
    found = asyncio.run(answers(right, wrong, SUBJECTS))
    assert list(found.untaught) == ["market", "office", "eight"]
    alone = found.untaught["eight"]
    fusion = fit(found, SUBJECTS.tiers, ("a name",), shown=0)
    sceptical = fit(replace(found, untaught={"only": alone}), SUBJECTS.tiers, ("a name",), shown=0)
    assert fusion.taught == ("a name",) and fusion.few is not None
    assert fusion.untaught is not None and sceptical.untaught is not None
    assert sceptical.untaught.judge < 0.1 * fusion.judge
    assert sceptical.untaught.bare is not None and sceptical.untaught.bare.calibrated
    lines = list(tables(found, SUBJECTS.tiers))
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| whole set asked",
        "| leaning",
        "| fused",
        "| few examples",
        "| never taught: market",
        "| never taught: market, words alone",
        "| never taught: office",
        "| never taught: office, words alone",
        "| never taught: eight",
        "| never taught: eight, words alone",
        "| never taught, mean",
        "| never taught, together",
        "| never taught, mean, words alone",
        "| never taught, together, words alone",
    ]


def test_a_set_is_scored_by_what_is_fitted_to_other_texts() -> None:
    right, wrong = (Judge(Leaning(), engine(), "") for engine in (Knowing, Shouting))
    both = {"market": told("market"), "twin": told("market")}
    found = asyncio.run(answers(right, wrong, replace(SUBJECTS, house_rules=both)))
    lines = [x for x in tables(found, SUBJECTS.tiers) if "never taught: market" in x]
    alone = replace(found, untaught={k: v for k, v in found.untaught.items() if k != "twin"})
    assert lines == [x for x in tables(alone, SUBJECTS.tiers) if "never taught: market" in x]


class Foreign(Leaning):
    """Finds policies to be of another kind than the encoder's."""

    def _of(self, text: str, policies: Sequence[Policy]) -> Evidence:
        found = super()._of(text, policies)
        sign = 1.0 if breaching(text) else -1.0
        far = tuple(replace(e, kin=0.0, wording=sign, case=sign) for e in found.policies)
        return replace(found, policies=far)


def test_sets_of_another_kind_have_weights_of_their_own_beside_the_common_ones() -> None:
    house, alike = (Judge(found(), Knowing(), "") for found in (Foreign, Leaning))
    found = asyncio.run(answers(house, alike, SUBJECTS))
    assert found.foreign == ["market", "office"]
    untaught = fit(found, SUBJECTS.tiers, (), shown=0).untaught
    assert untaught is not None and untaught.foreign is not None
    assert untaught.wording == 0.0 < untaught.foreign.wording
    assert untaught.foreign.bare is not None and untaught.foreign.bare.wording > 0
    rows = [line for line in tables(found, SUBJECTS.tiers) if "never" in line]
    assert len(rows) == 10
    alone = fit(asyncio.run(answers(alike, alike, SUBJECTS)), SUBJECTS.tiers, (), shown=0)
    assert alone.untaught is not None and alone.untaught.foreign is None


def test_allow_lists_are_fitted_to_allow_lists_alone() -> None:
    judge = Judge(Foreign(), Knowing(), "")
    lists = {"room": told("room"), "board": told("board")}
    found = asyncio.run(answers(judge, judge, replace(SUBJECTS, allow_lists=lists)))
    assert list(found.allow_lists) == ["room", "board"] and "room" not in found.untaught
    untaught = fit(found, SUBJECTS.tiers, (), shown=0).untaught
    assert untaught is not None and untaught.allow_list is not None
    assert untaught.allow_list.wording > 0 and untaught.allow_list.bare is not None
    rows = [line for line in tables(found, SUBJECTS.tiers) if "| allowed" in line]
    assert [row.split(" | ")[0] for row in rows] == [
        "| allowed alone: room",
        "| allowed alone: room, words alone",
        "| allowed alone: board",
        "| allowed alone: board, words alone",
        "| allowed alone, mean",
        "| allowed alone, together",
        "| allowed alone, mean, words alone",
        "| allowed alone, together, words alone",
    ]
    none = fit(replace(found, allow_lists={}), SUBJECTS.tiers, (), shown=0).untaught
    assert none is not None and none.allow_list is None


class Citing(Foreign):
    """Finds one example of a breach beside every text."""

    def _of(self, text: str, policies: Sequence[Policy]) -> Evidence:
        found = super()._of(text, policies)
        near = JudgedNeighbour(TOWNS.train[0].example, 0.5)
        return replace(found, policies=tuple(replace(e, violating=(near,)) for e in found.policies))


def test_the_nearest_examples_are_shown_in_every_question_about_one_policy() -> None:
    taught, later = Knowing(), Knowing()
    judge, without = Judge(Citing(), taught, ""), Judge(Citing(), later, "")
    subjects = replace(SUBJECTS, allow_lists={"room": told("room")})
    found = asyncio.run(answers(judge, without, subjects, shown=1))
    for engine in (taught, later):
        asked = [r.prompt for r in engine.asked if "any of these" not in r.prompt.instruction]
        assert {p.text for p in asked if p.examples} == {p.text for p in asked}
        assert {t.answer for p in asked for t in p.examples} == {"yes", "no"}
    fusion = fit(found, SUBJECTS.tiers, (), shown=1)
    assert fusion.untaught is not None and fusion.untaught.allow_list is not None
    assert fusion.untaught.allow_list.examples_shown == 1
    assert fusion.few is not None and fusion.untaught is not None
    assert fusion.untaught.foreign is not None and fusion.untaught.bare is not None
    kinds = (fusion, fusion.few, fusion.untaught, fusion.untaught.foreign, fusion.untaught.bare)
    assert [kind.examples_shown for kind in kinds] == [1, 1, 1, 1, 0]


def test_weights_for_later_policies_of_the_taught_kind_can_be_those_of_an_earlier_adapter() -> None:
    judge = Judge(Foreign(), Knowing(), "")
    found = asyncio.run(answers(judge, None, replace(SUBJECTS, left_out={})))
    assert list(found.untaught) == ["market", "office"]
    earlier = Fusion(judge=0.7, margin=0.0, bias=-0.2, bare=Fusion(judge=0.3, margin=0.0, bias=0.0))
    kept = fit(found, SUBJECTS.tiers, (), shown=1, later=earlier).untaught
    assert kept is not None and kept.foreign is not None
    assert (kept.judge, kept.bias, kept.bare) == (0.7, -0.2, earlier.bare)
    fresh = fit(found, SUBJECTS.tiers, (), shown=1).untaught
    assert fresh is not None and kept.foreign == fresh.foreign and kept.judge != fresh.judge


def test_taught_words_are_those_of_the_pack_and_others_where_it_was_reworded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = PolicyWordings({"filth": ("Dirt", "Says that people are dirt.")})
    monkeypatch.setattr(calibration, "shipped_wordings", lambda: others)
    plain = taught_words(TOWNS, JudgementSettings())
    assert plain == wordings(TOWNS.policies)
    more = set(taught_words(TOWNS, JudgementSettings(reworded=0.5)))
    dirt = Policy(id="x", title="Dirt", definition="Says that people are dirt.")
    assert more == {*plain, *wordings([dirt])}


def test_the_command_writes_what_it_fitted_into_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judges = {"taught": Judge(Leaning(), Knowing(), ""), "without": Judge(Leaning(), Knowing(), "")}

    @contextmanager
    def judge(_: object, adapter: Path, tuning: Path) -> Iterator[Judge]:
        yield judges["without" if tuning == Path("tuned") else "taught"]

    monkeypatch.setattr(calibration, "read_judged_texts", lambda *_: TOWNS)
    monkeypatch.setattr(calibration, "read_pack_folder", lambda *_: TOWNS.pack)
    monkeypatch.setattr(calibration, "left_out", lambda *_: SUBJECTS.left_out)
    monkeypatch.setattr(calibration, "house_rules", lambda _: SUBJECTS.house_rules)
    monkeypatch.setattr(calibration, "_judge", judge)
    base = BaseModel(Path("none"), "tiny", "0" * 64)
    config = Path(calibration.__file__).parent / "configs" / "moderation.yaml"
    settings = read_settings(config)
    trained = settings.model_dump(mode="json")
    identity = hollow_adapter(base, tmp_path, "{}", config=trained)
    other = hollow_adapter(base, tmp_path / "other", "{}", config=_without(settings, "filth"))
    tunings = {Path("tuned"): "filth", Path("whole"): ""}
    monkeypatch.setattr(calibration, "read_word_manifest", lambda t: _tuned_without(tunings[t]))
    command = [str(config), "--adapter", str(tmp_path / identity)]
    command += ["--without", str(tmp_path / "other" / other), "tuned"]
    assert calibration.main(command) == 0
    assert "| never taught: market" in capsys.readouterr().out
    written = read_adapter(tmp_path, identity).calibration
    assert written is not None and written.verdict is not None and written.few is not None
    assert written.few.verdict is not None and written.few.verdict.leaning == 0.0
    assert written.untaught is not None and written.untaught.examples_shown == 1
    assert written.taught == wordings(TOWNS.policies)
    kept = [*command[:3], "--later-of", str(tmp_path / identity)]
    assert calibration.main(kept) == 0
    again = read_adapter(tmp_path, identity).calibration
    assert again is not None and again.untaught is not None
    assert again.untaught.judge == written.untaught.judge
    kept[-1] = str(tmp_path / "other" / other)
    assert calibration.main(kept) == 1
    assert "with weights for later policies" in capsys.readouterr().err
    assert calibration.main([*command[:-1], "whole"]) == 1
    assert "trained without the same policies" in capsys.readouterr().err
    assert settings.judgements is not None
    texts = settings.judgements.texts.model_copy(update={"far": 1})
    judgements = settings.judgements.model_copy(update={"texts": texts})
    far = settings.model_copy(update={"judgements": judgements}).model_dump(mode="json")
    knowing = hollow_adapter(base, tmp_path / "far", "{}", config=far)
    command[2] = str(tmp_path / "far" / knowing)
    assert calibration.main(command) == 1
    assert "expected an adapter taught by" in capsys.readouterr().err


def _without(settings: TrainingSettings, *policies: str) -> dict[str, Any]:
    assert settings.judgements is not None
    texts = settings.judgements.texts.model_copy(update={"without": policies})
    judgements = settings.judgements.model_copy(update={"texts": texts})
    return settings.model_copy(update={"judgements": judgements}).model_dump(mode="json")


def _tuned_without(*policies: str) -> SimpleNamespace:
    texts = {"without": [p for p in policies if p]}
    return SimpleNamespace(config={"texts": texts})
