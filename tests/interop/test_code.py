"""The code of a formula gives the values of the formula."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from srbench_ext.expression import Expression, parse_infix
from srbench_ext.expression.operators import BINARY, OPERATORS, UNARY
from srbench_ext.interop.code import as_latex, as_python, as_sympy

FORMULAS = [
    "2.5*speed**2/sin(beta) + max(speed, beta) - log(abs(beta))*pi + 1/3",
    "speed - (beta - 2) - (speed + beta)",
    "speed/(beta/speed)/2",
    "-(speed + 1)**2 + (-speed)**2",
    "(-2.0)**2*speed",
    "1/(1/(speed*beta))",
    "(speed**beta)**0.5",
    "speed**(beta**2)",
    "exp(-speed**2/(2*beta**2))/sqrt(2*pi*beta**2)",
    "-3*speed - -2*beta",
    "0.1 + 1e-300*speed + 123456789.123456789*beta",
]
X = np.random.default_rng(0).uniform(0.2, 0.9, size=(20, 2))


def run_python(text, columns):
    scope = {}
    exec(text, scope)
    return scope["predict"](*columns)


def run_sympy(text):
    scope = {}
    exec(text, scope)
    return scope["formula"]


def one_of_each():
    for token in OPERATORS:
        yield Expression((token, *("x0", "x1")[: 2 if token in BINARY else 1]), (), ("speed", "beta"))
        for inner in UNARY:
            yield Expression(
                (token, inner, "x0", *(["x1"] if token in BINARY else [])), (), ("speed", "beta")
            )
        if token in BINARY:
            for inner in BINARY:
                yield Expression((token, "x0", inner, "x1", "x0"), (), ("speed", "beta"))
                yield Expression((token, inner, "x0", "x1", "x0"), (), ("speed", "beta"))


@pytest.mark.parametrize("formula", FORMULAS)
def test_python_and_sympy_give_the_formulas_values(formula):
    expression = parse_infix(formula, names=["speed", "beta"])
    expected = expression.evaluate(X)
    used = [X[:, i] for i in expression.variables]
    np.testing.assert_allclose(run_python(as_python(expression), used), expected, rtol=1e-13)
    value = run_sympy(as_sympy(expression))
    symbols = {"speed": X[0, 0], "beta": X[0, 1]}
    assert float(value.subs(symbols)) == pytest.approx(expected[0], rel=1e-12)


def test_every_operator_and_every_pair_of_them_keeps_its_values():
    for expression in one_of_each():
        expected = expression.evaluate(X)
        used = [X[:, i] for i in expression.variables]
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(run_python(as_python(expression), used), expected, rtol=1e-9)


def test_names_that_are_no_identifiers_are_explained():
    expression = parse_infix("`two words`*lambda + np", names=["two words", "lambda", "np"])
    code = as_python(expression, "it's")
    assert "def predict(x0, x1, x2):" in code
    assert "x0 is 'two words', x1 is 'lambda', x2 is 'np'" in code
    assert run_python(code, [2.0, 3.0, 4.0]) == 10
    assert run_sympy(as_sympy(expression)).free_symbols == {
        sympy.Symbol(n) for n in ("two words", "lambda", "np")
    }


def test_only_the_columns_of_the_formula_are_arguments():
    assert "def predict(c):" in as_python(parse_infix("c + 1", names=["a", "b", "c"]))


def test_a_constant_has_the_length_of_its_columns():
    code = as_python(Expression(("C",), (2.5,), ("a", "b")))
    np.testing.assert_array_equal(run_python(code, [X[:, 0], X[:, 1]]), np.full(20, 2.5))


def test_latex_has_no_python_in_it():
    assert "**" not in as_latex(parse_infix("x0**2/x1"))
