import numpy as np

from tests.training.ner_examples import sentence
from training.ner_fusion import Heard, compare, fit, fuse, table
from wraner.entities import Span
from wraner.entity_fusion import FEATURES
from wraner.metrics import SpanCounts
from wraner.word_votes import Habits, WordVotes

HABITS = Habits(
    np.array([0.6, 0.3, 0.1]), np.array([[0.6, 0.4, 0.0], [0.6, 0.3, 0.1], [0.6, 0.3, 0.1]])
)
OUTSIDE, CITY = [0.9, 0.1, 0.0, 0.0, 0.0], [0.1, 0.9, 0.0, 0.0, 0.0]


def heard(right: bool) -> Heard:
    """The votes are right about both words; the model names the second one, or nothing."""
    votes = WordVotes(
        (Span(0, 2), Span(3, 5)), ("city", "person"), np.array([CITY, OUTSIDE]), HABITS, 100, (9, 9)
    )
    found = [] if right else [(3, 5, "person")]
    return Heard(sentence("aa bb", [(0, 2, "city")], found), votes)


def test_the_fit_learns_whom_to_trust() -> None:
    dev = [heard(right=n % 2 == 0) for n in range(20)]
    fusion = fit(dev)
    weights = dict(zip(FEATURES, fusion.weights, strict=True))
    assert weights["votes"] > abs(weights["named"])
    assert sum(c.right for c in fuse(fusion, dev)) == 20
    assert sum(c.found for c in fuse(fusion, dev)) == 20


def test_each_domain_is_scored_with_the_others_weights() -> None:
    dev = tuple(heard(right=False) for _ in range(5))
    rows = compare({"trips": dev, "tours": dev})
    assert rows[0].model == [SpanCounts(0, 1, 1)] * 5
    assert rows[0].fused == [SpanCounts(1, 1, 1)] * 5
    lines = table(rows).splitlines()
    assert lines[2] == "| trips | 5 | 0.0 | 100.0 | 100.0 |"
    assert lines[-1].startswith("fused - model 100.0 (100.0 to 100.0)")
