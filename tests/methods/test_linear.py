from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.registry import create
from srbench_ext.testing import MethodContract


class TestLinearContract(MethodContract):
    method_name = "linear"


def test_a_linear_law_is_found_exactly():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    method = create("linear").fit(X, 2 * X[:, 0] - 3 * X[:, 2] + 7)
    np.testing.assert_allclose(method.predict(X), 2 * X[:, 0] - 3 * X[:, 2] + 7, atol=1e-12)


def test_a_column_that_does_not_vary_gets_no_term():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=30), np.full(30, 4.0)])
    method = create("linear").fit(X, 2 * X[:, 0] + 1)
    assert method.expression_.variables == (0,)


def test_ridge_wins_nothing_but_is_tried_and_its_penalty_noted():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 5))
    method = create("linear").fit(X, X[:, 0] + rng.normal(size=20))
    assert method.result_.counts["candidates"] == 2
    assert 1e-4 <= method.result_.notes["ridge_alpha"] <= 1e4


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_scale_of_the_target_does_not_matter(scale):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2))
    y = scale * (X[:, 0] - X[:, 1])
    assert create("linear").fit(X, y).score(X, y) > 1 - 1e-12
