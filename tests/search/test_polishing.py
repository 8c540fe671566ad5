from __future__ import annotations

import math
import time

import numpy as np
import pytest

from srbench_ext.expression import Expression, evaluate, parse_infix, simplify
from srbench_ext.search import polishing
from srbench_ext.search.polishing import polished


def _rows(e: Expression, seed: int = 0) -> np.ndarray:
    """Rows on which the columns are positive and the first is the largest."""
    X = np.random.default_rng(seed).uniform(1.0, 3.0, (200, e.variables[-1] + 1))
    X[:, 0] += 3.0
    return X


def _polished(e: Expression, X: np.ndarray) -> list[Expression]:
    return polished(e, X, evaluate(e, X), time.monotonic() + 60.0, max_states=100)


@pytest.mark.parametrize(
    ("written", "complexity"),
    [
        ("sqrt((x1**2 + x2**2)*x0**2)", 8),
        ("sqrt((x0/(x0 + x1) + x0/(x0 - x1))*x2**2)*0.7071067811865475", 9),
        ("sqrt(x0**2 - x1**2)*(x2*x3)/(x0 - x1**2/x0)", 11),
        ("exp((log(39.47841760435743/((x1 + x2)*x0)) + log(x3))*0.5)*x3", 11),
        ("x3/(sqrt((x0*x1)**2)*x1)", 6),
        ("x0 + sin(x1 + 20.420352248333657)*(x2*x0)", 8),
        ("cos(4.71238898038469 - 2*x1)*x2", 7),
        ("0.5 - 0.5*cos(x0*12.566370614359172/x1)", 7),
        ("-0.5 + 0.5/tanh(x1*0.5/x2)", 7),
        ("(1 - tanh(log(2*x0 - 1)*0.5))*x1", 3),
        ("sin(x1)*cos(x1)*2", 4),
        ("log(x0) - log(x1) + x2", 6),
        ("x2*(-log(x0/x1))", 6),
        ("sqrt(x0)*sqrt(x0)*x1/sqrt(x1)", 4),
        ("(x1**2 + 2*x1*x2 + x2**2)/(x1 + x2)", 3),
        ("sin(x1)**2*x0 + cos(x1)**2*x0", 1),
        ("(exp(x1) - exp(-x1))/(exp(x1) + exp(-x1))", 2),
    ],
)
def test_long_writings_become_short(written: str, complexity: int) -> None:
    e = parse_infix(written)
    X = _rows(e)
    best = _polished(e, X)[0]
    assert best.complexity <= complexity
    np.testing.assert_allclose(evaluate(best, X), evaluate(e, X), rtol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_values_stay_and_nothing_becomes_longer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = ["x0", "x1", "x2", "sqrt(x0**2*x1)", "exp(log(x1)/2)", "1/(x0 + x1)", "tanh(x2)", "cos(x1)**2"]
    for _ in range(3):
        a, b, c = rng.choice(parts, 3)
        e = parse_infix(f"({a} {rng.choice(list('+-*/'))} {b})*{c} + {rng.choice(parts)}").with_names(None)
        if not e.variables:
            continue
        X, fresh = _rows(e), _rows(e, seed + 100)
        for other in _polished(e, X):
            assert (other.complexity, other.n_constants) < (e.complexity, e.n_constants)
            np.testing.assert_allclose(evaluate(other, fresh), evaluate(e, fresh), rtol=1e-8, atol=1e-11)


def test_a_column_that_changes_sign_keeps_its_size() -> None:
    e = parse_infix("sqrt((x1 + 1)*x0**2)")
    X = _rows(e)
    assert str(_polished(e, X)[0]) in ("x0*sqrt(1 + x1)", "x0*sqrt(x1 + 1)", "sqrt(1 + x1)*x0")
    X[::2, 0] *= -1.0
    for other in _polished(e, X):
        assert "abs" in other.prefix
    X[:, 0] = -np.abs(X[:, 0])
    for other in _polished(e, X):
        np.testing.assert_allclose(evaluate(other, X), evaluate(e, X), rtol=1e-12)


@pytest.mark.parametrize("text", ["x0", "x0*x1 + 2.5", "1 + x0/(1 - x1)", "sin(x0)", "2.5"])
def test_what_is_short_already_is_left_alone(text: str) -> None:
    e = parse_infix(text)
    X = np.random.default_rng(0).uniform(1.0, 3.0, (50, 2))
    assert _polished(e, X) == []


def test_values_that_are_not_finite_everywhere_are_left_alone() -> None:
    e = parse_infix("sqrt((x0 - 4.5)**2*x1)*log(x0 - 4.5)")
    assert _polished(e, _rows(e)) == []


def test_nothing_is_tried_after_the_deadline() -> None:
    e = parse_infix("sqrt((x1**2 + x2**2)*x0**2)")
    X = _rows(e)
    assert polished(e, X, evaluate(e, X), time.monotonic() - 1.0) == []


def test_inputs_are_not_written_and_names_stay() -> None:
    e = parse_infix("sqrt((a**2 + b**2)*c**2)", ["a", "b", "c"])
    X = _rows(e)
    y = evaluate(e, X)
    before = X.copy(), y.copy()
    assert polished(e, X, y, time.monotonic() + 60.0)[0].names == ("a", "b", "c")
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_constants_stay_exact() -> None:
    e = parse_infix("sqrt(x0*x1**2*2)*exp(log(x2)*1.5)*0.07957747154594767")
    X = _rows(e)
    best = _polished(e, X)[0]
    np.testing.assert_allclose(evaluate(best, X), evaluate(e, X), rtol=1e-14)
    assert best.complexity < simplify(e).complexity
    assert all(math.isfinite(c) for c in best.constants)


def test_the_sign_of_what_is_too_long_to_read_is_not_used(monkeypatch):
    X = np.random.default_rng(0).uniform(1.0, 2.0, (50, 2))
    law = Expression(("sqrt", "pow2", "add", "x0", "x1"))
    (shorter, *_) = polished(law, X, law.evaluate(X), time.monotonic() + 60.0)
    assert shorter.prefix == ("add", "x0", "x1")
    monkeypatch.setattr(polishing, "_SIGNED", 0)
    polished(law, X, law.evaluate(X), time.monotonic() + 60.0)  # ends, whatever it finds
