from __future__ import annotations

import os
import time
from collections.abc import Iterator

import numpy as np
import pytest
import sympy

from srbench_ext.errors import InputError
from srbench_ext.expression import (
    Expression,
    Recovery,
    complexity_simplified,
    from_sympy,
    parse_infix,
    recovered,
    to_sympy,
)
from srbench_ext.expression.child import results_within

from .test_sympy_form import DATA, _names_and_table, _truths


def _verdict(
    found: str | Expression, truth: str, r2_test: float | None = None, seconds: float = 10
) -> Recovery:
    t = parse_infix(truth)
    e = parse_infix(found) if isinstance(found, str) else found
    d = max((*t.variables, *e.variables)) + 1
    rng = np.random.default_rng(0)
    y_rms = float(np.sqrt(np.mean(t.evaluate(rng.uniform(1, 5, (200, d))) ** 2)))
    return recovered(
        e, t, [1.0] * d, [5.0] * d, y_rms=y_rms, rng=rng, r2_test=r2_test, timeout_seconds=seconds
    )


@pytest.mark.parametrize(
    ("found", "truth"),
    [
        ("x0*x1", "x1*x0"),
        ("2.0000001*x0*x1", "x1*x0"),
        ("x0*x1 + 3.5", "x1*x0"),
        ("exp(x0)*exp(x1)", "exp(x0 + x1)"),
        ("sin(x0)**2", "1 - cos(x0)**2"),
        ("x0**2 + 2*x0*x1 + x1**2", "(x0 + x1)**2"),
        ("0.500000001*x0*x1**2", "x0*x1**2/2"),
        ("sqrt(x0)*sqrt(x0)", "x0"),
        ("1/(x0/x1 + 1)", "x1/(x0 + x1)"),
        ("0.0795774715*x0/x1**2", "x0/(4*pi*x1**2)"),
        ("-x0 + x1", "3*(x0 - x1)"),
    ],
)
def test_rewritten_truths_are_recovered(found: str, truth: str) -> None:
    assert _verdict(found, truth) == Recovery(True, True, True)


@pytest.mark.parametrize(
    ("found", "truth"),
    [
        ("x0*x1", "x0*x1**2"),
        ("x0 + x1", "x0 + 1.01*x1"),
        ("sin(1.01*x0)", "sin(x0)"),
        ("exp(-x0)", "exp(-x0) + 0.1*x1"),
        ("x0", "x0 + log(x1)"),
        ("3.5", "x0"),
        ("1/(x0 - x0)", "x0"),
        ("log(-x0)", "x0"),
        ("0.00001*x0*0", "x0"),
    ],
)
def test_other_formulas_are_not(found: str, truth: str) -> None:
    assert _verdict(found, truth) == Recovery(False, False, False)


def test_srbench_rounds_and_the_others_do_not() -> None:
    noisy = _verdict("x0 + 2.00004*x1", "x0 + 2*x1")
    assert noisy.srbench is True
    assert noisy.numeric is False
    small = _verdict("x0*x1 + 0.00009*x0**2", "x0*x1")
    assert small.srbench is True
    assert small.numeric is False


@pytest.mark.parametrize(
    ("found", "truth"),
    [
        ("1 + x0/(1 - 0.3333333333333333*x0*x1)", "1 + x0/(1 - x0*x1/3)"),
        ("sin(12.566370614359172*x0/x1)", "sin(4*pi*x0/x1)"),
        ("exp(x0*39.47841760435743)", "exp(4*pi**2*x0)"),
    ],
)
def test_plain_numbers_are_not_rounded(found: str, truth: str) -> None:
    assert _verdict(found, truth, seconds=0.0).srbench is True
    e = parse_infix(found)
    off = e.with_constants(c * (1 + 1e-4) for c in e.constants)
    assert _verdict(off, truth, seconds=0.0).srbench is False


def test_srbench_needs_some_accuracy() -> None:
    assert _verdict("x0", "x0", r2_test=0.5).srbench is False
    assert _verdict("x0", "x0", r2_test=0.6).srbench is True
    assert _verdict("x0", "x0", r2_test=float("nan")).srbench is False


