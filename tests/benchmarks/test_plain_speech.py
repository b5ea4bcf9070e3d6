"""The plain sentences: what counts as wrong, and that none of them is taught."""

from pathlib import Path

from benchmarks.plain_speech import Said, read_sentences, table
from wraner.pack_folders import read_pack_folder

PACKS = Path(__file__).parents[2] / "packs"


def test_what_is_wrong_is_counted_and_shown() -> None:
    said = [
        Said("bad, found", True, "violates", 0.9),
        Said("bad, missed", True, "allowed", 0.2),
        Said("bad, unsure", True, "review", 0.45),
        Said("harmless", False, "allowed", 0.1),
        Said("harmless, flagged", False, "violates", 0.8),
    ]
    lines = table(said).splitlines()
    assert lines[2:4] == ["| 3 breaching | 1 | 1 | 1 |", "| 2 harmless | 1 | 0 | 1 |"]
    assert lines[5:] == [
        "AUROC 0.667",
        "allowed 0.20  bad, missed",
        "violates 0.80  harmless, flagged",
    ]


def test_no_sentence_is_an_example_of_the_pack() -> None:
    examples = {e.text.lower() for e in read_pack_folder(PACKS / "hate-speech").examples}
    sentences = [text.lower() for text, _ in read_sentences()]
    assert len(set(sentences)) == len(sentences) == 62
    assert not examples & set(sentences)
