"""Accuracy in the support of the inputs and around it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from srbench_ext.data import Problem
from srbench_ext.record import ProtocolStamp, Record, RunSpec
from srbench_ext.runner import scoring
from srbench_ext.runner.scoring import Rows, score_accuracy

SPEC = RunSpec(
    "m", "1", {}, None, "s", "p", "regenerated", 0.0, 0, ProtocolStamp("quick", "0" * 16), 1.0, None
)
NAMES = ["a", "b"]


class Fitted:
    """Predicts by a function of the columns, as every fitted method does from a table with names."""

    def __init__(self, function):
        self.function, self.seen = function, []

    def predict(self, X):
        assert list(X.columns) == NAMES
        self.seen.append(X.to_numpy())
        return self.function(X["a"].to_numpy(), X["b"].to_numpy())


def problem(formula="a + b", **facts):
    box = {"lows": (0.0, 10.0), "highs": (1.0, 14.0)}
    return Problem("s", "p", 10, 2, formula=formula, feature_names=("a", "b"), **{**box, **facts})


def scored(function, given=None, rows=((0.0, 10.0), (1.0, 14.0))):
    method = Fitted(function)
    test = Rows(pd.DataFrame(rows, columns=NAMES), np.zeros(len(rows)))
    return score_accuracy(Record(SPEC, "ok"), method, given or problem(), test), method


def test_the_truth_is_near_everywhere():
    record, _ = scored(lambda a, b: a + b)
    assert (record.accuracy.iid, record.accuracy.ood) == (1.0, 1.0)


def test_points_fill_the_support_and_then_three_times_its_length():
    _, method = scored(lambda a, b: a + b)
    inside, around = method.seen
    assert inside.shape == around.shape == (10_000, 2)
    np.testing.assert_allclose([inside.min(0), inside.max(0)], [[0, 10], [1, 14]], atol=0.01)
    np.testing.assert_allclose([around.min(0), around.max(0)], [[-1, 6], [2, 18]], atol=0.05)


def test_what_holds_in_the_support_alone_is_told_from_what_holds_around_it():
    record, _ = scored(lambda a, b: np.where((a >= 0) & (a <= 1), a + b, 0.0))
    assert record.accuracy.iid == 1.0
    assert record.accuracy.ood == pytest.approx(1 / 3, abs=0.02)


def test_where_the_truth_has_no_value_none_is_right():
    root = problem("sqrt(a)")
    record, _ = scored(lambda a, b: np.sqrt(np.where(a < 0, np.nan, a)), root)
    assert record.accuracy.ood == 1.0
    record, _ = scored(lambda a, b: np.sqrt(np.abs(a)), root)
    assert record.accuracy.ood == pytest.approx(2 / 3, abs=0.02)


def test_without_a_listed_box_the_support_is_that_of_the_test_rows():
    _, method = scored(lambda a, b: a + b, problem(lows=None, highs=None), rows=((5.0, 0.0), (7.0, 1.0)))
    np.testing.assert_allclose(method.seen[0].max(0), [7, 1], atol=0.01)


def test_the_points_are_the_same_for_every_method(monkeypatch):
    monkeypatch.setattr(scoring, "ACCURACY_POINTS", 20)
    (_, one), (_, other) = scored(lambda a, b: a), scored(lambda a, b: b)
    np.testing.assert_array_equal(one.seen[1], other.seen[1])


def test_nothing_is_known_without_a_truth():
    record, method = scored(lambda a, b: a, problem(formula=None))
    assert record.accuracy is None
    assert method.seen == []
