"""Pseudo-types: which types are split, and that what is alike stays together."""

import numpy as np

from index.encoder import unit_rows
from training.word_splits import FEWEST_MENTIONS, drawn_types, grouped


def test_types_with_few_mentions_stay_whole() -> None:
    types = np.repeat([0, 1, 2], [FEWEST_MENTIONS, FEWEST_MENTIONS - 1, FEWEST_MENTIONS])
    rng = np.random.default_rng(0)
    assert drawn_types(types, 1.0, rng=rng).tolist() == [0, 2]
    assert drawn_types(types, 0.0, rng=rng).tolist() == []
    assert drawn_types(np.zeros(0, np.int64), 1.0, rng=rng).tolist() == []


def test_each_type_is_drawn_with_the_probability() -> None:
    types = np.repeat(np.arange(1000), FEWEST_MENTIONS)
    share = len(drawn_types(types, 0.3, rng=np.random.default_rng(1))) / 1000
    assert 0.25 < share < 0.35


def test_points_far_apart_are_never_in_one_group_when_each_group_has_a_centre() -> None:
    rng = np.random.default_rng(3)
    points = unit_rows(rng.normal(size=(40, 4)).astype(np.float32))
    sizes = set()
    for seed in range(20):
        groups = grouped(points, np.random.default_rng(seed))
        sizes.add(len(set(groups.tolist())))
        assert set(groups.tolist()) <= {0, 1, 2} and groups.shape == (40,)
    assert sizes == {2, 3}


def test_two_bundles_are_found() -> None:
    rng = np.random.default_rng(0)
    ends = np.repeat([[1.0, 0, 0], [0, 1.0, 0]], 10, axis=0)
    points = unit_rows((ends + 0.01 * rng.normal(size=ends.shape)).astype(np.float32))
    found = [grouped(points, np.random.default_rng(seed)) for seed in range(30)]
    parted = [g for g in found if len(set(g[:10].tolist()) & set(g[10:].tolist())) == 0]
    assert len(parted) > len(found) / 2  # not where all first centres lie in one bundle
    again = [grouped(points, np.random.default_rng(seed)) for seed in range(30)]
    assert all((one == other).all() for one, other in zip(found, again, strict=True))


def test_equal_points_are_one_group() -> None:
    points = unit_rows(np.ones((9, 3), np.float32))
    assert len(set(grouped(points, np.random.default_rng(0)).tolist())) == 1
