from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench_ext.expression import Expression, evaluate, parse_infix, simplify
from srbench_ext.expression.simplification import same_values

from .strategies import N_COLUMNS, expressions


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("x0 + x0", "2*x0"),
        ("x0*1 + 0", "x0"),
        ("x0*x0", "x0**2"),
        ("x0 + (-x1)", "x0 - x1"),
        ("-(x0 - x1)*x2", "(x1 - x0)*x2"),
        ("2.5*x0*1.5", "3.75*x0"),
        ("1.5*(x0 + 2.5)*2", "3.0*(2.5 + x0)"),
        ("1*x0/(1*x1)", "x0/x1"),
        ("--x0", "x0"),
        ("1/(1/x0)", "x0"),
        ("exp(0.5 + 0.5)*x0", "2.718281828459045*x0"),
        ("x0*x1/x1", "x0"),
        ("sin(-x0)", "-sin(x0)"),
        ("x0**2*x1**2", "(x0*x1)**2"),
        ("x0*0 + x1", "x1"),
        ("x0**2.0 + 1", "1 + x0**2"),
        ("x0**3.0", "x0**3"),
        ("sqrt(x0)*0 + x1", "sqrt(x0)*0 + x1"),
    ],
)
def test_formulas_become_shorter(text: str, short: str) -> None:
    got = simplify(parse_infix(text))
    assert got.complexity <= parse_infix(short).complexity
    assert same_values(got, parse_infix(short))


@given(expressions(), st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_values_are_kept_and_nothing_grows(e: Expression, seed: int) -> None:
    short = simplify(e)
    assert short.complexity <= e.complexity
    assert simplify(short).complexity <= short.complexity
    X = np.random.default_rng(seed).uniform(0.3, 2.5, size=(40, N_COLUMNS))
    a, b, nearby = evaluate(e, X), evaluate(short, X), evaluate(e, X * (1 + 1e-13))
    rows = np.isfinite(a) & np.isfinite(nearby) & (np.abs(a) < 1e8)
    spread = 1e3 * np.abs(nearby[rows] - a[rows]) + 1e-7 * (1 + np.abs(a[rows]))
    assert np.all(np.abs(a[rows] - b[rows])[spread < 1e-2] <= spread[spread < 1e-2])


def test_names_are_kept() -> None:
    e = parse_infix("mass*1", ["mass"])
    assert str(simplify(e)) == "mass"


def test_formulas_that_are_finite_nowhere_stay() -> None:
    e = parse_infix("log(-exp(x0))*1*1")
    assert simplify(e) == e
