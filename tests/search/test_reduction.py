from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest

from srbench_ext.expression import Expression
from srbench_ext.search import Reduction, closed_forms, reduce_table
from srbench_ext.search.reduction import Column


def table(law, n_columns, n_rows=1500, low=1.0, high=3.0, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(low, high, (n_rows, n_columns))
    y = law(*X.T)
    return X, y + noise * np.sqrt(np.mean(y**2)) * rng.standard_normal(n_rows)


LAWS = {
    "a power law": (lambda a, b, c: 3.7 * a * b**2 / np.sqrt(c), 3, 0),
    "a factor and a ratio": (lambda a, b, c, d: a * b * np.log(1.5 + c / d), 4, 1),
    "an exponential of a monomial": (lambda a, b, c, d: a * np.exp(-b * c / d), 4, 1),
    "a difference": (lambda a, b, c: c * np.sin(a - b), 3, 1),
    "a sum of squares": (lambda a, b, c: a / (b**2 + c**2), 3, 0),
    "a homogeneous law": (lambda a, b, c: c * np.sqrt(a**2 + 0.3 * a * b), 3, 1),
    "nothing to find": (lambda a, b: np.sin(a) + a * np.exp(b), 2, 2),
}


@pytest.mark.parametrize("name", LAWS)
def test_reduced_table_has_the_columns_that_the_law_needs(name):
    law, n_columns, left = LAWS[name]
    X, y = table(law, n_columns)
    reduction = reduce_table(X, y, np.random.default_rng(0))
    assert len(reduction.columns) == left
    assert bool(reduction.steps) == (left < n_columns)


@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_symmetries_are_found_under_noise(noise):
    law, n_columns, left = LAWS["an exponential of a monomial"]
    X, y = table(law, n_columns, noise=noise)
    reduction = reduce_table(X, y, np.random.default_rng(0))
    assert len(reduction.columns) == left


@pytest.mark.parametrize("name", LAWS)
def test_what_the_columns_do_not_tell_does_not_change_the_target(name):
    law, n_columns, _ = LAWS[name]
    X, y = table(law, n_columns)
    reduction = reduce_table(X, y, np.random.default_rng(0))
    Z, t = reduction.apply(X, y)
    if not reduction.columns:
        assert np.ptp(t) <= 1e-9 * np.abs(t).max()
        return
    order = np.argsort(Z[:, 0])
    if Z.shape[1] == 1:  # a smooth function of one column: neighbours differ little
        assert np.abs(np.diff(t[order])).max() < 0.2 * np.ptp(t)


def test_restored_formula_has_the_values_of_factor_times_function():
    X, y = table(lambda a, b, c: a * np.sqrt(b) / c, 3)
    reduction = Reduction(
        columns=(Column.variable(0).times(Column.variable(1), 1, -2), Column.variable(2)),
        factor=Column.variable(2).times(Column.variable(0), Fraction(-1, 2), 4),
        steps=("product", "factor"),
    )
    inner = Expression(("add", "mul", "C", "x0", "sin", "x1"), (2.5,))
    Z, t = reduction.apply(X, y)
    restored = reduction.restore(inner)
    np.testing.assert_allclose(Z[:, 0], X[:, 0] / X[:, 1] ** 2)
    np.testing.assert_allclose(t * X[:, 0] ** 4 / np.sqrt(X[:, 2]), y)
    np.testing.assert_allclose(restored.evaluate(X), inner.evaluate(Z) * X[:, 0] ** 4 / np.sqrt(X[:, 2]))


def test_closed_form_is_the_law_where_no_column_is_left():
    X, y = table(lambda a, b, c: -3.7 * a * b**2 / np.sqrt(c), 3)
    reduction = reduce_table(X, y, np.random.default_rng(0))
    laws = [law for law, _ in closed_forms(reduction, X, y, time.monotonic() + 5.0)]
    for law in laws:
        np.testing.assert_allclose(law.evaluate(X), y, rtol=1e-12)
    assert laws[0].constants == pytest.approx((-3.7,))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_scale_of_the_target_does_not_matter(scale):
    law, n_columns, left = LAWS["a factor and a ratio"]
    X, y = table(law, n_columns)
    assert len(reduce_table(X, scale * y, np.random.default_rng(0)).columns) == left


def test_few_rows_and_constant_targets_are_left_alone():
    X, y = table(lambda a, b: a * b, 2, n_rows=40)
    assert reduce_table(X, y, np.random.default_rng(0)) == Reduction.whole(2)
    X = np.random.default_rng(0).uniform(size=(200, 2))
    assert reduce_table(X, np.ones(200), np.random.default_rng(0)) == Reduction.whole(2)


def test_columns_with_zeros_signs_and_constants_do_no_harm():
    rng = np.random.default_rng(0)
    X = np.column_stack(
        [rng.normal(size=800), rng.integers(-2, 3, 800), np.full(800, 3.0), rng.uniform(1, 2, 800)]
    )
    y = X[:, 0] + X[:, 1] * X[:, 3]
    Z, t = reduce_table(X, y, rng).apply(X, y)
    assert np.isfinite(Z).all()
    assert np.isfinite(t).all()


def test_equal_generators_give_equal_reductions():
    law, n_columns, _ = LAWS["a sum of squares"]
    X, y = table(law, n_columns)
    found = [reduce_table(X, y, np.random.default_rng(5)) for _ in range(2)]
    assert found[0] == found[1]


def test_columns_that_scale_together_lose_one():
    X = np.random.default_rng(0).uniform(1, 4, (2000, 3))
    y = (X[:, 1] + X[:, 2]) / (1 + X[:, 1] * X[:, 2] / X[:, 0] ** 2)
    found = reduce_table(X, y, np.random.default_rng(1))
    assert "homogeneity" in found.steps
    Z, t = found.apply(X, y)
    assert Z.shape[1] == 2
    np.testing.assert_allclose(found.restore(Expression(("x0",))).evaluate(X), Z[:, 0] * y / t)


def test_a_reduction_remembers_what_each_step_started_from():
    X = np.random.default_rng(0).uniform(1, 4, (1000, 3))
    found = reduce_table(X, X[:, 0] * np.sin(X[:, 1] * X[:, 2]), np.random.default_rng(1))
    lengths = []
    while found is not None:
        lengths.append(len(found.steps))
        found = found.before
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] == 0
