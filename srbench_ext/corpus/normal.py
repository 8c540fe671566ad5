"""Normal form of generated formulas: one way of writing what can be written in many.

A formula of the corpus is a nested tuple: ``("mul", "x0", ("sin", 2.5))``. Leaves are tokens
(``"x0"``, ``"2"``, ``"pi"``) or floats (constants). :func:`normalise` flattens sums and products,
collects repeated factors into powers, orders the operands and returns a tree of the same values. A
network that is taught one writing of a formula has less to learn than one that sees all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from srbench_ext.expression.operators import CONSTANT, OPERATORS, is_integer

__all__ = ["Node", "flatten", "is_number", "normalise", "skeleton_of", "strip_affine", "unflatten"]

Node: TypeAlias = Any
"""A leaf (str or float), or a tuple of an operator's name and its operands."""

_SUMS = frozenset({"add", "sub", "neg"})
_PRODUCTS = frozenset({"mul", "div", "inv"})
_POWERS = {"pow2": 2, "pow3": 3}
_FACTORED = _PRODUCTS | _POWERS.keys() | {"neg"}


def flatten(node: Node) -> list[str | float]:
    """Return the prefix sequence of a tree; constants stay floats."""
    sequence: list[str | float] = []
    stack: list[Node] = [node]
    while stack:
        top = stack.pop()
        while type(top) is tuple:  # down the first operands; the others wait
            sequence.append(top[0])
            if len(top) > 2:
                stack.extend(top[:1:-1])
            top = top[1]
        sequence.append(top)
    return sequence


def unflatten(sequence: list[str | float]) -> Node:
    """Return the tree of a prefix sequence."""
    stack: list[Node] = []
    for token in reversed(sequence):
        operator = OPERATORS.get(token) if isinstance(token, str) else None
        if operator is None:
            stack.append(token)
        elif operator.arity == 1:
            stack.append((token, stack.pop()))
        else:
            left = stack.pop()
            stack.append((token, left, stack.pop()))
    (root,) = stack
    return root


def skeleton_of(sequence: Sequence[str | float]) -> tuple[str, ...]:
    """Return the prefix tokens with every constant replaced by the placeholder."""
    return tuple([token if type(token) is str else CONSTANT for token in sequence])


def _key(node: Node) -> tuple[int, str]:
    """Order operands: long ones first, variables by index, numbers last."""
    if type(node) is tuple:
        sequence = flatten(node)
        return (-len(sequence), " ".join(skeleton_of(sequence)))
    if type(node) is str:
        return (0, node) if node[0] == "x" else (1, node)
    return (1, "~")


def _ordered(nodes: list[Node]) -> list[Node]:
    if len(nodes) < 2:
        return nodes
    inner = [node for node in nodes if type(node) is tuple]
    if len(inner) == len(nodes):
        return sorted(inner, key=_key)
    leaves = sorted([node for node in nodes if type(node) is not tuple], key=_key)
    return [*sorted(inner, key=_key), *leaves] if len(inner) > 1 else inner + leaves


def normalise(node: Node) -> Node:
    """Return the same formula with sums and products flattened, merged and ordered.

    Parameters
    ----------
    node : Node
        Nested tuples; constants are floats.

    Returns
    -------
    Node
        A tree with the same values wherever both are finite, never longer than ``node`` by more
        than the sign of a sum that starts with a negative term.
    """
    if type(node) is not tuple:
        return math.nan if node != node else node
    head = node[0]
    if head in _SUMS:
        return _build_sum(*terms_of(node, positive=True))
    if head in _PRODUCTS or head in _POWERS or (head == "pow" and _integer_power(node)):
        return _build_product(factors_of(node))
    if len(node) == 2:
        return (head, normalise(node[1]))
    return (head, *[normalise(child) for child in node[1:]])


def _integer_power(node: Node) -> int:
    """Return k if a power ``pow`` has the integer exponent k of at most 6, else 0."""
    if isinstance(node[2], str) and is_integer(node[2]):
        exponent = int(node[2])
        return exponent if abs(exponent) <= 6 else 0
    return 0


def terms_of(node: Node, *, positive: bool) -> tuple[list[Node], list[Node]]:
    plus: list[Node] = []
    minus: list[Node] = []
    stack = [(node, positive)]
    while stack:
        top, sign = stack.pop()
        head = top[0] if type(top) is tuple else None
        if head == "add":
            stack += [(top[2], sign), (top[1], sign)]
        elif head == "sub":
            stack += [(top[2], not sign), (top[1], sign)]
        elif head == "neg":
            stack.append((top[1], not sign))
        else:
            child = normalise(top)
            if type(child) is tuple:
                if child[0] == "neg":
                    child, sign = child[1], not sign
                if type(child) is tuple and child[0] in _SUMS:  # a product that came down to a sum
                    stack.append((child, sign))
                    continue
            elif isinstance(child, float) and child < 0:
                child, sign = -child, not sign
            (plus if sign else minus).append(child)
    return plus, minus


