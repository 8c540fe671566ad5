import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from srbench_ext.search import linear_fallbacks


def test_the_leave_one_out_error_is_that_of_leaving_rows_out():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(15, 3))
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=15)
    (_, plain, _), (_, ridge, _) = linear_fallbacks(X, y)
    left_out = [
        y[i] - LinearRegression().fit(np.delete(X, i, axis=0), np.delete(y, i)).predict(X[i : i + 1])[0]
        for i in range(15)
    ]
    assert plain == pytest.approx(np.mean(np.square(left_out)) / np.var(y))
    assert ridge <= plain * (1 + 1e-6)


def test_the_ridge_formula_is_defined_with_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(8, 10))
    y = X[:, 0] + 0.1 * rng.normal(size=8)
    for law, error, _ in linear_fallbacks(X, y):
        assert np.isfinite(law.evaluate(X)).all()
        assert error > 0


@pytest.mark.parametrize("size", [1e-170, 1e170])
def test_columns_whose_squares_are_no_numbers_are_left_out(size):
    X = np.random.default_rng(0).uniform(1.0, 2.0, (20, 2))
    y = X[:, 0] + X[:, 1]
    assert list(linear_fallbacks(size * X, y)) == []
    laws = [law for law, _, _ in linear_fallbacks(X * [1.0, size], y)]
    assert [law.variables for law in laws] == [(0,), (0,)]


def test_a_column_of_one_value_gets_no_term():
    X = np.column_stack([np.full(30, 0.1), np.linspace(0.0, 1.0, 30)])
    assert [law.variables for law, _, _ in linear_fallbacks(X, X[:, 1])] == [(1,), (1,)]
    assert list(linear_fallbacks(X[:, :1], X[:, 1])) == []
