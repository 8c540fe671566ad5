from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from srbench_ext.errors import ExpressionError
from srbench_ext.registry import create
from srbench_ext.testing import MethodContract

gplearn_functions = pytest.importorskip("gplearn.functions")


class TestGplearnContract(MethodContract):
    method_name = "gplearn"
    parameters: ClassVar = {"population_size": 60, "tournament_size": 5, "n_generations": 3}
    deadline_parameters: ClassVar = {"n_generations": 10_000, "population_size": 200}


def test_programs_and_formulas_agree_where_nothing_is_protected():
    from gplearn.genetic import SymbolicRegressor

    from srbench_ext.methods.gplearn.method import _FUNCTIONS, to_expression

    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, size=(100, 3))
    estimator = SymbolicRegressor(
        population_size=100, generations=2, tournament_size=5, function_set=_FUNCTIONS, random_state=0
    ).fit(X, X[:, 0] * X[:, 1] - np.sin(X[:, 2]))
    total = [p for p in estimator._programs[-1] if "div" not in str(p) and "log" not in str(p)]
    assert len(total) > 10
    for program in total:
        found = to_expression(program.program).evaluate(X)
        np.testing.assert_allclose(found, program.execute(X), rtol=1e-9, atol=1e-9)


def test_divisions_and_logarithms_agree_away_from_zero():
    from gplearn.functions import add2, div2, log1

    from srbench_ext.methods.gplearn.method import to_expression

    X = np.array([[-2.0, 3.0], [4.0, -0.5]])
    expression = to_expression([add2, div2, 0, 1, log1, 0])
    np.testing.assert_allclose(expression.evaluate(X), [-2 / 3 + np.log(2), -8 + np.log(4)])


def test_a_function_without_an_operator_is_refused():
    from srbench_ext.methods.gplearn.method import to_expression

    with pytest.raises(ExpressionError, match="'sig'"):
        to_expression([gplearn_functions.sig1, 0])


def test_an_easy_product_is_found():
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, size=(80, 2))
    y = X[:, 0] * X[:, 1]
    method = create("gplearn", max_seconds=20.0, n_generations=5, population_size=300).fit(X, y)
    assert method.score(X, y) > 1 - 1e-9
    assert method.expression_.complexity == 3
