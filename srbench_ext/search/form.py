"""Formulas as a search handles them: prefix tokens with the values of the constants in their places.

``("mul", 2.5, "sin", "x0")`` is what ``Expression(("mul", "C", "sin", "x0"), (2.5,))`` says. Edits keep the
values, so that a fit of the edited formula starts where its parent ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeAlias

from srbench_ext.corpus.normal import Node, flatten, normalise, strip_affine, unflatten
from srbench_ext.expression import Expression
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, is_integer

__all__ = ["Tokens", "expression_of", "normal_form", "skeleton_of", "tokens_of", "with_values"]

Tokens: TypeAlias = tuple[str | float, ...]
"""Prefix tokens; a constant is its value, a float."""

_LARGEST_INTEGER = 9  # a larger whole number is a constant like any other


def skeleton_of(tokens: Iterable[str | float]) -> tuple[str, ...]:
    """Return the tokens with ``C`` in the place of every value."""
    return tuple([token if isinstance(token, str) else CONSTANT for token in tokens])


def tokens_of(expression: Expression) -> Tokens:
    """Return the tokens of a formula with its constants in their places."""
    return with_values(expression.prefix, iter(expression.constants).__next__)


def with_values(tokens: Iterable[str | float], draw: Callable[[], float]) -> Tokens:
    """Return the tokens with a value from ``draw`` in the place of every ``C``."""
    return tuple([draw() if token == CONSTANT else token for token in tokens])


def expression_of(tokens: Tokens, names: tuple[str, ...] | None = None) -> Expression:
    """Return the immutable formula of tokens.

    Raises
    ------
    ExpressionError
        If the tokens are no complete formula or a value is not finite.
    """
    constants = tuple([token for token in tokens if not isinstance(token, str)])
    return Expression(skeleton_of(tokens), constants, names)


def normal_form(tokens: Tokens) -> Tokens | None:
    """Return the formula without its outer scale and offset, in the corpus's one way of writing it.

    Subtrees of numbers become one number, sums and products are merged and ordered. What is left has the same
    values up to the scale and offset wherever both are finite.

    Parameters
    ----------
    tokens : Tokens
        A complete formula.

    Returns
    -------
    Tokens or None
        None when nothing of a variable is left, or a number in it is not finite.
    """
    node = strip_affine(normalise(_fold(unflatten(list(tokens)))))
    node = strip_affine(_fold(node))
    form = tuple(flatten(node))
    if not any(isinstance(token, str) and token[0] == "x" for token in form):
        return None
    finite = all(isinstance(token, str) or math.isfinite(token) for token in form)
    return form if finite else None


def _fold(node: Node) -> Node:
    """Replace subtrees of numbers by their value."""
    if not isinstance(node, tuple):
        return node
    children = [_fold(child) for child in node[1:]]
    if any(isinstance(child, tuple) or (isinstance(child, str) and child[0] == "x") for child in children):
        return (node[0], *children)
    value = _value(node[0], [_number(child) for child in children])
    whole = all(isinstance(child, str) and is_integer(child) for child in children)
    if whole and abs(value) <= _LARGEST_INTEGER and value.is_integer():
        return str(int(value))
    return value


def _number(leaf: str | float) -> float:
    if isinstance(leaf, str):
        return math.pi if leaf == PI else float(leaf)
    return leaf


def _value(name: str, operands: list[float]) -> float:
    """Return the value of one operator on numbers; NaN where it has none."""
    try:
        return float(_FUNCTIONS[name](*operands))
    except (ValueError, OverflowError, ZeroDivisionError):
        return math.nan


def _power(base: float, exponent: float) -> float:
    return math.pow(base, exponent)


_FUNCTIONS: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": _power,
    "neg": lambda a: -a,
    "inv": lambda a: 1.0 / a,
    "pow2": lambda a: a * a,
    "pow3": lambda a: a * a * a,
    "max": max,
    "min": min,
    "abs": abs,
}
_FUNCTIONS |= {
    name: getattr(math, name) for name in OPERATORS if hasattr(math, name) and name not in _FUNCTIONS
}
