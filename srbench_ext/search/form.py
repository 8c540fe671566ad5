"""Formulas as a search handles them: prefix tokens with the values of the constants in their places.

``("mul", 2.5, "sin", "x0")`` is what ``Expression(("mul", "C", "sin", "x0"), (2.5,))`` says. Edits keep the
values, so that a fit of the edited formula starts where its parent ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeAlias

from srbench_ext.corpus.normal import Node, flatten, is_number, normalise, strip_affine, unflatten
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
    node = _fold(unflatten(list(tokens)))
    if not all(isinstance(token, str) for token in tokens):
        node = _floating(node)
    node = _core(normalise(node))
    node = _core(_signed(_fold(node)))
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


def _floating(node: Node) -> Node:
    """Write the whole numbers that are factors as constants; beside a constant they say nothing exact."""
    if not isinstance(node, tuple):
        return node
    children = [_floating(child) for child in node[1:]]
    if node[0] in ("mul", "div"):
        children = [float(c) if isinstance(c, str) and is_integer(c) and c != "0" else c for c in children]
        for one, other in ((0, 1), (1, 0)):
            if children[one] == 1.0 and (node[0] == "mul" or one == 1):
                return children[other]
    return (node[0], *children)


def _core(node: Node) -> Node:
    """Drop offsets and numeric factors of the whole, as often as there are any."""
    while True:
        core = strip_affine(_without_factors(node))
        if core is node or core == node:  # a NaN does not equal itself
            return node
        node = core


def _without_factors(node: Node) -> Node:
    """Drop the numbers of a product or quotient, however deep in it; a lone number stays."""
    if not isinstance(node, tuple) or node[0] not in ("mul", "div"):
        return node
    left, right = _without_factors(node[1]), _without_factors(node[2])
    if is_number(right):
        return left
    if is_number(left):
        return right if node[0] == "mul" else ("inv", right)
    return (node[0], left, right)


def _signed(node: Node) -> Node:
    """Move signs into constants, which take them without a token."""
    if not isinstance(node, tuple):
        return node
    if node[0] == "neg":
        negated = _negated(node[1])
        if negated is not None:
            return _signed(negated)
    return (node[0], *(_signed(child) for child in node[1:]))


def _negated(node: Node) -> Node | None:
    """Return the formula with the other sign, in as many tokens; None if that needs another one."""
    if isinstance(node, float):
        return -node
    if isinstance(node, tuple) and node[0] in ("mul", "div"):
        for place in (1, 2):
            negated = _negated(node[place])
            if negated is not None:
                return (node[0], negated, node[2]) if place == 1 else (node[0], node[1], negated)
    return None


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
