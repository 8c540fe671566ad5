from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import Expression, canonical_key, compile_prefix, parse_infix
from srbench_ext.expression.fingerprint import fingerprint
from srbench_ext.expression.operators import BINARY, OPERATORS, UNARY

from .strategies import N_COLUMNS, expressions

LEAVES = ("x0", "x1", "x2", "C", "pi", "-1", "0", "1", "2", "3")


def _key(text: str) -> bytes | None:
    return fingerprint(parse_infix(text).prefix)


@pytest.mark.parametrize(
    "same",
    [
        ("(x0 + x1)**2", "x0**2 + 2*x0*x1 + x1**2"),
        ("(x0 + x1)*(x0 - x1)", "x0**2 - x1**2"),
        ("x0/x1 + x2/x1", "(x0 + x2)/x1"),
        ("1/(1/x0 + 1/x1)", "x0*x1/(x0 + x1)"),
        ("1.5*x0 + 2.5*x1 + 3.5", "0.1 + x1*0.2 + 0.3*x0"),
        ("x0*(1.5*x1 + 0.5*x2)", "0.2*x0*x2 + x1*x0*0.3"),
        ("sin(x0*(x1 - x2))", "-sin(x0*x2 - x1*x0)"),
        ("exp(1.5*x0) - exp(2.5*x0)", "exp(0.5*x0) - exp(x0*0.7)"),
        ("x0**64*x0**36", "(x0**10)**10"),
    ],
)
def test_same_by_arithmetic(same: tuple[str, ...]) -> None:
    keys = {_key(text) for text in same}
    assert len(keys) == 1
    assert None not in keys


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1.5*x0 - 2.5*x0", "0*x0"),
        ("1.5*x0 - 2.5*x1", "1.5*x0 + 2.5*x1"),
        ("1.5/x0 + 2.5", "1.5*x0 + 2.5"),
        ("log(x0) - log(x0)", "0*x0"),
        ("log(x0) - log(x0)", "log(x1) - log(x1)"),
        ("cos(x0)", "sin(x0)"),
        ("max(x0, x1)", "min(x0, x1)"),
        ("x0**1.5", "x0**x1"),
        ("abs(x0)", "x0"),
    ],
)
def test_different_values_have_different_fingerprints(a: str, b: str) -> None:
    assert _key(a) != _key(b)


@pytest.mark.parametrize("text", ["x0/(x1 - x1)", "(1.5 - 2.5)**2", "max(1.5, x0)", "1/(1.5 - 2.5)"])
def test_what_cannot_be_told_apart_has_none_but_has_a_key(text: str) -> None:
    assert _key(text) is None
    assert len(canonical_key(parse_infix(text).prefix)) == 16


def test_what_is_no_formula_has_none() -> None:
    assert fingerprint(("add", "x0")) is None
    assert fingerprint(("x0", "x0")) is None
    assert fingerprint(()) is None
    with pytest.raises(ExpressionError, match="Unknown token"):
        fingerprint(("add", "x0", "foo"))


def _mutant(prefix: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
    """Replace one token by another with as many operands, or swap nothing."""
    position = int(rng.integers(len(prefix)))
    token = prefix[position]
    kinds = LEAVES if token not in OPERATORS else UNARY if OPERATORS[token].arity == 1 else BINARY
    return (*prefix[:position], str(rng.choice(kinds)), *prefix[position + 1 :])


@given(expressions(max_leaves=6), st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_equal_fingerprints_mean_equal_values_in_some_order_of_the_constants(
    e: Expression, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    key, other = fingerprint(e.prefix), _mutant(e.prefix, rng)
    if key is None or fingerprint(other) != key:
        return
    k = e.n_constants
    assert other.count("C") == k
    X = rng.uniform(0.3, 2.0, size=(20, N_COLUMNS))
    values = rng.normal(size=k)
    a = compile_prefix(e.prefix).evaluate(X, values)
    nearby = compile_prefix(e.prefix).evaluate(X * (1 + 1e-13), values)

    def agrees(order: tuple[int, ...]) -> bool:
        b = compile_prefix(other).evaluate(X, values[list(order)])
        both = np.isfinite(a) & np.isfinite(b) & np.isfinite(nearby)
        spread = 1e3 * np.abs(nearby[both] - a[both]) + 1e-9 * (1 + np.abs(a[both]))
        return bool(np.all(np.abs(a[both] - b[both]) <= spread))

    assert any(agrees(order) for order in itertools.permutations(range(k)))