def _coefficient(term: Node) -> tuple[float, bool, Node | None]:
    """Return (number, whether it is exact, rest) of a term; the rest of a number is None."""
    if isinstance(term, float):
        return term, False, None
    if isinstance(term, str):
        return (int(term), True, None) if is_integer(term) else (1, True, term)
    if term[0] == "mul":
        for number, rest in ((term[1], term[2]), (term[2], term[1])):
            if isinstance(number, float):
                return number, False, rest
            if isinstance(number, str) and is_integer(number):
                return int(number), True, rest
    return 1, True, term


def _scaled(number: float, exact: bool, rest: Node | None) -> Node:
    """Return a term that is the sum of several; integers of two digits become constants."""
    token: Node = str(int(number)) if exact and number <= 9 else float(number)
    if rest is None:
        return token
    factors = factors_of(rest)
    if token != "1":
        factors[token] = factors.get(token, 0) + 1
    return _build_product(factors)


def _like_terms(plus: list[Node], minus: list[Node]) -> tuple[list[Node], list[Node]]:
    """Add up the terms that differ in a numeric factor only; of several, integer factors come first."""
    totals: dict[Node | None, tuple[float, bool, Node | None]] = {}
    for sign, terms in ((1, plus), (-1, minus)):
        for term in terms:
            number, exact, rest = _coefficient(term)
            if rest in totals:
                total, all_exact, _ = totals[rest]
                totals[rest] = (total + sign * number, all_exact and exact, None)
            else:
                totals[rest] = (sign * number, exact, term)
    alone = sum(1 for total, _, _ in totals.values() if total) == 1
    plus, minus = [], []
    for rest, (total, exact, term) in totals.items():
        if not total:
            continue
        size = abs(total)
        if term is None or (exact and size > 9):
            term = _scaled(size, exact, rest)
            size, exact, rest = _coefficient(term)
        if exact and size != 1 and rest is not None and not alone:
            term = ("mul", str(int(size)), rest)
        (plus if total > 0 else minus).append(term)
    return plus, minus


def _build_sum(plus: list[Node], minus: list[Node]) -> Node:
    plus, minus = _like_terms(plus, minus)
    plus, minus = _ordered(plus), _ordered(minus)
    if not plus and not minus:
        return "0"
    if not plus:
        return ("neg", _chain("add", minus))
    if not minus:
        return _chain("add", plus)
    return ("sub", _chain("add", plus), _chain("add", minus))


def _chain(name: str, nodes: list[Node]) -> Node:
    """Join operands to the right, so that a prefix writer need not know how many follow."""
    result = nodes[-1]
    for node in reversed(nodes[:-1]):
        result = (name, node, result)
    return result


