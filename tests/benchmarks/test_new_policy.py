"""Ranking texts of a policy that was never taught, on made-up vectors."""

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.new_policy import WAYS, Subject, areas
from training.hatemoderate import CollectedText
from wraner.packs import Policy

POLICY = Policy(id="filth", title="Filth", definition="Calls people dirt.")
SUBJECT = Subject(
    POLICY,
    tuple(f"breach {n}" for n in range(6)),
    tuple(
        CollectedText(f"{'breach' if n % 2 else 'fine'} {n}", bool(n % 2), ("filth",), "")
        for n in range(20)
    ),
)


def told_apart(texts: Sequence[str]) -> np.ndarray:
    """Breaches and the policy's words point one way, other texts another; all differ a little."""
    rows = []
    for text in texts:
        draw = np.random.default_rng(sum(map(ord, text))).normal(size=6) * 0.1
        draw[0 if "breach" in text or "dirt" in text else 1] += 1
        rows.append(draw / np.linalg.norm(draw))
    return np.array(rows)


def alike(texts: Sequence[str]) -> np.ndarray:
    return np.tile(np.eye(6)[0], (len(texts), 1))


def test_every_way_ranks_what_the_vectors_tell_apart() -> None:
    found = areas(told_apart, [SUBJECT], [f"fine {n}" for n in range(40, 60)])
    assert {name: min(values) for name, values in found.items()} == dict.fromkeys(WAYS, 1.0)


def test_no_way_ranks_what_the_vectors_do_not_tell_apart() -> None:
    found = areas(alike, [SUBJECT], ["fine 40", "fine 41"])
    assert all(value == pytest.approx(0.5) for values in found.values() for value in values)
