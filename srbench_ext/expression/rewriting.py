"""Random ways of writing a formula differently, and of making a similar formula that is not it.

They put the recovery check to the test: every rewriting has the truth's values, no mutant has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from srbench_ext.expression.core import Expression
from srbench_ext.expression.formatting import format_infix
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, is_integer, is_variable
from srbench_ext.expression.parsing import parse_infix

__all__ = ["REWRITINGS", "mutants", "rewritten_at_random"]

Node = str | float | tuple  # type: ignore[type-arg]  # nested: operator, operands


def _tree(e: Expression) -> Node:
    stack: list[Node] = []
    constants = list(e.constants)
    for token in reversed(e.prefix):
        if token in OPERATORS:
            stack.append((token, *(stack.pop() for _ in range(OPERATORS[token].arity))))
        else:
            stack.append(constants.pop() if token == CONSTANT else token)
    return stack[0]


def _expression(node: Node, names: tuple[str, ...] | None) -> Expression:
    tokens: list[str | float] = []
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, tuple):
            tokens.append(item[0])
            stack += reversed(item[1:])
        else:
            tokens.append(item)
    prefix = tuple(CONSTANT if isinstance(t, float) else t for t in tokens)
    return Expression(prefix, tuple(t for t in tokens if isinstance(t, float)), names)


def _mapped(node: Node, change: Callable[[Node], Node]) -> Node:
    """Apply a change to every node, operands first."""
    if isinstance(node, tuple):
        node = (node[0], *(_mapped(child, change) for child in node[1:]))
    return change(node)


def _number(node: Node) -> float | None:
    if isinstance(node, float):
        return node
    if isinstance(node, str):
        return math.pi if node == PI else float(node) if is_integer(node) else None
    return None


def _reordered(node: Node, rng: np.random.Generator) -> Node:
    """Swap operands, write differences as sums, quotients as products, powers as products and back."""

    def change(n: Node) -> Node:
        if not isinstance(n, tuple):
            return n
        head, *rest = n
        if OPERATORS[head].commutative and rng.random() < 0.5:
            n = (head, rest[1], rest[0])
        elif head == "sub" and rng.random() < 0.5:
            n = ("add", ("neg", rest[1]), rest[0])
        elif head == "div" and rng.random() < 0.5:
            n = ("mul", ("inv", rest[1]), rest[0])
        elif head == "pow2" and rng.random() < 0.5:
            n = ("mul", rest[0], rest[0])
        elif head == "sqrt" and rng.random() < 0.5:
            n = ("pow", rest[0], 0.5)
        elif head == "neg" and rng.random() < 0.5:
            n = ("mul", "-1", rest[0])
        if n[0] in ("add", "mul") and isinstance(n[2], tuple) and n[2][0] == n[0] and rng.random() < 0.5:
            n = (n[0], (n[0], n[1], n[2][1]), n[2][2])
        return n

    return _mapped(node, change)


def _expanded(node: Node, rng: np.random.Generator) -> Node:
    """Multiply out products and quotients of sums, and squares."""

    def change(n: Node) -> Node:
        if not isinstance(n, tuple):
            return n
        head, *rest = n
        if head == "pow2" and isinstance(rest[0], tuple) and rest[0][0] in ("add", "sub"):
            sign, a, b = rest[0]
            return ("add", (sign, ("pow2", a), ("mul", "2", ("mul", a, b))), ("pow2", b))
        if head in ("mul", "div") and isinstance(rest[0], tuple) and rest[0][0] in ("add", "sub"):
            return (rest[0][0], (head, rest[0][1], rest[1]), (head, rest[0][2], rest[1]))
        if head == "mul" and isinstance(rest[1], tuple) and rest[1][0] in ("add", "sub"):
            return (rest[1][0], ("mul", rest[0], rest[1][1]), ("mul", rest[0], rest[1][2]))
        return n

    return _reordered(_mapped(node, change), rng)


def _factored(node: Node, rng: np.random.Generator) -> Node:
    """Take a number out of a sum, or a common factor where there is one."""

    def change(n: Node) -> Node:
        if not isinstance(n, tuple) or n[0] not in ("add", "sub"):
            return n
        head, a, b = n
        if isinstance(a, tuple) and isinstance(b, tuple) and a[0] == b[0] == "mul":
            for i in (1, 2):
                for j in (1, 2):
                    if a[i] == b[j]:
                        return ("mul", a[i], (head, a[3 - i], b[3 - j]))
        factor = float(rng.integers(2, 9))
        return ("mul", factor, (head, ("div", a, factor), ("div", b, factor)))

    return _reordered(_mapped(node, change), rng)


def _merged(node: Node, rng: np.random.Generator) -> Node:
    """Turn numbers into decimals, fold those that meet, and split others into two factors."""

    def change(n: Node) -> Node:
        if not isinstance(n, tuple) or n[0] not in ("mul", "div", "add", "sub"):
            return n
        head, a, b = n
        left, right = _number(a), _number(b)
        if left is not None and right is not None:
            value = {"mul": left * right, "add": left + right, "sub": left - right}
            return value[head] if head != "div" else left / right
        if left is not None and head == "mul":
            part = float(rng.uniform(0.5, 2.0))
            return ("mul", left * part, ("div", b, part))
        return n

    return _reordered(_mapped(node, change), rng)


def _renamed(node: Node, rng: np.random.Generator) -> Node:
    """Name the variables anew, write the formula out, read it and name them back."""
    e = _expression(_reordered(node, rng), None)
    width = e.variables[-1] + 1
    order = rng.permutation(width)
    there = {i: int(order[i]) for i in range(width)}
    names = tuple(f"v_{i}" for i in range(width))
    text = format_infix(e.substitute_variables(there).with_names(names))
    back = parse_infix(text, list(names)).substitute_variables({j: i for i, j in there.items()})
    return _tree(back)


REWRITINGS: dict[str, Callable[[Node, np.random.Generator], Node]] = {
    "reordered": _reordered,
    "expanded": _expanded,
    "factored": _factored,
    "constants merged": _merged,
    "renamed and back": _renamed,
}


def rewritten_at_random(e: Expression, way: str, rng: np.random.Generator) -> Expression:
    """Return another writing of the formula, with the same values but for rounding.

    Parameters
    ----------
    e : Expression
        The formula; it has at least one variable.
    way : str
        A key of ``REWRITINGS``.
    rng : numpy.random.Generator
        Draws the details.
    """
    return _expression(REWRITINGS[way](_tree(e), rng), e.names)


def mutants(e: Expression) -> Iterator[tuple[str, Expression]]:
    """Yield formulas with one exponent changed, one term dropped or one constant moved by 1%.

    Some of them may still equal ``e`` up to scale and offset.
    """
    for path, node in _places(_tree(e)):
        for what, other in _changes(path, node):
            changed = _replaced(_tree(e), path, other)
            mutant = _expression(changed, e.names)
            if mutant.variables:
                yield what, mutant


def _places(node: Node, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Node]]:
    yield path, node
    if isinstance(node, tuple):
        skip = 2 if node[0] == "pow" else None  # exponents are changed as such
        for i, child in enumerate(node[1:], start=1):
            if i != skip:
                yield from _places(child, (*path, i))


def _changes(path: tuple[int, ...], node: Node) -> Iterator[tuple[str, Node]]:
    value = _number(node)
    if value:
        yield "constant moved by 1%", value * 1.01
    if isinstance(node, str) and is_variable(node):
        yield "exponent changed", ("pow2", node)
    if not isinstance(node, tuple):
        return
    if node[0] in ("pow2", "pow3"):
        yield "exponent changed", ("pow3" if node[0] == "pow2" else "pow2", node[1])
    if node[0] == "pow" and (power := _number(node[2])) is not None:
        yield "exponent changed", ("pow", node[1], power + 1.0)
    if node[0] in ("add", "sub"):
        for kept, dropped in ((node[1], node[2]), (node[2], node[1])):
            if not _expression(dropped, None).variables:
                continue
            sign = node[0] == "sub" and kept is node[2]
            yield "term dropped", ("neg", kept) if sign else kept


def _replaced(node: Node, path: tuple[int, ...], other: Node) -> Node:
    if not path:
        return other
    assert isinstance(node, tuple)
    i = path[0]
    return (*node[:i], _replaced(node[i], path[1:], other), *node[i + 1 :])
