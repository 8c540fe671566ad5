from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import parse_infix, parse_prefix


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("2**3**x0", "pow 2 pow 3 x0"),
        ("-x0**2", "neg pow2 x0"),
        ("-2**x0", "neg pow 2 x0"),
        ("-2*x0", "mul -2 x0"),
        ("2^-x0*x1", "mul pow 2 neg x0 x1"),
        ("x0 - x1 - 1", "sub sub x0 x1 1"),
        ("x0/x1/2", "div div x0 x1 2"),
        ("1/x0/x1", "div inv x0 x1"),
        ("+x0 - -3", "sub x0 -3"),
        ("arcsin(ln(Abs(x0)))", "asin log abs x0"),
        ("max(x0, x1, 2)", "max max x0 x1 2"),
        ("cot(x0)", "inv tan x0"),
        ("log10(x0)", "div log x0 log 10"),
        ("pow(x0, 2)", "pow x0 2"),
        ("2*pi*x0", "mul mul 2 pi x0"),
        ("x0**3 + x0**(1/2)", "add pow3 x0 pow x0 inv 2"),
    ],
)
def test_infix_is_read_as_python_reads_it(text: str, prefix: str) -> None:
    assert parse_infix(text).prefix == tuple(prefix.split())


def test_numbers_with_a_point_are_constants_and_integers_are_not() -> None:
    e = parse_infix("3*x0 + 3.0*x1 + .5e1 - 12345678901234567890")
    assert e.prefix == ("sub", "add", "add", "mul", "3", "x0", "mul", "C", "x1", "C", "C")
    assert e.constants == (3.0, 5.0, 12345678901234567890.0)


def test_names_that_mean_something_elsewhere_are_columns() -> None:
    names = ["I", "E", "beta", "gamma", "lambda", "exp", "S", "N"]
    e = parse_infix("I*E + beta/gamma - lambda*exp(exp) + S*N", names)
    assert e.variables == tuple(range(8))


def test_quoted_names_may_hold_anything() -> None:
    e = parse_infix("`my col` + `a``b`*`pi`*pi", ["my col", "a`b", "pi"])
    assert e.prefix == ("add", "x0", "mul", "mul", "x1", "x2", "pi")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "operand is missing"),
        ("x0 +", "operand is missing"),
        ("x0 x1", "operator is missing"),
        ("(x0", "not closed"),
        ("x0)", "without an open bracket"),
        ("(x0, x1)", "comma outside"),
        ("sin(x0, x1)", "takes 1 operands, got 2"),
        ("sin()", "operand is missing"),
        ("sni(x0)", "did you mean sin"),
        ("y0", "Unknown name"),
        ("x0 $ 1", "Unexpected character"),
        ("1e999", "too large"),
        ("__import__(1)", "Unknown function"),
    ],
)
def test_bad_text_is_named_with_its_place(text: str, part: str) -> None:
    with pytest.raises(ExpressionError, match=part):
        parse_infix(text)


def test_unknown_column_suggests_the_nearest() -> None:
    with pytest.raises(ExpressionError, match="did you mean mass"):
        parse_infix("mas*2", ["mass", "speed"])


@given(st.text(alphabet="x01 +-*/^().,esinlogpC`@\n", max_size=40))
@settings(max_examples=500, deadline=None)
def test_any_text_is_a_formula_or_a_named_error(text: str) -> None:
    for read in (parse_infix, parse_prefix):
        with contextlib.suppress(ExpressionError):
            assert read(text).complexity >= 1


def test_prefix_takes_constants_in_order() -> None:
    e = parse_prefix("add mul C x0 add 2.5 C", [1.5, -3])
    assert e.constants == (1.5, 2.5, -3.0)
    assert parse_prefix(["C"]).constants == (1.0,)
    with pytest.raises(ExpressionError, match="1 tokens 'C' but 2"):
        parse_prefix("C", [1, 2])
