"""From prefix tokens to the nodes that the kernels run, without Python in the loop.

A formula is first a row of token codes (int64): an operator's opcode, or a number beyond all opcodes for
columns, constants, pi and integers. Everything that numba compiles for this is in this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

from srbench_ext.expression.core import ARITIES
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI

__all__ = [
    "CODE_COLUMN",
    "CODE_CONSTANT",
    "CODE_INTEGER",
    "CODE_PI",
    "compile_kernel",
    "linear_kernel",
    "split_kernel",
    "token_codes",
]

CODE_COLUMN, CODE_CONSTANT, CODE_PI = 1 << 52, 1 << 54, 1 << 55
CODE_INTEGER = 1 << 57  # integers lie around it
MAX_POWER = 64  # larger integer exponents go through the general power

_OP_COLUMN, _OP_CONSTANT, _OP_LITERAL, _OP_INTEGER_POWER = 0, -1, -2, 40  # as in kernels
_ADD, _SUB, _MUL, _DIV, _NEG = (OPERATORS[name].opcode for name in ("add", "sub", "mul", "div", "neg"))
_FITTED_BELOW, _LINEAR_BELOW, _SEARCHED_BELOW = 1, 2, 4  # as in kernels
_POW = OPERATORS["pow"].opcode
_NUMBER, _STATIC, _FITTED = -1, 0, 1  # the last two say whether a constant is below

Array = Any

P = ParamSpec("P")
R = TypeVar("R")


class _Codes(dict[str, int]):
    """The code of each token; those of integers and columns are worked out once."""

    def __missing__(self, token: str) -> int:
        assert ARITIES[token] == 0
        code = CODE_COLUMN + int(token[1:]) if token[0] == "x" else CODE_INTEGER + int(token)
        if len(self) < 10_000:
            self[token] = code
        return code


_CODES = _Codes({name: operator.opcode for name, operator in OPERATORS.items()})
_CODES |= {CONSTANT: CODE_CONSTANT, PI: CODE_PI}


def token_codes(prefix: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Return the code of each token; ExpressionError for what is none."""
    return np.array([_CODES[token] for token in prefix], dtype=np.int64)


