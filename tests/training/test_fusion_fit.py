"""The regression under a fusion: both sides weigh alike, and the direction is found."""

import numpy as np
import pytest

from training.fusion_fit import logistic


def test_both_sides_weigh_alike_whatever_their_size() -> None:
    rows = np.zeros((10, 1))
    breach = np.array([True] * 9 + [False])
    _, bias = logistic(rows, breach, np.ones(10))
    assert bias == pytest.approx(0.0, abs=1e-4)


def test_a_regression_finds_the_direction() -> None:
    rows = np.array([[-1.0, 3.0], [-0.5, -2.0], [0.5, 2.0], [1.0, -3.0]])
    first, second, _ = logistic(rows, np.array([False, False, True, True]), np.ones(4))
    assert first > 1 > abs(second)
