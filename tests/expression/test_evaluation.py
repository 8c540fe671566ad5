from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench_ext.errors import InputError
from srbench_ext.expression import Expression, compile_prefix, evaluate, parse_infix, why_not_finite

from .strategies import N_COLUMNS, expressions

_NUMPY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "max": np.maximum,
    "min": np.minimum,
    "neg": np.negative,
    "inv": np.reciprocal,
    "pow2": lambda a: a**2,
    "pow3": lambda a: a**3,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "abs": np.abs,
}


def _by_numpy(e: Expression, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values, and whether every intermediate value of the row was finite and far from cancelling."""
    stack: list[np.ndarray] = []
    fine = np.ones(len(X), dtype=bool)
    constants = list(e.constants)
    with np.errstate(all="ignore"):
        for token in reversed(e.prefix):
            if token in _NUMPY:
                arguments = [stack.pop() for _ in range(2 if token in _BINARY else 1)]
                value = _NUMPY[token](*arguments)
            elif token.startswith("x"):
                value = X[:, int(token[1:])]
            else:
                number = constants.pop() if token == "C" else np.pi if token == "pi" else float(token)
                value = np.full(len(X), number)
            fine &= np.isfinite(value) & (np.abs(value) < 1e8)
            stack.append(value)
    return stack[0], fine


_BINARY = ("add", "sub", "mul", "div", "pow", "max", "min")


@given(expressions(), st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_values_agree_with_numpy_node_by_node(e: Expression, seed: int) -> None:
    X = np.random.default_rng(seed).normal(scale=2.0, size=(150, N_COLUMNS))
    expected, fine = _by_numpy(e, X)
    got = evaluate(e, X)
    # each row's error is measured against how much the formula amplifies a change in the last digit
    nearby, also = _by_numpy(e, X * (1 + 1e-13))
    with np.errstate(all="ignore"):
        spread = 100 * np.abs(nearby - expected) + 1e-10 * (1 + np.abs(expected))
    rows = fine & also & (spread < 1e-3)
    assert np.all(np.abs(got[rows] - expected[rows]) <= spread[rows])


@given(expressions(), st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_jacobian_agrees_with_finite_differences(e: Expression, seed: int) -> None:
    X = np.random.default_rng(seed).normal(scale=2.0, size=(40, N_COLUMNS))
    program = compile_prefix(e.prefix)
    values, jacobian = program.evaluate_with_jacobian(X, e.constants)
    np.testing.assert_array_equal(values, program.evaluate(X, e.constants))
    for k, c in enumerate(e.constants):
        with np.errstate(all="ignore"):
            estimate, trusted = _central_difference(e, X, k, 1e-6 * max(1.0, abs(c)))
            trusted &= np.abs(values) < 1e4 * np.abs(estimate)
        np.testing.assert_allclose(jacobian[trusted, k], estimate[trusted], rtol=1e-3)


def _central_difference(e: Expression, X: np.ndarray, k: int, h: float) -> tuple[np.ndarray, np.ndarray]:
    """Derivative by constant k, and where both sides and another step width agree on it."""

    def value(step: float) -> np.ndarray:
        moved = list(e.constants)
        moved[k] += step
        return evaluate(e.with_constants(moved), X)

    central, wide = (value(h) - value(-h)) / (2 * h), (value(10 * h) - value(-10 * h)) / (20 * h)
    sides = (value(h) - value(0)) / h, (value(0) - value(-h)) / h
    trusted = np.isfinite(central) & (np.abs(central) < 1e6) & (np.abs(central) > 0)
    trusted &= np.abs(central - wide) <= 1e-5 * np.abs(central)
    trusted &= np.abs(sides[0] - sides[1]) <= 1e-2 * np.abs(central)
    return central, trusted


@pytest.mark.parametrize(
    ("text", "x", "value"),
    [
        ("1/x0", 0.0, np.nan),
        ("2/x0", 0.0, np.nan),
        ("x0**(-1)", 0.0, np.nan),
        ("x0**(-1.5)", 0.0, np.nan),
        ("log(x0)", 0.0, np.nan),
        ("log(x0)", -1.0, np.nan),
        ("sqrt(x0)", -1.0, np.nan),
        ("x0**0.5", -1.0, np.nan),
        ("asin(x0)", 1.5, np.nan),
        ("acos(x0)", -1.5, np.nan),
        ("x0**(0)", np.nan, np.nan),
        ("max(x0, 1)", np.nan, np.nan),
        ("min(1, x0)", np.nan, np.nan),
        ("exp(x0)", 1000.0, np.inf),
        ("exp(x0)", -1000.0, 0.0),
        ("x0**2", 1e200, np.inf),
        ("1/exp(x0)", 1000.0, 0.0),
        ("abs(x0)", -2.0, 2.0),
        ("x0**(5)", -2.0, -32.0),
        ("x0**(-2)", -2.0, 0.25),
        ("x0**3.0", -2.0, -8.0),
        ("x0**(0)", 0.0, 1.0),
    ],
)
def test_edge_of_the_domain(text: str, x: float, value: float) -> None:
    np.testing.assert_allclose(evaluate(parse_infix(text), [[x]]), [value], rtol=1e-15)


def test_evaluation_warns_never_and_leaves_its_input_alone() -> None:
    X = np.asfortranarray(np.random.default_rng(0).normal(size=(300, 3)))
    X.flags.writeable = False
    before = X.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in ("sqrt(x0) + x0", "exp(exp(exp(9*x1)))/0", "log(x2 - x2)", "x1"):
            values = evaluate(parse_infix(text), X)
            values += 1.0
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("n", [0, 1, 127, 128, 129, 1000])
def test_any_number_of_rows(n: int) -> None:
    X = np.random.default_rng(n).normal(size=(n, 2))
    np.testing.assert_allclose(evaluate(parse_infix("x0*x1 + 1"), X), X[:, 0] * X[:, 1] + 1)


def test_every_memory_layout_gives_the_same_values() -> None:
    X = np.random.default_rng(0).normal(size=(50, 4))
    e = parse_infix("x0 + 2*x3")
    expected = evaluate(e, X)
    wide = np.zeros((100, 8))
    wide[::2, ::2] = X
    for same in (np.asfortranarray(X), wide[::2, ::2], X.tolist(), X.astype(object)):
        np.testing.assert_array_equal(evaluate(e, same), expected)


def test_bad_tables_are_refused() -> None:
    e = parse_infix("x2")
    with pytest.raises(InputError, match="two dimensions"):
        evaluate(e, np.zeros(3))
    with pytest.raises(InputError, match="column x2 but X has 2"):
        evaluate(e, np.zeros((3, 2)))
    with pytest.raises(InputError, match="table of numbers"):
        evaluate(e, [["a", "b", "c"]])
    with pytest.raises(InputError, match="2 constants"):
        compile_prefix(("add", "C", "C")).evaluate(np.zeros((3, 0)), [1.0])


def test_reasons_are_counted() -> None:
    X = np.array([[0.0, 1.0], [-1.0, 1.0], [1.0, 1000.0], [1.0, 1.0], [np.nan, 1.0]])
    assert why_not_finite(parse_infix("1/x0 + exp(x1)"), X) == {
        "division by zero": 1,
        "overflow in exp": 1,
        "input is not finite": 1,
    }
    assert why_not_finite(parse_infix("log(x0)"), X[:2]) == {"log of a number that is not positive": 2}
    assert not why_not_finite(parse_infix("1/exp(x1)"), X)


def test_programs_are_equal_by_prefix() -> None:
    a, b = compile_prefix(["sin", "x0"]), compile_prefix(("sin", "x0"))
    assert a == b
    assert hash(a) == hash(b)
    assert a != compile_prefix(["cos", "x0"])
