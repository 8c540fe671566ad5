import time

import numpy as np
import pytest

from srbench_ext.expression import Expression
from srbench_ext.search import cross_validated


@pytest.fixture
def noisy():
    draw = np.random.default_rng(0)
    X = draw.normal(size=(30, 3))
    return X, X[:, 0] + draw.normal(size=30)


def linear(columns):
    tokens = ["add"] * (len(columns) - 1)
    for column in columns:
        tokens += ["mul", "C", f"x{column}"]
    return Expression(tuple(tokens), (1.0,) * len(columns))


def test_it_is_the_error_of_folds_fitted_without_their_rows(noisy):
    X, y = noisy
    total = 0.0
    for fold in range(5):
        kept = np.arange(30) % 5 == fold
        matrix = np.column_stack([np.ones(30), X])
        solution = np.linalg.lstsq(matrix[~kept], y[~kept], rcond=None)[0]
        total += float(((matrix[kept] @ solution - y[kept]) ** 2).sum())
    assert cross_validated(linear([0, 1, 2]), X, y, folds=5) == pytest.approx(total / 30, rel=1e-6)


def test_constants_that_fit_noise_cost(noisy):
    X, y = noisy
    matrix = np.column_stack([np.ones(30), X])
    fitted = np.mean((matrix @ np.linalg.lstsq(matrix, y, rcond=None)[0] - y) ** 2)
    error = cross_validated(linear([0, 1, 2]), X, y)
    assert error is not None
    assert error > 1.1 * fitted


def test_an_exact_law_stays_exact():
    X = np.random.default_rng(0).uniform(1, 2, (40, 2))
    error = cross_validated(Expression(("mul", "x0", "exp", "x1"), ()), X, 3.0 * X[:, 0] * np.exp(X[:, 1]))
    assert error is not None
    assert error < 1e-20


def test_a_pole_on_a_row_is_infinite():
    X = np.linspace(-1, 1, 21)[:, None]
    assert cross_validated(Expression(("inv", "x0"), ()), X, X[:, 0]) == np.inf


def test_no_error_is_told_when_the_time_is_up(noisy):
    assert cross_validated(linear([0]), *noisy, deadline=time.monotonic() - 1) is None
