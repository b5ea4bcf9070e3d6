"""Neighbours of judged texts: nearest first, both sides, never the text itself."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.training.judged_towns import POLICIES, taught
from training import judged_neighbours
from training.communities import Communities
from training.judged_neighbours import JudgedNeighbours, NeighbourFinder
from training.judged_texts import JudgedTexts, TaughtText
from training.kept_vectors import Vectors
from wraner.packs import JudgedExample, PolicySet

ANGLES = {
    "Zorvians are dirt.": 0.0,
    "ZORVIANS are dirt": 0.01,
    "Zorvians are mud.": 0.2,
    "Send them away.": 0.3,
    "Mud on the road.": 0.5,
    "A Zorvian left.": 0.6,
    "Never seen.": 0.55,
}
TEXTS = (
    *(taught(text, ("filth",), True) for text in list(ANGLES)[:3]),
    taught("Send them away.", ("expel",), True),
    taught("Mud on the road.", ("filth",), False),
    TaughtText(
        JudgedExample(text="A Zorvian left.", violates=("expel",), complies=("filth",)),
        ("expel",),
        1.0,
    ),
)


@pytest.fixture
def read() -> list[str]:
    return []


@pytest.fixture
def neighbours(read: list[str]) -> JudgedNeighbours:
    def encode(texts: Sequence[str]) -> Vectors:
        read.extend(texts)
        angles = np.array([ANGLES[t] for t in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    return JudgedNeighbours([t.example for t in TEXTS], encode)


def found(neighbours: JudgedNeighbours, text: str, policy: str, a_side: int) -> list[str]:
    return [e.text for e in neighbours.nearest(text, policy, a_side)]


def test_the_nearest_of_either_side_come_first(neighbours: JudgedNeighbours) -> None:
    near = ["Mud on the road.", "A Zorvian left.", "Zorvians are mud.", "ZORVIANS are dirt"]
    assert found(neighbours, "Never seen.", "filth", 2) == near
    assert found(neighbours, "Never seen.", "filth", 1) == ["Mud on the road.", "Zorvians are mud."]
    assert found(neighbours, "Never seen.", "filth", 0) == []


def test_what_says_nothing_of_a_policy_is_not_shown(neighbours: JudgedNeighbours) -> None:
    assert found(neighbours, "Never seen.", "expel", 5) == [
        "Mud on the road.",  # complies with all
        "A Zorvian left.",
        "Send them away.",
    ]


def test_a_text_is_not_shown_beside_itself_in_other_marks(neighbours: JudgedNeighbours) -> None:
    near = ["Zorvians are mud.", "Mud on the road.", "A Zorvian left."]
    assert found(neighbours, "Zorvians are dirt.", "filth", 2) == near


def test_texts_are_read_once(neighbours: JudgedNeighbours, read: list[str]) -> None:
    for _ in range(2):
        found(neighbours, "Never seen.", "filth", 1)
    assert read == [*(t.example.text for t in TEXTS), "Never seen."]


def test_a_finder_reads_all_communities_at_once_and_keeps_them_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[int] = []

    class Encoder:
        identity = "angles"

        def __init__(self, *, layer: int) -> None:
            pass

        def sentences(self, texts: Sequence[str]) -> Vectors:
            asked.append(len(texts))
            angles = np.array([ANGLES[t] for t in texts])
            return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    monkeypatch.setattr(judged_neighbours, "ContextualEncoder", Encoder)
    packs = {
        name: PolicySet(policies=POLICIES[:1], examples=tuple(t.example for t in texts))
        for name, texts in (
            ("north", (*TEXTS[:2], *TEXTS[5:])),
            ("south", TEXTS[2:5]),
        )
    }
    communities = Communities(packs)
    said: list[str] = []
    for _ in range(2):
        near = NeighbourFinder(tmp_path, said.append).of_communities(communities)
        assert found(near["north"], "Mud on the road.", "filth", 1) == [
            "A Zorvian left.",
            "ZORVIANS are dirt",
        ]
        assert found(near["south"], "Send them away.", "filth", 1) == [
            "Zorvians are mud.",
            "Mud on the road.",
        ]
    assert asked == [6, 1, 1]  # and each time the one text that the north has not
    assert said == ["reading 6 communities' texts to find each one's neighbours"]


@pytest.mark.parametrize(("own", "shown"), [(False, []), (True, ["Mud on the road."])])
def test_a_finder_shows_a_sets_own_texts_where_they_are_taught(
    neighbours: JudgedNeighbours,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    own: bool,
    shown: list[str],
) -> None:
    class Encoder:
        identity = "angles"
        sentences = staticmethod(neighbours._encode)

        def __init__(self, *, layer: int) -> None:
            pass

    monkeypatch.setattr(judged_neighbours, "ContextualEncoder", Encoder)
    judged = JudgedTexts("", POLICIES, TEXTS[:2], (), TEXTS[4:5], ())
    near = NeighbourFinder(tmp_path, lambda _: None).of_texts(judged, own=own)
    assert found(near, "Never seen.", "filth", 1) == [*shown, "ZORVIANS are dirt"]
