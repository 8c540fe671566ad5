from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench_ext.expression import (
    Expression,
    format_infix,
    format_latex,
    format_prefix,
    parse_infix,
    parse_prefix,
)

from .strategies import N_COLUMNS, expressions


@given(expressions())
@settings(max_examples=400, deadline=None)
def test_infix_reads_back_to_the_same_formula(e: Expression) -> None:
    assert parse_infix(format_infix(e)) == e


@given(expressions())
@settings(deadline=None)
def test_prefix_reads_back_to_the_same_formula(e: Expression) -> None:
    assert parse_prefix(format_prefix(e)) == e


@given(expressions(), st.lists(st.text(max_size=6), min_size=N_COLUMNS, max_size=N_COLUMNS))
@settings(max_examples=300, deadline=None)
def test_any_column_names_read_back(e: Expression, names: list[str]) -> None:
    named = e.with_names(names)
    assert parse_infix(format_infix(named), names) == named


def test_odd_names_come_back_as_the_caller_wrote_them() -> None:
    names = ("I", "E", "beta", "lambda", "my column", "größe", "pi", "a", "a")
    e = Expression(("add", "x0", "mul", "x4", "add", "x6", "mul", "x8", "pi"), (), names)
    assert str(e) == "I + `my column`*(`pi` + `a@8`*pi)"


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("pow2 x0", "x0**2"),
        ("pow x0 2", "x0**(2)"),
        ("inv x0", "1/x0"),
        ("div 1 x0", "(1)/x0"),
        ("neg 3", "-(3)"),
        ("neg pow2 x0", "-x0**2"),
        ("pow2 neg x0", "(-x0)**2"),
        ("sub x0 sub x1 -2", "x0 - (x1 - (-2))"),
        ("mul -2.5 neg x0", "-2.5*(-x0)"),
        ("max x0 1e-30", "max(x0, 1e-30)"),
    ],
)
def test_infix_shape(prefix: str, text: str) -> None:
    assert format_infix(parse_prefix(prefix)) == text


def test_digits_round_the_constants() -> None:
    e = parse_infix("3.14159265*x0 + 2.0")
    assert format_infix(e, digits=3) == "3.14*x0 + 2.0"
    assert format_prefix(e, digits=3) == "add mul 3.14 x0 2.0"


def test_latex_is_typeset() -> None:
    e = parse_infix("m_0/sqrt(1 - v**2/c**2) + 1.5e-7*exp(-omega)", ["m_0", "v", "c", "omega"])
    assert format_latex(e) == (
        r"\frac{m_{0}}{\sqrt{1 - \frac{v^{2}}{c^{2}}}} + 1.5 \cdot 10^{-7} e^{-\omega}"
    )
