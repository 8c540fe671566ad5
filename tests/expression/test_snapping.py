from __future__ import annotations

import math
import time

import numpy as np
import pytest

from srbench_ext.expression import evaluate, fit_constants, parse_infix, snap_constants
from srbench_ext.expression.snapping import EXACT_NUMBER, plain_number


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    return np.random.default_rng(0).uniform(1, 3, size=(200, 3))


@pytest.mark.parametrize(
    ("fitted", "truth"),
    [
        ("2.0000000001*x0 + 2.9999999999*x1", "2*x0 + 3*x1"),
        ("x0*0.99999999999 + 1.0e-11", "x0"),
        ("3.14159265358*x0**2.0000000001", "pi*x0**2"),
        ("exp(-0.49999999999*x0**2)", "exp(-x0**2/2)"),
        ("1.41421356237*sin(x1)", "sqrt(2)*sin(x1)"),
        ("12.5663706143*x0", "4*pi*x0"),
        ("0.33333333333*x0*x1", "x0*x1/3"),
        ("0.0795774715459*x0/x1", "x0/(4*pi*x1)"),
    ],
)
def test_plain_numbers_are_found(fitted: str, truth: str, table: np.ndarray) -> None:
    e, y = parse_infix(fitted), evaluate(parse_infix(truth), table)
    snapped = snap_constants(e, table, y)
    assert snapped.complexity <= e.complexity
    np.testing.assert_allclose(evaluate(snapped, table), y, rtol=1e-14)
    for c in snapped.constants:
        plain = (c * 12, c * 12 / math.pi, c * 12 * math.pi, c**2)
        assert any(abs(v - round(v)) < 1e-12 * abs(v) for v in plain)


@pytest.mark.parametrize(
    ("fitted", "truth"),
    [
        ("sin(x0 + 14.13716694116)*x1", "cos(x0)*x1"),
        ("cos(x0 - 1.57079632679)*x1", "sin(x0)*x1"),
        ("cos(x0 + 1.0 + 5.28318530718)*x1", "cos(x0)*x1"),
    ],
)
def test_phases_of_quarter_turns_vanish(fitted: str, truth: str, table: np.ndarray) -> None:
    y = evaluate(parse_infix(truth), table)
    snapped = snap_constants(parse_infix(fitted), table, y)
    assert snapped.complexity == parse_infix(truth).complexity
    np.testing.assert_allclose(evaluate(snapped, table), y, rtol=1e-12)


@pytest.mark.parametrize("number", ["4*pi**2", "13*pi/7", "1/sqrt(2*pi)", "29*pi/2", "11/(24*pi)"])
def test_rarer_numbers_are_found_where_the_fit_is_exact(number: str, table: np.ndarray) -> None:
    value = float(evaluate(parse_infix(f"{number} + 0*x0"), table)[0])
    y = evaluate(parse_infix(f"x0/(x1 + {value!r})"), table)
    snapped = snap_constants(parse_infix(f"x0/(x1 + {value * (1 + 1e-13)!r})"), table, y)
    assert plain_number(snapped.constants[0], EXACT_NUMBER) is not None
    assert snapped.constants[0] == pytest.approx(value, rel=1e-15)


def test_numbers_that_are_not_plain_stay(table: np.ndarray) -> None:
    e = parse_infix("2.0001*x0 + 1.73*x1")
    y = evaluate(e, table)
    snapped = snap_constants(e, table, y)
    np.testing.assert_allclose(evaluate(snapped, table), y, rtol=1e-12)
    assert snapped.n_constants == 2


def test_noise_widens_what_is_allowed(table: np.ndarray) -> None:
    truth = evaluate(parse_infix("2*x0*x1"), table)
    y = truth + np.random.default_rng(1).normal(scale=0.1 * truth.std(), size=200)
    snapped = snap_constants(parse_infix("2.007*x0*x1"), table, y)
    assert snapped.prefix.count("2") == 1
    assert snapped.n_constants == 0
    strict = snap_constants(parse_infix("2.007*x0*x1"), table, truth * 2.007 / 2, tolerance=0.0)
    assert strict.n_constants == 1


@pytest.mark.parametrize("unit", [1e-30, 1e30])
def test_the_unit_does_not_matter(unit: float, table: np.ndarray) -> None:
    y = evaluate(parse_infix("x0*(x1 + 2)"), table) * unit
    e = parse_infix(f"{unit!r}*x0*(x1 + 2.00000000001)")
    assert "2" in snap_constants(e, table, y).prefix


def test_inputs_are_not_written(table: np.ndarray) -> None:
    y = table[:, 0] * 2
    before = table.copy(), y.copy()
    snap_constants(parse_infix("2.0000001*x0"), table, y)
    np.testing.assert_array_equal(table, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize(
    "fitted",
    [
        "sin(x1)*x0 + (-1.9e-15)*sqrt(x0) + 0.9999999999999999*x1**2",
        "(x1**2*2.1101359963002104 + (-1.9e-15/x1) - (x1**3 - (x0 - sqrt(x0))*0.28)*4.2e-16)"
        "*0.47390310470668356 + sin(x1)*x0",
        "-1.006e-08*((x0 - 99404249.4)*x1**2 - sin(x1)*(x0*99404250.3))",
        "x0*sin(x1*1.0000000001 + 1e-11) + x1**2.0000000003",
        "(x0*sin(x1)*2.5 + 2.5*x1**2)/2.5 + 1e-13*x0/x1",
    ],
)
def test_terms_and_factors_that_say_nothing_are_dropped(fitted: str, table: np.ndarray) -> None:
    y = table[:, 0] * np.sin(table[:, 1]) + table[:, 1] ** 2
    snapped = snap_constants(parse_infix(fitted), table, y)
    assert snapped.complexity == 7
    assert snapped.n_constants == 0
    np.testing.assert_allclose(evaluate(snapped, table), y, rtol=1e-14)


def test_terms_that_matter_stay(table: np.ndarray) -> None:
    e = parse_infix("x0*sin(x1) + 1e-6*x2 + x1**2")
    y = evaluate(e, table)
    snapped = snap_constants(e, table, y)
    assert "x2" in snapped.prefix
    np.testing.assert_allclose(evaluate(snapped, table), y, rtol=1e-12)


def test_terms_within_the_noise_are_dropped(table: np.ndarray) -> None:
    truth = evaluate(parse_infix("x0*x1"), table)
    y = truth + np.random.default_rng(1).normal(scale=0.1 * truth.std(), size=200)
    fit = fit_constants(parse_infix("1.0*x0*x1 + 0.01*sin(3.0*x2)"), table, y)
    snapped = snap_constants(fit.expression, table, y)
    assert snapped.prefix in (("mul", "x0", "x1"), ("mul", "x1", "x0"))


def test_nothing_is_tried_after_the_deadline(table: np.ndarray) -> None:
    e = parse_infix("2.0000000001*x0 + 2.9999999999*x1 + 1e-14*x2")
    y = evaluate(parse_infix("2*x0 + 3*x1"), table)
    assert snap_constants(e, table, y, deadline=time.monotonic() - 1.0).prefix == e.prefix
    assert snap_constants(e, table, y, deadline=time.monotonic() + 60.0).n_constants == 0
