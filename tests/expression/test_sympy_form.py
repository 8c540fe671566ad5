from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import Expression, evaluate, from_sympy, parse_infix, to_sympy

from .strategies import N_COLUMNS, expressions

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def _truths() -> list[dict[str, str]]:
    rows = []
    for name in ("feynman_problems.csv", "strogatz_problems.csv"):
        if (DATA / name).exists():
            with (DATA / name).open(newline="") as file:
                rows += list(csv.DictReader(file))
    return rows


def _names_and_table(row: dict[str, str]) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(0)
    if "variables" in row:
        names = row["variables"].split(";")
        lows, highs = ([float(v) for v in row[key].split(";")] for key in ("lows", "highs"))
    else:
        names = row["feature_order"].split()
        lows = [float(row[f"{n}_min"]) for n in names]
        highs = [float(row[f"{n}_max"]) for n in names]
    return names, rng.uniform(lows, highs, size=(200, len(names)))


@pytest.mark.skipif(not DATA.exists(), reason=f"the lists of formulas are not at {DATA}")
def test_every_ground_truth_agrees_with_sympy() -> None:
    rows = _truths()
    assert len(rows) == 133
    for row in rows:
        names, X = _names_and_table(row)
        e = parse_infix(row["formula"], names)
        local = {n: sympy.Symbol(n) for n in names} | {
            "arcsin": sympy.asin,
            "arccos": sympy.acos,
            "ln": sympy.log,
        }
        reference = sympy.lambdify(names, sympy.sympify(row["formula"], locals=local), "numpy")
        values = evaluate(e, X)
        np.testing.assert_allclose(values, reference(*X.T), rtol=1e-9, err_msg=row["dataset"])
        assert np.isfinite(values).all(), row["dataset"]
        assert parse_infix(str(e), names) == e
        back = from_sympy(to_sympy(e), names)
        np.testing.assert_allclose(evaluate(back, X), values, rtol=1e-8, err_msg=row["dataset"])


@given(expressions(max_leaves=6), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_values_agree_with_sympy_where_both_are_finite(e: Expression, seed: int) -> None:
    assume("inv inv" not in " ".join(e.prefix))  # sympy prints an unevaluated 1/(1/x) as 1/1/x
    X = np.random.default_rng(seed).uniform(0.2, 2.5, size=(20, N_COLUMNS))
    symbols = [sympy.Symbol(f"x{i}") for i in range(N_COLUMNS)]
    form = to_sympy(e, evaluate=False)
    with np.errstate(all="ignore"):
        try:
            reference = np.array(sympy.lambdify(symbols, form, "math"), dtype=object)
            expected = np.array([_real(reference.item(), row) for row in X])
        except (ZeroDivisionError, OverflowError, ValueError, TypeError):
            return
        got, nearby = evaluate(e, X), evaluate(e, X * (1 + 1e-13))
        spread = 1e3 * np.abs(got - nearby) + 1e-9 * (1 + np.abs(expected))
        rows = np.isfinite(got) & np.isfinite(expected) & (spread < 1e-3) & (np.abs(expected) < 1e8)
    assert np.all(np.abs(got[rows] - expected[rows]) <= spread[rows])


def _real(function: object, row: np.ndarray) -> float:
    value = function(*row.tolist())  # type: ignore[operator]
    return float(value) if isinstance(value, (int, float)) else np.nan


def test_reading_sympy_writes_short_formulas() -> None:
    x, y = sympy.symbols("x y")
    cases = {
        x**2 / y: "x**2/y",
        1 / sympy.sqrt(x): "1/sqrt(x)",
        x - 2 * y: "x - 2*y",
        -x * y: "-(x*y)",
        sympy.Rational(1, 2) * x: "x/2",
        sympy.exp(-x) + sympy.E: "exp(-x) + exp(1)",
        sympy.Max(x, y, 3): "max(max(3, x), y)",
        sympy.cot(x): "1/tan(x)",
        sympy.Float(2.5) * x ** sympy.Float(1.5): "2.5*x**1.5",
    }
    for form, text in cases.items():
        got = from_sympy(form, ["x", "y"])
        X = np.random.default_rng(0).uniform(1, 2, size=(10, 2))
        np.testing.assert_allclose(evaluate(got, X), evaluate(parse_infix(text, ["x", "y"]), X))
        assert got.complexity <= parse_infix(text, ["x", "y"]).complexity + 1


def test_names_that_sympy_gives_a_meaning_stay_symbols() -> None:
    names = ["I", "E", "beta", "lambda", "my column", "a", "a"]
    e = parse_infix("I*E + beta*lambda - `my column`*`a@6`", names)
    form = to_sympy(e)
    assert {s.name for s in form.free_symbols} == {"I", "E", "beta", "lambda", "my column", "a@6"}


def test_what_no_formula_can_hold_is_refused() -> None:
    x = sympy.Symbol("x")
    for form in (sympy.I * x, sympy.zoo, sympy.gamma(x), sympy.oo, sympy.Symbol("z")):
        with pytest.raises(ExpressionError):
            from_sympy(form, ["x"])