def _jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first call, keep the machine code beside the module, release the GIL."""
    compiled: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


@_jit
def _add(nodes: Array, at: int, op: int, first: int, second: int, below: int) -> int:
    nodes[at, 0], nodes[at, 1], nodes[at, 2], nodes[at, 3] = op, first, second, below
    return at + 1


@_jit
def _value(code: int) -> float:
    return math.pi if code == CODE_PI else float(code - CODE_INTEGER)


@_jit
def _is_whole(value: float) -> bool:
    return bool(abs(value) <= MAX_POWER and value == math.floor(value))


@_jit
def compile_kernel(codes: Array, nodes: Array, literals: Array) -> tuple[int, int]:
    """Write the nodes (m, 4) of a complete formula of m tokens; return its literals and columns."""
    m = codes.shape[0]
    stack = np.empty(m, dtype=np.int64)
    depth, n_literals, n_columns, seen = 0, 0, 0, 0
    for code in codes:
        seen += 1 if code == CODE_CONSTANT else 0
    for i in range(m):
        code = codes[m - 1 - i]
        if code < CODE_COLUMN:
            depth -= 1
            first = stack[depth]
            second = first
            if code <= 7:
                depth -= 1
                second = stack[depth]
            below = nodes[first, 3] | nodes[second, 3]
            value = literals[nodes[second, 1]] if nodes[second, 0] == _OP_LITERAL else 0.5
            if code == _POW and _is_whole(value):
                _add(nodes, i, _OP_INTEGER_POWER, first, int(value), below)
            else:
                _add(nodes, i, code, first, second, below)
        elif code < CODE_CONSTANT:
            _add(nodes, i, _OP_COLUMN, code - CODE_COLUMN, 0, 0)
            n_columns = max(n_columns, code - CODE_COLUMN + 1)
        elif code == CODE_CONSTANT:
            seen -= 1
            _add(nodes, i, _OP_CONSTANT, seen, 0, 1)
        else:
            literals[n_literals] = _value(code)
            _add(nodes, i, _OP_LITERAL, n_literals, 0, 0)
            n_literals += 1
        stack[depth] = i
        depth += 1
    return n_literals, n_columns


@_jit
def _core(codes: Array) -> tuple[int, int]:
    """Return the span of the subtree that is left when fitted outer scales and offsets are dropped."""
    m = codes.shape[0]
    ends = np.empty(m, dtype=np.int64)
    fitted, varies = np.zeros(m, dtype=np.bool_), np.zeros(m, dtype=np.bool_)
    for i in range(m - 1, -1, -1):
        if codes[i] >= CODE_COLUMN:
            ends[i] = i + 1
            fitted[i] = codes[i] == CODE_CONSTANT
            varies[i] = codes[i] < CODE_CONSTANT
            continue
        ends[i], fitted[i], varies[i] = ends[i + 1], fitted[i + 1], varies[i + 1]
        if codes[i] <= 7:
            second = ends[i + 1]
            ends[i] = ends[second]
            fitted[i] |= fitted[second]
            varies[i] |= varies[second]
    start, end = 0, m
    while codes[start] <= 4:  # a sum, difference, product or quotient
        first = start + 1
        second = ends[first]
        if codes[start] != 4 and fitted[first] and not varies[first]:
            start = second
        elif fitted[second] and not varies[second]:
            start, end = first, second
        else:
            break
    return start, end


@_jit
def split_kernel(
    codes: Array,
    affine: bool,
    inner: Array,
    inner_literals: Array,
    outer: Array,
    outer_literals: Array,
    roots: Array,
    sizes: Array,
) -> None:
    """Take a formula apart for fitting; see :class:`srbench_ext.expression.plan.FitPlan`.

    ``sizes`` becomes: start and end of the core; nodes and literals of the inner code; of the outer code;
    roots; columns needed. The other arrays have room for as many entries as there are tokens.
    """
    start, end = 0, codes.shape[0]
    if affine:
        start, end = _core(codes)
    m = end - start
    kinds, places, values = np.empty(m, np.int64), np.empty(m, np.int64), np.empty(m)
    column_of = np.full(m, -1)  # the column of the inner code that an outer node is
    depth, n_in, n_in_literals, n_out, n_out_literals, n_roots, n_columns, seen = 0, 0, 0, 0, 0, 0, 0, 0
    for i in range(start, end):
        seen += 1 if codes[i] == CODE_CONSTANT else 0
    operands = np.empty(2, dtype=np.int64)
    for i in range(end, start - 1, -1):  # the last round only brings the whole into the inner code
        code = codes[i - 1] if i > start else 0
        if code == CODE_CONSTANT:
            seen -= 1
            kinds[depth], places[depth] = _FITTED, n_in
            n_in = _add(inner, n_in, _OP_CONSTANT, seen, 0, 1)
            depth += 1
            continue
        if code >= CODE_CONSTANT:
            kinds[depth], values[depth] = _NUMBER, _value(code)
            depth += 1
            continue
        if code >= CODE_COLUMN:
            column = code - CODE_COLUMN
            n_columns = max(n_columns, column + 1)
            place = 0
            while place < n_out and not (outer[place, 0] == _OP_COLUMN and outer[place, 1] == column):
                place += 1
            if place == n_out:
                n_out = _add(outer, n_out, _OP_COLUMN, column, 0, 0)
            kinds[depth], places[depth] = _STATIC, place
            depth += 1
            continue
        arity = 2 if 0 < code <= 7 else 1
        depth -= arity
        last = depth  # operands lie behind each other, the first one on top
        kind = _FITTED if i == start else _STATIC
        for j in range(arity):
            kind = _FITTED if kinds[depth + j] == _FITTED else kind
        whole = code == _POW and kinds[last] == _NUMBER and _is_whole(values[last])
        for j in range(arity):
            at = depth + arity - 1 - j
            if j == 1 and whole:
                operands[1] = int(values[at])
            elif kind == _FITTED and kinds[at] == _NUMBER:
                inner_literals[n_in_literals] = values[at]
                operands[j] = n_in
                n_in = _add(inner, n_in, _OP_LITERAL, n_in_literals, 0, 0)
                n_in_literals += 1
            elif kind == _FITTED and kinds[at] == _STATIC:
                if column_of[places[at]] < 0:
                    column_of[places[at]] = n_roots
                    roots[n_roots] = places[at]
                    n_roots += 1
                operands[j] = n_in
                n_in = _add(inner, n_in, _OP_COLUMN, column_of[places[at]], 0, 0)
            elif kinds[at] == _NUMBER:
                outer_literals[n_out_literals] = values[at]
                operands[j] = n_out
                n_out = _add(outer, n_out, _OP_LITERAL, n_out_literals, 0, 0)
                n_out_literals += 1
            else:
                operands[j] = places[at]
        if i == start:
            break
        op = _OP_INTEGER_POWER if whole else code
        second = operands[1] if arity == 2 else operands[0]
        kinds[depth] = kind
        if kind == _FITTED:
            places[depth] = n_in
            n_in = _add(inner, n_in, op, operands[0], second, 1)
        else:
            places[depth] = n_out
            n_out = _add(outer, n_out, op, operands[0], second, 0)
        depth += 1
    sizes[:] = np.array([start, end, n_in, n_in_literals, n_out, n_out_literals, n_roots, n_columns])


@_jit
def _linear_side(nodes: Array, i: int, counts: Array, whole: Array) -> int:
    """Return the operand of node i through which constants enter linearly; -1 if through none or both.

    Of a product it is the factor with more of them; of equals, the one all of whose terms have one.
    """
    op, first, second = nodes[i, 0], nodes[i, 1], nodes[i, 2]
    if op in (_DIV, _NEG):
        return int(first)
    if op != _MUL:
        return -1
    if counts[first] == counts[second]:
        return int(second if whole[second] and not whole[first] else first)
    return int(first if counts[first] > counts[second] else second)


@_jit
def linear_kernel(nodes: Array) -> int:
    """Mark the constants of a program (m, 4) that enter linearly, given the others; return how many.

    A constant does when only sums, differences, signs, products and numerators of quotients are above it, and
    no other factor of such a product holds a constant that was taken as linear. The last column of each node
    gets the bits of the two kinds of constants below it; nothing is changed if none is linear.
    """
    m = nodes.shape[0]
    counts, whole = np.zeros(m, dtype=np.int64), np.zeros(m, dtype=np.bool_)
    for i in range(m):
        op, first, second = nodes[i, 0], nodes[i, 1], nodes[i, 2]
        if op == _OP_CONSTANT:
            counts[i], whole[i] = 1, True
        elif op in (_ADD, _SUB):
            counts[i], whole[i] = counts[first] + counts[second], whole[first] and whole[second]
        else:
            side = _linear_side(nodes, i, counts, whole)
            if side >= 0:
                counts[i], whole[i] = counts[side], whole[side]
    if counts[m - 1] == 0:
        return 0
    linear = np.zeros(m, dtype=np.bool_)
    linear[m - 1] = True
    for i in range(m - 1, -1, -1):
        if linear[i] and nodes[i, 0] > 0:
            side = _linear_side(nodes, i, counts, whole)
            if side >= 0:
                linear[side] = True
            elif nodes[i, 0] in (_ADD, _SUB):
                linear[nodes[i, 1]] = linear[nodes[i, 2]] = True
    for i in range(m):
        op = nodes[i, 0]
        if op == _OP_CONSTANT:
            nodes[i, 3] = _FITTED_BELOW | (_LINEAR_BELOW if linear[i] else _SEARCHED_BELOW)
        elif op > 0:
            nodes[i, 3] = nodes[nodes[i, 1], 3]
            if op <= 7:
                nodes[i, 3] |= nodes[nodes[i, 2], 3]
    return int(counts[m - 1])
