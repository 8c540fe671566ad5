from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import Expression, parse_infix


def test_expression_knows_its_parts() -> None:
    e = Expression(("add", "mul", "C", "x2", "sin", "x0"), (2.5,), ("a", "b", "c"))
    assert e.complexity == 6
    assert e.n_constants == 1
    assert e.variables == (0, 2)
    assert e.skeleton == e.prefix
    assert str(e) == "2.5*c + sin(a)"


def test_expression_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Expression(("x0",)).prefix = ("x1",)  # type: ignore[misc]


def test_equal_formulas_are_equal_and_hash_alike() -> None:
    a, b = Expression(("C",), (1.0,)), Expression(("C",), (1.0,))
    assert a == b
    assert hash(a) == hash(b)
    assert a != a.with_constants([2.0])


@pytest.mark.parametrize(
    ("prefix", "constants", "names", "part"),
    [
        ((), (), None, "1 to"),
        (("add", "x0"), (), None, "lacks 1"),
        (("x0", "x1"), (), None, "complete after 1"),
        (("foo", "x0"), (), None, "Unknown token 'foo'"),
        (("x0\n",), (), None, "Unknown token"),
        (("x٣",), (), None, "Unknown token"),
        (("9" * 400,), (), None, "digits"),
        (("C",), (), None, "1 constants"),
        (("x0",), (1.0,), None, "0 constants"),
        (("C",), (float("nan"),), None, "finite"),
        (("x1",), (), ("a",), "only 1 column names"),
        (("x0",), (), "a", "string 'a'"),
    ],
)
def test_what_is_no_formula_is_refused(prefix: tuple, constants: tuple, names: object, part: str) -> None:
    with pytest.raises(ExpressionError, match=part):
        Expression(prefix, constants, names)


def test_variables_are_substituted() -> None:
    e = parse_infix("x0*x1 + 1.5").substitute_variables({0: 4, 1: 0})
    assert e.prefix == ("add", "mul", "x4", "x0", "C")
    assert e.constants == (1.5,)


def test_ten_thousand_tokens_work_everywhere() -> None:
    e = Expression(("neg",) * 9_999 + ("x0",))
    assert e.evaluate(np.array([[2.0]])) == [-2.0]
    assert parse_infix(str(e)) == e
    with pytest.raises(ExpressionError, match="10000 tokens"):
        Expression(("neg",) * 10_000 + ("x0",))
