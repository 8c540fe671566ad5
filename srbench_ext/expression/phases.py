"""Phases of sines and cosines, reduced to one turn; quarter turns become the other function or a sign."""

from __future__ import annotations

import math
from collections.abc import Sequence

from srbench_ext.expression.core import Expression
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, is_integer

__all__ = ["reduced_phases"]

_TURN = 2.0 * math.pi
_QUARTER = 0.5 * math.pi
_NEAR = 1e-12  # of a quarter turn: how near a snapped phase is to a multiple of it
_QUARTERS = {  # sin or cos of u + k quarter turns: function, sign
    "sin": (("sin", 1), ("cos", 1), ("sin", -1), ("cos", -1)),
    "cos": (("cos", 1), ("sin", -1), ("cos", -1), ("sin", 1)),
}

Tokens = list[str | float]  # a float stands for a constant
Node = tuple[Tokens, list[tuple[int, Tokens]]]  # a subtree written out, and its signed terms


def reduced_phases(e: Expression) -> Expression:
    """Return the formula with the phases in its sines and cosines within half a turn of 0.

    ``sin(x0 + 13*pi/2)`` becomes ``cos(x0)``, ``cos(7 - x0)`` becomes ``cos(0.717... - x0)``. Values are the
    same but for rounding.

    Parameters
    ----------
    e : Expression
        The formula.

    Returns
    -------
    Expression
        ``e`` itself where nothing was to be done, or where the result would be longer.
    """
    if "sin" not in e.prefix and "cos" not in e.prefix:
        return e
    constants = list(e.constants)
    stack: list[Node] = []
    for token in reversed(e.prefix):
        operands = [stack.pop() for _ in range(OPERATORS[token].arity)] if token in OPERATORS else []
        written: Tokens = [token if token != CONSTANT else constants.pop()]
        written += [t for tokens, _ in operands for t in tokens]
        stack.append((written, _terms(token, operands, written)))
        if token in _QUARTERS:
            changed = _with_less_phase(token, operands[0][1])
            if changed is not None:
                stack[-1] = (changed, [(1, changed)])
    tokens = stack[0][0]
    prefix = tuple(CONSTANT if isinstance(t, float) else t for t in tokens)
    reduced = Expression(prefix, tuple(t for t in tokens if isinstance(t, float)), e.names)
    return e if reduced == e or reduced.complexity > e.complexity else reduced


def _terms(token: str, operands: Sequence[Node], written: Tokens) -> list[tuple[int, Tokens]]:
    if token in ("add", "sub"):
        sign = 1 if token == "add" else -1
        return [*operands[0][1], *((sign * s, t) for s, t in operands[1][1])]
    if token == "neg":
        return [(-s, t) for s, t in operands[0][1]]
    return [(1, written)]


def _with_less_phase(function: str, terms: Sequence[tuple[int, Tokens]]) -> Tokens | None:
    """Write the function of the terms with their phase reduced; None where there is none to reduce."""
    numbers = [sign * value for sign, t in terms if (value := _number(t)) is not None]
    rest = [(sign, t) for sign, t in terms if _number(t) is None]
    if not numbers or not rest:
        return None
    phase = math.remainder(math.fsum(numbers), _TURN)
    quarters = round(phase / _QUARTER)
    if abs(phase - quarters * _QUARTER) > _NEAR * _QUARTER * (1.0 + abs(math.fsum(numbers))):
        if len(numbers) == 1 and phase == numbers[0]:
            return None
        return [function, *_sum([*rest, (1, [phase])])]
    function, sign = _QUARTERS[function][quarters % 4]
    if all(s < 0 for s, _ in rest):
        rest = [(1, t) for _, t in rest]
        sign = -sign if function == "sin" else sign
    return [*(["neg"] if sign < 0 else []), function, *_sum(rest)]


def _number(tokens: Tokens) -> float | None:
    token = tokens[0]
    if isinstance(token, float):
        return token
    return math.pi if token == PI else float(token) if is_integer(token) else None


def _sum(terms: Sequence[tuple[int, Tokens]]) -> Tokens:
    ordered = sorted(terms, key=lambda term: -term[0])  # a plus sign in front where there is one
    sign, first = ordered[0]
    tokens = first if sign > 0 else ["neg", *first]
    for sign, term in ordered[1:]:
        tokens = ["add" if sign > 0 else "sub", *tokens, *term]
    return tokens
