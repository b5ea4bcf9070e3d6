from pathlib import Path

import pytest

from tests.training.ner_examples import sentence
from training.ner_results import read_predictions, write_predictions
from wraner.errors import InvalidInput


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    results = (
        sentence("Zoë saw 北京", [(0, 3, "person")], [(8, 10, "city")], shown=(("city", "rest"),)),
        sentence("It rained", [], [], dropped=2, truncated=True, also_in="train"),
    )
    write_predictions(tmp_path / "p.jsonl", results)
    assert read_predictions(tmp_path / "p.jsonl") == results
    assert len((tmp_path / "p.jsonl").read_bytes().splitlines()) == 2


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    write_predictions(path, [sentence("It rained", [], [])])
    path.write_bytes(path.read_bytes() + b'{"id": "dev-2"}\n')
    with pytest.raises(InvalidInput, match=r"p\.jsonl:2: .* text"):
        read_predictions(path)
