from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import (
    Expression,
    canonical_key,
    canonical_skeleton_key,
    compile_prefix,
    parse_infix,
)
from srbench_ext.expression.canonical import canonical_form
from srbench_ext.expression.core import subtree_end
from srbench_ext.expression.operators import OPERATORS, is_variable

from .strategies import N_COLUMNS, expressions


def _key(text: str) -> bytes:
    return canonical_key(parse_infix(text).prefix)


@pytest.mark.parametrize(
    "same",
    [
        ("x0*x1 + x2", "x2 + x1*x0"),
        ("2*(x0 + x1)", "2*x0 + 2*x1", "x0 + x1 + x0 + x1"),
        ("(x0 - x1)**2", "(x1 - x0)**2"),
        ("sin(x1 - x0)", "-sin(x0 - x1)"),
        ("cos(x1 - x0)", "cos(x0 - x1)"),
        ("x0/x1/x2", "x0/(x1*x2)", "x0*(1/x2)/x1"),
        ("x0*x0*x0", "x0**3", "x0**2*x0", "x0**(3)"),
        ("exp(-(x0/x1)**2/2)", "exp(-x0**2/(2*x1**2))"),
        ("max(x0, max(x1, x2))", "max(x2, x1, x0)"),
        ("1.5*x0 + 2.5*x1*x2", "x1*0.5*x2 + x0*0.1"),
        ("x0**(1/2)", "sqrt(x0)"),
        ("x0/x0", "1"),
    ],
)
def test_same_by_the_rules_of_arithmetic(same: tuple[str, ...]) -> None:
    assert len({_key(text) for text in same}) == 1


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("x0 - x1", "x1 - x0"),
        ("sqrt(x0)**2", "x0"),
        ("sqrt(x0**2)", "x0"),
        ("log(x0) - log(x0)", "0*x0"),
        ("sqrt(x0)/sqrt(x0)", "1"),
        ("1.5*x0 + 2.5*x0", "1.5*x0"),
        ("x0**2", "x0**3"),
        ("1/(x0 - x0)", "0*x0"),
        ("exp(log(x0))", "x0"),
    ],
)
def test_different_values_have_different_keys(a: str, b: str) -> None:
    assert _key(a) != _key(b)


def test_values_of_constants_count_when_given() -> None:
    a, b, c = (parse_infix(t) for t in ("2.5*x0*2", "x0*5.0", "x0*5.5"))
    assert canonical_key(a.prefix, a.constants) == canonical_key(b.prefix, b.constants)
    assert canonical_key(b.prefix, b.constants) != canonical_key(c.prefix, c.constants)


def _shuffled(e: Expression, rng: np.random.Generator) -> tuple[list[str], list[float]]:
    """Swap operands at random and rewrite some operators, keeping the values."""

    def walk(start: int, first: int) -> tuple[list[str], list[float]]:
        token = e.prefix[start]
        if token not in OPERATORS:
            return [token], [e.constants[first]] if token == "C" else []
        a, ca = walk(start + 1, first)
        if OPERATORS[token].arity == 1:
            if token == "inv" and rng.random() < 0.5:
                return ["div", "1", *a], ca
            if token == "pow2" and rng.random() < 0.5:
                return ["pow", *a, "2"], ca
            return [token, *a], ca
        right = subtree_end(e.prefix, start + 1)
        b, cb = walk(right, first + e.prefix[start:right].count("C"))
        if OPERATORS[token].commutative and rng.random() < 0.5:
            a, b, ca, cb = b, a, cb, ca
        if token == "sub" and rng.random() < 0.5:
            return ["add", "neg", *b, *a], [*cb, *ca]
        return [token, *a, *b], [*ca, *cb]

    return walk(0, 0)


@given(expressions(), st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_equal_keys_mean_equal_values(e: Expression, seed: int) -> None:
    rng = np.random.default_rng(seed)
    prefix, constants = _shuffled(e, rng)
    other = Expression(tuple(prefix), tuple(constants))
    text_a, order_a = canonical_form(e.prefix)
    text_b, order_b = canonical_form(other.prefix)
    assert sorted(order_a) == sorted(set(order_a))
    if text_a != text_b:
        return
    X = rng.uniform(0.3, 2.0, size=(30, N_COLUMNS))
    values = rng.normal(size=len(e.constants))
    matched = values.copy()
    matched[list(order_b)] = values[list(order_a)]
    a = compile_prefix(e.prefix).evaluate(X, values)
    b = compile_prefix(other.prefix).evaluate(X, matched)
    nearby = compile_prefix(e.prefix).evaluate(X * (1 + 1e-13), values)
    both = np.isfinite(a) & np.isfinite(b) & np.isfinite(nearby)
    spread = 1e3 * np.abs(nearby[both] - a[both]) + 1e-9 * (1 + np.abs(a[both]))
    assert np.all(np.abs(a[both] - b[both]) <= spread)


def test_rewriting_is_seen_through_nearly_always() -> None:
    rng = np.random.default_rng(0)
    e = parse_infix("2.5*x0*exp(-x1**2/(2*x2**2)) - sin(x0*x1)/(x2 + x1) + 1/sqrt(x0**2 + x1**2)")
    for _ in range(50):
        prefix, _constants = _shuffled(e, rng)
        assert canonical_key(prefix) == canonical_key(e.prefix)


def test_skeleton_key_forgets_numbers_signs_and_names() -> None:
    def key(text: str, rename: bool = True) -> bytes:
        return canonical_skeleton_key(parse_infix(text).prefix, rename)

    assert key("2*x0*x1 + x2") == key("x1 - x0*x2/3.5 + 7.0")
    assert key("x0**2/x1") == key("4*pi*x1**2/x0")
    assert key("x0**2/x1 + x1") != key("x0/x1**2 + x1")
    assert key("exp(-x0)") == key("3.0**x0")
    assert key("sin(x0)") != key("cos(x0)")
    assert key("x0 + x1", rename=False) != key("x0 + x2", rename=False)
    assert key("2*x0 + x1", rename=False) == key("x1 - x0", rename=False)
    assert key("3.0") == key("5")


@given(expressions(max_leaves=8), st.permutations(range(N_COLUMNS)))
@settings(max_examples=150, deadline=None)
def test_skeleton_key_does_not_depend_on_names(e: Expression, order: list[int]) -> None:
    renamed = tuple(f"x{order[int(t[1:])]}" if is_variable(t) else t for t in e.prefix)
    assert canonical_skeleton_key(e.prefix) == canonical_skeleton_key(renamed)


def test_what_is_no_formula_is_refused() -> None:
    with pytest.raises(ExpressionError, match="lacks"):
        canonical_key(("add", "x0"))
