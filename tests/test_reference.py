"""Regressors without a formula, grown until the clock runs out."""

from __future__ import annotations

import time

import numpy as np
import pytest

from srbench_ext.method import Method
from srbench_ext.method.reference import ReferenceModel, doubling, drawn_rows
from srbench_ext.registry import create


class Mean:
    def __init__(self, value):
        self.value = value

    def predict(self, X):
        return np.full(len(X), self.value)


class Slow(ReferenceModel):
    """Steps of 0.05, 0.1, 0.2, ... seconds; each nearer to 10."""

    name, version = "slow", "1"

    def steps(self, X, y, run):
        for step in range(20):
            time.sleep(0.05 * 2**step)
            yield Mean(10.0 - 1.0 / (1 + step))


X = np.arange(6.0).reshape(6, 1)
Y = np.array([9.0, 11.0, 10.0, 10.0, 9.0, 11.0])


def test_a_step_that_would_not_end_in_time_is_not_begun():
    method = Slow(max_seconds=1.0)
    started = time.monotonic()
    method.fit(X, Y)
    assert time.monotonic() - started < 1.5
    assert 1 <= method.result_.counts["steps"] <= 4
    assert method.result_.notes["last_step_left_out"]
    assert isinstance(method, Method)
    assert method.predict(X)[0] > 9.0


def test_the_last_step_is_the_result_and_it_has_no_formula():
    method = create("forest", n_trees=10).fit(X, Y)
    assert method.result_.counts["steps"] == 3
    assert len(method.result_.best.model.estimators_) == 10
    assert (method.expression_, method.result_.best.complexity) == (None, None)


@pytest.mark.parametrize("name", ["forest", "boosting", "kernelridge", "mlp", "gaussianprocess"])
def test_each_reference_predicts_a_smooth_target(name):
    rng = np.random.default_rng(0)
    rows = rng.uniform(-1, 1, size=(400, 2))
    y = rows[:, 0] * rows[:, 1] + rows[:, 0]
    method = create(name, max_seconds=20).fit(rows[:300], y[:300])
    assert method.score(rows[300:], y[300:]) > 0.9


@pytest.mark.parametrize(
    ("first", "last", "sizes"),
    [(4, 4, [4]), (4, 5, [4, 5]), (4, 16, [4, 8, 16]), (4, 17, [4, 8, 16, 17]), (4, 2, [2])],
)
def test_sizes_double_and_end_at_the_last(first, last, sizes):
    assert doubling(first, last) == sizes


def test_each_table_holds_the_rows_of_the_one_before():
    tables = list(drawn_rows(X, Y, [2, 6], np.random.default_rng(0)))
    np.testing.assert_array_equal(tables[0][0], tables[1][0][:2])
    assert sorted(tables[1][0][:, 0]) == list(X[:, 0])
    assert [len(y) for _, y in tables] == [2, 6]
