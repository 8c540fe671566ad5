from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from srbench_ext.errors import InputError
from srbench_ext.metrics import accuracy, mse, near_share, nmse, r2

_values = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30)


@given(_values, st.integers(0, 1000))
def test_r2_is_that_of_scikit_learn(values: list[float], seed: int) -> None:
    y = np.array(values)
    if y.std() < 1e-6 * (1 + np.abs(y).max()):
        return
    yhat = y + np.random.default_rng(seed).normal(size=len(y))
    assert r2(y, yhat) == pytest.approx(r2_score(y, yhat), rel=1e-9, abs=1e-9)
    assert nmse(y, yhat) == pytest.approx(1 - r2(y, yhat))


def test_a_perfect_prediction() -> None:
    y = [1.0, 2.0, 4.0]
    assert (r2(y, y), nmse(y, y), mse(y, y), accuracy(y, y, 0.0)) == (1.0, 0.0, 0.0, True)


@pytest.mark.parametrize("unit", [1e-300, 1e-30, 1e30, 1e300])
def test_r2_does_not_depend_on_the_unit(unit: float) -> None:
    y, yhat = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0])
    assert r2(y * unit, yhat * unit) == pytest.approx(0.5)


def test_an_overflowing_error_is_minus_infinity() -> None:
    assert r2([0.0, 1.0], [1e300, 0.0]) == -np.inf
    assert mse([0.0, 1.0], [1e300, 0.0]) == np.inf


def test_accuracy_leaves_out_the_worst_twentieth() -> None:
    y = np.arange(1.0, 101.0)
    yhat = y * 1.0009
    yhat[:5] = 1e9
    assert accuracy(y, yhat, 0.001)
    yhat[5] = 1e9
    assert not accuracy(y, yhat, 0.001)
    assert not accuracy(y, y * 1.0011, 0.001)


@pytest.mark.parametrize(
    ("y", "yhat", "part"),
    [
        ([1.0], [1.0, 2.0], "one length"),
        ([], [], "not empty"),
        ([[1.0]], [[1.0]], "one-dimensional"),
        ([1.0, np.nan], [1.0, 2.0], "y has 1 of 2"),
        ([1.0, 2.0], [np.inf, np.nan], "yhat has 2 of 2"),
    ],
)
def test_bad_input_is_refused(y: list, yhat: list, part: str) -> None:
    for metric in (mse, nmse, r2, lambda a, b: accuracy(a, b, 0.1)):
        with pytest.raises(InputError, match=part):
            metric(y, yhat)


def test_r2_of_a_constant_target_is_not_defined() -> None:
    with pytest.raises(InputError, match=r"y is 0\.1 in every row"):
        r2([0.1] * 7, [0.1] * 7)


def test_a_point_is_near_within_a_thousandth_and_a_twentieth() -> None:
    y = np.array([0.0, 0.0, 100.0, 100.0, -100.0, -100.0])
    yhat = y + np.array([0.001, 0.0011, 5.0, -5.002, 5.002, -5.0])
    assert near_share(y, yhat) == 0.5


def test_nan_is_near_to_nan_and_an_infinity_to_itself_alone() -> None:
    y = [np.nan, np.nan, 1.0, np.inf, np.inf, 1e308]
    assert near_share(y, [np.nan, 1.0, np.nan, np.inf, -np.inf, -1e308]) == pytest.approx(2 / 6)


def test_no_points_and_other_shapes_are_refused() -> None:
    for y, yhat in (([], []), ([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])):
        with pytest.raises(InputError, match="of one length"):
            near_share(y, yhat)