def test_without_time_what_is_open_is_unknown() -> None:
    assert _verdict("sin(x0)**2", "1 - cos(x0)**2", seconds=0.0) == Recovery(None, None, True)
    assert _verdict("x0*x1", "x0", seconds=0.0) == Recovery(False, False, False)
    assert _verdict("x0*x1", "x1*x0", seconds=0.0) == Recovery(True, True, True)


def test_numeric_is_unknown_where_the_truth_is_seldom_finite() -> None:
    t = parse_infix("log(x0 - 4.5)")
    verdict = recovered(t, t, [1.0], [5.0], y_rms=1.0, rng=np.random.default_rng(0))
    assert verdict.numeric is None
    assert verdict.symbolic is True


@pytest.mark.parametrize("unit", [1e-30, 1e30])
def test_units_do_not_matter(unit: float) -> None:
    truth = parse_infix(f"{unit!r}*x0/x1")
    for text, same in ((f"x0*{unit!r}/x1", True), (f"{unit!r}*x0/(x1 + 0.01)", False)):
        rng = np.random.default_rng(0)
        verdict = recovered(parse_infix(text), truth, [1, 1], [5, 5], y_rms=unit, rng=rng)
        assert verdict.numeric is same
        assert verdict.symbolic is same


@pytest.mark.skipif(not DATA.exists(), reason=f"the lists of formulas are not at {DATA}")
def test_every_ground_truth_expanded_is_recovered_and_mutated_is_not() -> None:
    wrong: list[tuple[str, str, Recovery]] = []
    for row in _truths():
        names, X = _names_and_table(row)
        truth = parse_infix(row["formula"], names)
        y_rms = float(np.sqrt(np.mean(truth.evaluate(X) ** 2)))
        rewritten = from_sympy(sympy.expand(to_sympy(truth)), names)
        mutant = Expression(
            ("mul", *truth.prefix, "add", "1", "mul", "C", "x0"), (*truth.constants, 0.01), names
        )
        for e, expected in ((truth, True), (rewritten, True), (mutant, False)):
            verdict = recovered(
                e,
                truth,
                X.min(axis=0),
                X.max(axis=0),
                y_rms=y_rms,
                rng=np.random.default_rng(0),
                timeout_seconds=0.0,
            )
            if expected and (verdict.numeric is not True or verdict.symbolic is False):
                wrong.append((row["dataset"], str(e), verdict))
            if not expected and (verdict.numeric or verdict.symbolic or verdict.srbench):
                wrong.append((row["dataset"], str(e), verdict))
    assert not wrong


def test_a_box_that_does_not_fit_is_refused() -> None:
    e, rng = parse_infix("x1"), np.random.default_rng(0)
    for lows, highs in (([1.0], [2.0]), ([1.0, 1.0], [2.0]), ([1.0, 3.0], [2.0, 2.0])):
        with pytest.raises(InputError, match="box"):
            recovered(e, e, lows, highs, y_rms=1.0, rng=rng)


def test_simplified_nodes_are_counted() -> None:
    assert complexity_simplified(parse_infix("x0 + x0 + x1*1")) == 5
    assert complexity_simplified(parse_infix("x0"), timeout_seconds=0.0) is None


def _slow() -> Iterator[int]:
    yield 1
    time.sleep(60)
    yield 2


def _dies() -> Iterator[str]:
    yield "x" * 200_000
    os.kill(os.getpid(), 9)


def _raises() -> Iterator[int]:
    yield 7
    raise ValueError


def test_a_child_gives_what_it_has_and_is_killed() -> None:
    begin = time.monotonic()
    assert results_within(0.3, _slow) == [1]
    assert time.monotonic() - begin < 5
    assert results_within(30.0, _dies) == ["x" * 200_000]
    assert results_within(0.0, _slow) == []


def test_a_child_that_raises_is_no_hang(capfd: pytest.CaptureFixture[str]) -> None:
    assert results_within(30.0, _raises) == [7]
