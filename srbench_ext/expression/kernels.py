"""Compiled inner loops: values and derivatives of a program, block by block.

Everything that numba compiles is in this one module, because numba's file cache watches the file of the
function it compiles and not the files of the functions that one calls.

A program is an int64 array ``code`` of shape (m, 4), one row a node in postfix order: opcode, first operand,
second operand, and whether a fitted constant is below the node. Operands are node numbers; for a leaf the
first operand is the column, the constant's number or the literal's position. Nodes hold blocks of ``BLOCK``
rows, so that every inner loop is a plain loop over contiguous doubles.

Outside of their domain operators give NaN (log of 0 and division by 0 too), overflow gives infinity.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numba import njit

__all__ = [
    "BLOCK",
    "OP_COLUMN",
    "OP_CONSTANT",
    "OP_INTEGER_POWER",
    "OP_LITERAL",
    "jacobian_kernel",
    "value_kernel",
]

BLOCK = 128
OP_COLUMN = 0
OP_CONSTANT = -1
OP_LITERAL = -2
OP_INTEGER_POWER = 40  # the second operand is the exponent itself

Array = Any  # numba sees arrays only; the public wrappers are typed

P = ParamSpec("P")
R = TypeVar("R")


def _jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first call, keep the machine code beside the module, release the GIL, never raise."""
    compiled: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


@_jit
def _integer_power(a: float, n: int) -> float:
    if n < 0:
        if a == 0.0:
            return np.nan
        a = 1.0 / a
        n = -n
    result = 1.0 if a == a else np.nan
    while n > 0:
        if n & 1:
            result *= a
        a *= a
        n >>= 1
    return result


@_jit
def _power(a: float, b: float) -> float:
    if a != a or b != b or (a == 0.0 and b < 0.0):
        return np.nan
    return math.pow(a, b)


@_jit
def _binary(op: int, a: Array, b: Array, out: Array) -> None:
    n = out.shape[0]
    if op == 1:
        for r in range(n):
            out[r] = a[r] + b[r]
    elif op == 2:
        for r in range(n):
            out[r] = a[r] - b[r]
    elif op == 3:
        for r in range(n):
            out[r] = a[r] * b[r]
    elif op == 4:
        for r in range(n):
            out[r] = np.nan if b[r] == 0.0 else a[r] / b[r]
    elif op == 5:
        for r in range(n):
            out[r] = _power(a[r], b[r])
    elif op == 6:
        for r in range(n):
            out[r] = a[r] if (a[r] > b[r] or a[r] != a[r]) else b[r]
    else:
        for r in range(n):
            out[r] = a[r] if (a[r] < b[r] or a[r] != a[r]) else b[r]


@_jit
def _algebraic(op: int, a: Array, out: Array) -> None:
    n = out.shape[0]
    if op == 10:
        for r in range(n):
            out[r] = -a[r]
    elif op == 11:
        for r in range(n):
            out[r] = np.nan if a[r] == 0.0 else 1.0 / a[r]
    elif op == 12:
        for r in range(n):
            out[r] = a[r] * a[r]
    elif op == 13:
        for r in range(n):
            out[r] = a[r] * a[r] * a[r]
    elif op == 14:
        for r in range(n):
            out[r] = math.sqrt(a[r])
    else:
        for r in range(n):
            out[r] = abs(a[r])


@_jit
def _transcendental(op: int, a: Array, out: Array) -> None:
    n = out.shape[0]
    if op == 15:
        for r in range(n):
            out[r] = math.exp(a[r])
    elif op == 16:
        for r in range(n):
            out[r] = math.log(a[r]) if a[r] > 0.0 else np.nan
    elif op == 17:
        for r in range(n):
            out[r] = math.sin(a[r])
    elif op == 18:
        for r in range(n):
            out[r] = math.cos(a[r])
    elif op == 19:
        for r in range(n):
            out[r] = math.tan(a[r])
    elif op == 20:
        for r in range(n):
            out[r] = math.asin(a[r]) if abs(a[r]) <= 1.0 else np.nan
    elif op == 21:
        for r in range(n):
            out[r] = math.acos(a[r]) if abs(a[r]) <= 1.0 else np.nan
    elif op == 22:
        for r in range(n):
            out[r] = math.atan(a[r])
    elif op == 23:
        for r in range(n):
            out[r] = math.sinh(a[r])
    elif op == 24:
        for r in range(n):
            out[r] = math.cosh(a[r])
    else:
        for r in range(n):
            out[r] = math.tanh(a[r])


@_jit
def _forward(code: Array, V: Array, start: int, width: int, X: Array) -> None:
    """Fill operator and column nodes of one block; X is (d, n), V has the constants and literals."""
    for i in range(code.shape[0]):
        op = code[i, 0]
        out = V[i, :width]
        first = code[i, 1]
        if op == OP_COLUMN:
            out[:] = X[first, start : start + width]
        elif op == OP_INTEGER_POWER:
            a = V[first, :width]
            for r in range(width):
                out[r] = _integer_power(a[r], code[i, 2])
        elif op >= 15 and op != 26:
            _transcendental(op, V[first, :width], out)
        elif op >= 10:
            _algebraic(op, V[first, :width], out)
        elif op > 0:
            _binary(op, V[first, :width], V[code[i, 2], :width], out)


@_jit
def _fill(code: Array, literals: Array, constants: Array, V: Array) -> None:
    """Write constants and literals into their rows of the node buffer."""
    for i in range(code.shape[0]):
        if code[i, 0] == OP_CONSTANT:
            V[i, :] = constants[code[i, 1]]
        elif code[i, 0] == OP_LITERAL:
            V[i, :] = literals[code[i, 1]]