def factors_of(node: Node) -> dict[Node, int]:
    """Return factor -> integer power; the sign is the factor ``-1.0``."""
    powers: dict[Node, int] = {}
    stack = [(node, 1)]
    roots = False
    while stack:
        top, power = stack.pop()
        if type(top) is not tuple:
            powers[top] = powers.get(top, 0) + power
            continue
        head = top[0]
        if head == "mul":
            stack += [(top[2], power), (top[1], power)]
        elif head == "div":
            stack += [(top[2], -power), (top[1], power)]
        elif head == "inv":
            stack.append((top[1], -power))
        elif head == "sqrt" and power % 2 == 0:
            stack.append((top[1], power // 2))
        elif head in _POWERS and abs(power * _POWERS[head]) <= 6:
            stack.append((top[1], power * _POWERS[head]))
        elif head == "pow" and _integer_power(top) and abs(power * _integer_power(top)) <= 6:
            stack.append((top[1], power * _integer_power(top)))
        elif head == "neg":
            stack.append((top[1], power))
            powers[-1.0] = powers.get(-1.0, 0) + power
        else:
            child = normalise(top)
            if type(child) is tuple and child[0] in _FACTORED and child != top:
                stack.append((child, power))
            else:
                powers[child] = powers.get(child, 0) + power
                roots |= type(child) is tuple and child[0] == "sqrt"
    return _without_squared_roots(powers) if roots else powers


def _without_squared_roots(powers: dict[Node, int]) -> dict[Node, int]:
    """Replace an even power of a root by a power of what stands under it."""
    result: dict[Node, int] = {}
    for base, power in powers.items():
        if type(base) is tuple and base[0] == "sqrt" and power % 2 == 0:
            for factor, inner in factors_of(base[1]).items():
                result[factor] = result.get(factor, 0) + inner * power // 2
        else:
            result[base] = result.get(base, 0) + power
    return result


def _raised(number: float, power: int) -> float:
    """Return a power, NaN where it does not exist."""
    try:
        return number**power
    except (ZeroDivisionError, OverflowError):
        return math.nan


def power_of(base: Node, power: int) -> Node:
    """Write an integer power with the unary operators of the list."""
    if power == 1:
        return base
    if power == 2:
        return ("pow2", base)
    if power == 3:
        return ("pow3", base)
    if power == 4:
        return ("pow2", ("pow2", base))
    if power == 6:
        return ("pow2", ("pow3", base))
    if power % 2:
        return ("mul", power_of(base, power - 1), base)
    return ("mul", power_of(base, power - 2), ("pow2", base))


def _build_product(powers: dict[Node, int]) -> Node:
    scale, negative = 1.0, False
    above: list[Node] = []
    below: list[Node] = []
    for base, power in powers.items():
        if isinstance(base, float):
            scale *= 1.0 if base == -1.0 else _raised(abs(base), power)
            negative ^= base < 0 and bool(power % 2)
        elif base == "1":
            continue
        elif power > 0:
            above.append(power_of(base, power))
        elif power < 0:
            below.append(power_of(base, -power))
    if scale != 1.0:
        integers = {
            base: power
            for base, power in powers.items()
            if isinstance(base, str) and is_integer(base) and base != "0"
        }
        for base, power in integers.items():
            scale *= _raised(float(base), power)
        above = [factor for factor in above if not _is_power_of(factor, integers)]
        below = [factor for factor in below if not _is_power_of(factor, integers)]
        above.append(scale if scale == scale else math.nan)  # the one NaN that equals itself in a tuple
    above, below = _ordered(above), _ordered(below)
    if not above and not below:
        return ("neg", "1") if negative else "1"
    if not above:
        result: Node = ("inv", _chain("mul", below))
    elif not below:
        result = _chain("mul", above)
    else:
        result = ("div", _chain("mul", above), _chain("mul", below))
    return ("neg", result) if negative else result


def _is_power_of(factor: Node, bases: dict[Node, int]) -> bool:
    """Return whether :func:`power_of` wrote a factor from one of the bases."""
    while isinstance(factor, tuple) and factor[0] in ("pow2", "pow3", "mul"):
        factor = factor[1]
    return factor in bases


def is_number(node: Node) -> bool:
    """Whether a node is a number: a constant, an integer or pi."""
    return isinstance(node, float) or (isinstance(node, str) and node[0] != "x")


def strip_affine(node: Node) -> Node:
    """Drop the outer scale and offset of a normalised formula, as often as there is one.

    What is left has the same skeleton up to a scale and an offset, which the constant fitter
    solves in closed form.
    """
    while True:
        stripped = _strip_once(node)
        if stripped is node or stripped == node:  # a NaN does not equal itself
            return node
        node = stripped


def _strip_once(node: Node) -> Node:
    if not isinstance(node, tuple):
        return node
    head = node[0]
    if head == "neg":
        return node[1]
    if head in ("add", "mul"):
        return _without_numbers(head, node)
    if head == "sub":
        plus, minus = (_without_numbers("add", child) for child in node[1:])
        if is_number(plus) or is_number(minus):
            return minus if is_number(plus) else plus
        return ("sub", plus, minus)
    if head == "div":
        if is_number(node[2]):
            return node[1]
        if is_number(node[1]):
            return ("inv", node[2])
        stripped = _strip_scale(node[1])
        below = _strip_scale(node[2])
        if stripped != node[1] or below != node[2]:
            return ("inv", below) if is_number(stripped) else ("div", stripped, below)
    if head == "inv":
        return ("inv", _strip_scale(node[1]))
    return node


def _without_numbers(name: str, node: Node) -> Node:
    """Drop the numbers of a chain of sums or products; one of numbers alone stays."""
    operands: list[Node] = []
    rest = node
    while isinstance(rest, tuple) and rest[0] == name:
        operands.append(rest[1])
        rest = rest[2]
    kept = [operand for operand in (*operands, rest) if not is_number(operand)]
    return _chain(name, kept) if kept else node


def _strip_scale(node: Node) -> Node:
    """Drop numeric factors of a product, which leave the fraction only scaled."""
    if isinstance(node, tuple) and node[0] == "mul":
        if is_number(node[2]):
            return _strip_scale(node[1])
        if is_number(node[1]):
            return _strip_scale(node[2])
        return ("mul", _strip_scale(node[1]), _strip_scale(node[2]))
    return node
