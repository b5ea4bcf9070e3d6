"""Judged texts: what is held out or kept for choosing is not taught, nor policies left out."""

import json
from pathlib import Path

import pytest

from benchmarks.near_pairs import read_pairs
from benchmarks.plain_speech import read_sentences
from training import hatemoderate as corpus
from training.hatemoderate import dev_keys, guideline_key, read_collected
from training.judged_texts import JudgedSettings, read_judged_texts
from training.moderation_rows import same_text
from wraner.errors import InvalidInput
from wraner.pack_folders import read_examples, read_pack_folder

PACKS = Path(__file__).parents[2] / "packs"
TRAINING = Path(__file__).parents[2] / "training"
NEAR_MISSES = (TRAINING / "near_misses.jsonl", TRAINING / "more_near_misses.jsonl")
SETTINGS = JudgedSettings(policy_set=PACKS / "hate-speech")


def test_taught_kept_and_held_out_texts_are_apart(hatemoderate: Path) -> None:
    judged = read_judged_texts(SETTINGS, hatemoderate.parent)
    taught, dev = (
        {same_text(t.example.text) for t in texts} for texts in (judged.train, judged.dev)
    )
    test = {same_text(t.text) for t in read_collected(hatemoderate / "hatemoderate_test.csv")}
    assert (len(judged.train), len(judged.dev), len(dev_keys())) == (2494, 500, 501)
    assert len(taught) == 2490, "four are written twice, with other marks"
    assert not taught & dev and not (taught | dev) & test
    assert len(judged.pack.examples) == 2494
    assert [d.sentences for d in judged.data] == [2494, len(judged.own)] == [2494, 446]
    assert {t.weight for t in judged.train} == {1.0, 2.0}
    assert judged.asked_of_dev.train == judged.dev


def test_no_text_of_a_held_out_file_is_taught_whatever_its_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {guideline_key("one"): "exclude-expel"}
    (tmp_path / "policies.json").write_text(json.dumps(keys))
    monkeypatch.setattr(corpus, "_POLICIES", tmp_path / "policies.json")
    files = {
        "train": [("Torn.", "x", 0), ("Of a suite.", "x", 1), ("Taught.", "x", 1)],
        "held": [("torn", "x", 0), ("torn", "x", 1), ("of a suite", "hatecheck", 1)],
    }
    for name, rows in files.items():
        lines = [f"{text}\t{dataset}\tone\t{label}" for text, dataset, label in rows]
        table = "\n".join(["text\tdataset\tguideline\tlabels", *lines])
        (tmp_path / f"{name}.csv").write_text(table + "\n")
    chosen = {"train": Path("train.csv"), "held_out": (Path("held.csv"),)}
    judged = read_judged_texts(SETTINGS.model_copy(update=chosen), tmp_path)
    assert [t.example.text for t in judged.train] == ["Taught."]


def test_a_part_of_all_texts_can_be_kept_with_its_near_copies(hatemoderate: Path) -> None:
    usual = read_judged_texts(SETTINGS, hatemoderate.parent)
    everything = {same_text(t.example.text) for t in (*usual.train, *usual.dev)}
    asked: list[str] = []
    for far in range(3):
        settings = SETTINGS.model_copy(update={"far": far})
        judged = read_judged_texts(settings, hatemoderate.parent)
        taught, dev = (
            {same_text(t.example.text) for t in side} for side in (judged.train, judged.dev)
        )
        shared, others = len(taught & dev), len((taught | dev) ^ everything)
        assert shared == others == 0
        assert 900 < len(judged.dev) < 1100
        asked += dev
    assert len(asked) == len(everything), "each text is asked about in one part"


def test_policies_left_out_are_not_taught(hatemoderate: Path) -> None:
    settings = SETTINGS.model_copy(update={"without": ("exclude-expel",)})
    judged = read_judged_texts(settings, hatemoderate.parent)
    assert len(judged.policies) == 40
    assert all("exclude-expel" not in t.near for t in judged.train)
    assert any("exclude-expel" in t.near for t in judged.dev), "to be asked about"
    known = {p.id for p in judged.policies}
    dev = judged.asked_of_dev.train
    assert 0 < len(dev) < len(judged.dev)
    assert all(t.near and {*t.near, *t.example.violates} <= known for t in dev)


def test_the_sets_own_examples_go_to_the_policies_that_they_were_written_for(
    hatemoderate: Path,
) -> None:
    judged = read_judged_texts(SETTINGS, hatemoderate.parent)
    own = {t.example.id: t for t in judged.own}
    assert own["exclude-expel-v1"].near == own["exclude-expel-v1"].example.violates
    assert own["dehumanise-filth-n1"].near == ("dehumanise-filth",)
    assert own["ordinary-01"].near == () and not own["ordinary-01"].breaches
    fewer = read_judged_texts(
        SETTINGS.model_copy(update={"without": ("exclude-expel",)}), hatemoderate.parent
    )
    gone = {t.example.id for t in judged.own} - {t.example.id for t in fewer.own}
    assert {"exclude-expel-v1", "exclude-expel-n1"} <= gone
    assert all("exclude-expel" in own[i].near for i in gone)


def test_more_examples_of_the_set_are_taught_beside_its_own(hatemoderate: Path) -> None:
    settings = SETTINGS.model_copy(update={"more": NEAR_MISSES})
    judged = read_judged_texts(settings, hatemoderate.parent)
    assert (
        [d.sentences for d in judged.data] == [2494, len(judged.own)] == [2494, 446 + 2050 + 3279]
    )
    more = {t.example.id: t for t in judged.own[446:]}
    sides = {p.id: {t.breaches for t in more.values() if p.id in t.near} for p in judged.policies}
    assert all(both == {True, False} for both in sides.values())
    assert len(more) == 2050 + 3279
    assert more["exclude-expel-m1"].near == ("exclude-expel",)
    keeping = {
        p.id: sum(t.breaches and t.example.keeps(p.id) for t in more.values())
        for p in judged.policies
    }
    assert min(keeping.values()) >= 40  # texts that breach a near policy and keep this one


def test_near_misses_are_no_text_of_the_corpus_and_none_that_is_measured_with(
    hatemoderate: Path,
) -> None:
    pack = read_pack_folder(PACKS / "hate-speech")
    written = [same_text(e.text) for file in NEAR_MISSES for e in read_examples(file, pack)]
    assert len(set(written)) == len(written)
    files = ("hatemoderate_train.csv", "hatemoderate_test.csv")
    others = {same_text(t.text) for f in files for t in read_collected(hatemoderate / f)}
    others |= {same_text(e.text) for e in pack.examples}
    others |= {same_text(text) for text, _ in read_sentences()}
    pairs = {same_text(text) for p in read_pairs() for text in (p.breaching, p.harmless)}
    assert not others.intersection(pairs)
    assert not (others | pairs).intersection(written)


def test_an_unknown_policy_and_a_domain_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="ids of policies to leave out, was: none-such"):
        read_judged_texts(SETTINGS.model_copy(update={"without": ("none-such",)}), tmp_path)
    domain = SETTINGS.model_copy(update={"policy_set": PACKS / "customer-care"})
    with pytest.raises(InvalidInput, match="was: a domain"):
        read_judged_texts(domain, tmp_path)