@_jit
def value_kernel(code: Array, literals: Array, constants: Array, X: Array, out: Array) -> None:
    """Write the program's values into ``out`` (n,); X is (d, n)."""
    n = out.shape[0]
    last = code.shape[0] - 1
    V = np.empty((last + 1, BLOCK))
    _fill(code, literals, constants, V)
    for start in range(0, n, BLOCK):
        width = min(BLOCK, n - start)
        _forward(code, V, start, width, X)
        out[start : start + width] = V[last, :width]


@_jit
def _pull_binary(op: int, g: Array, a: Array, b: Array, v: Array, ga: Array, gb: Array) -> None:
    """Adjoints of both operands from the node's adjoint g."""
    n = g.shape[0]
    if op == 1:
        for r in range(n):
            ga[r] = g[r]
            gb[r] = g[r]
    elif op == 2:
        for r in range(n):
            ga[r] = g[r]
            gb[r] = -g[r]
    elif op == 3:
        for r in range(n):
            ga[r] = g[r] * b[r]
            gb[r] = g[r] * a[r]
    elif op == 4:
        for r in range(n):
            ga[r] = g[r] / b[r]
            gb[r] = -g[r] * v[r] / b[r]
    elif op == 5:
        for r in range(n):
            ga[r] = g[r] * b[r] * _power(a[r], b[r] - 1.0)
            gb[r] = g[r] * v[r] * math.log(a[r]) if a[r] > 0.0 else 0.0
    else:
        for r in range(n):
            first = (a[r] >= b[r]) if op == 6 else (a[r] <= b[r])
            ga[r] = g[r] if first else 0.0
            gb[r] = 0.0 if first else g[r]


@_jit
def _pull_algebraic(op: int, g: Array, a: Array, v: Array, ga: Array) -> None:
    n = g.shape[0]
    if op == 10:
        for r in range(n):
            ga[r] = -g[r]
    elif op == 11:
        for r in range(n):
            ga[r] = -g[r] * v[r] * v[r]
    elif op == 12:
        for r in range(n):
            ga[r] = 2.0 * g[r] * a[r]
    elif op == 13:
        for r in range(n):
            ga[r] = 3.0 * g[r] * a[r] * a[r]
    elif op == 14:
        for r in range(n):
            ga[r] = 0.5 * g[r] / v[r] if v[r] != 0.0 else 0.0
    else:
        for r in range(n):
            ga[r] = g[r] if a[r] > 0.0 else (-g[r] if a[r] < 0.0 else 0.0)


@_jit
def _pull_transcendental(op: int, g: Array, a: Array, v: Array, ga: Array) -> None:
    n = g.shape[0]
    if op == 15:
        for r in range(n):
            ga[r] = g[r] * v[r]
    elif op == 16:
        for r in range(n):
            ga[r] = g[r] / a[r]
    elif op == 17:
        for r in range(n):
            ga[r] = g[r] * math.cos(a[r])
    elif op == 18:
        for r in range(n):
            ga[r] = -g[r] * math.sin(a[r])
    elif op == 19:
        for r in range(n):
            ga[r] = g[r] * (1.0 + v[r] * v[r])
    elif op == 20 or op == 21:
        sign = 1.0 if op == 20 else -1.0
        for r in range(n):
            rest = 1.0 - a[r] * a[r]
            ga[r] = sign * g[r] / math.sqrt(rest) if rest > 0.0 else 0.0
    elif op == 22:
        for r in range(n):
            ga[r] = g[r] / (1.0 + a[r] * a[r])
    elif op == 23:
        for r in range(n):
            ga[r] = g[r] * math.cosh(a[r])
    elif op == 24:
        for r in range(n):
            ga[r] = g[r] * math.sinh(a[r])
    else:
        for r in range(n):
            ga[r] = g[r] * (1.0 - v[r] * v[r])


@_jit
def _reverse(code: Array, V: Array, A: Array, start: int, width: int, J: Array) -> None:
    """Write d(value)/d(constant k) into J[k, start : start + width]; V holds the block's values."""
    last = code.shape[0] - 1
    A[last, :width] = 1.0
    for i in range(last, -1, -1):
        if code[i, 3] == 0:
            continue
        op = code[i, 0]
        first = code[i, 1]
        g = A[i, :width]
        if op == OP_CONSTANT:
            J[first, start : start + width] = g
        elif op == OP_INTEGER_POWER:
            n = code[i, 2]
            for r in range(width):
                A[first, r] = g[r] * n * _integer_power(V[first, r], n - 1)
        elif op >= 15 and op != 26:
            _pull_transcendental(op, g, V[first, :width], V[i, :width], A[first, :width])
        elif op >= 10:
            _pull_algebraic(op, g, V[first, :width], V[i, :width], A[first, :width])
        else:
            b = code[i, 2]
            _pull_binary(op, g, V[first, :width], V[b, :width], V[i, :width], A[first, :width], A[b, :width])


@_jit
def jacobian_kernel(code: Array, literals: Array, constants: Array, X: Array, out: Array, J: Array) -> None:
    """Write values into ``out`` (n,) and the derivatives by each constant into ``J`` (k, n); X is (d, n)."""
    n = out.shape[0]
    last = code.shape[0] - 1
    V = np.empty((last + 1, BLOCK))
    A = np.empty((last + 1, BLOCK))
    _fill(code, literals, constants, V)
    for start in range(0, n, BLOCK):
        width = min(BLOCK, n - start)
        _forward(code, V, start, width, X)
        out[start : start + width] = V[last, :width]
        _reverse(code, V, A, start, width, J)
