"""The tuning that ships, with the encoder that it belongs to, on the domain that ships."""

from pathlib import Path

import pytest

from index.encoders import load_encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.word_votes import VoteSettings
from wraner.entities import Mention
from wraner.metrics import count_spans
from wraner.pack_folders import read_definitions, read_examples, read_pack_folder
from wraner.packs import TaggedExample, version
from wraner.retrieval import PackRef
from wraner.tagging import tag

ROOT = Path(__file__).parents[2]
PACK = ROOT / "packs" / "customer-care"


@pytest.mark.model
def test_votes_alone_find_what_customers_write_of() -> None:
    pack = read_pack_folder(PACK)
    encoders = load_encoders(None, ROOT / "adapters" / "words")
    retriever = LocalRetriever(encoders, IndexSettings(), votes=VoteSettings())
    tests = [
        e
        for e in read_examples(PACK / "test.jsonl", read_definitions(PACK))
        if isinstance(e, TaggedExample)
    ]
    near = retriever.neighbours_now(PackRef(version(pack), inline=pack), [e.text for e in tests], 0)
    found = []
    for example, neighbours in zip(tests, near, strict=True):
        assert neighbours.votes is not None
        entities = tag(example.text, neighbours.votes)
        found.append([Mention(e.start, e.end, e.label) for e in entities])
    counts = count_spans([e.entities for e in tests], found)
    assert counts.gold > 100
    assert counts.f1 > 0.7, counts
