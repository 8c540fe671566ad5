"""A fingerprint of a skeleton: its value at a random point of a finite field, microseconds a formula.

Formulas that are equal by the rules of arithmetic (order, association, distribution, powers, like terms) are
one polynomial or quotient, so they have one value at any point, and different ones have different values at
a random point but for a chance of about 2**-120 (Schwartz 1980; Zippel 1979). A function's value is drawn by
hashing its argument's, with the sign taken out of odd and even ones. Operators that may be undefined on a
part of the plane (log, sqrt, ...) are counted once each, so that ``log(x) - log(x)`` is not ``0*x``.

Each constant ``C`` must be an unknown of its own whatever the order of writing. Its value is drawn by hashing
the derivative of the whole by that constant where all constants are equal, which does not depend on the order
either. Formulas with constants that this cannot tell apart have no fingerprint; neither have those that
divide by zero or take a ``max`` or ``min`` of constants.

Everything that numba compiles for this is in this module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numba import njit

from srbench_ext.expression.compilation import (
    CODE_COLUMN,
    CODE_CONSTANT,
    CODE_INTEGER,
    CODE_PI,
    token_codes,
)

__all__ = ["fingerprint"]

Array = Any

P = ParamSpec("P")
R = TypeVar("R")


def _jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first call, keep the machine code beside the module, release the GIL."""
    compiled: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


_PRIME = np.uint64(2**61 - 1)
_LOW = np.uint64(2**32 - 1)
_U1, _U3, _U29, _U32, _U61 = (np.uint64(n) for n in (1, 3, 29, 32, 61))
_HALF_POWER = np.int64(1) << 20  # the largest exponent that counts as a whole number
_COLUMN, _CONSTANT, _PI_CODE, _INTEGER = CODE_COLUMN, CODE_CONSTANT, CODE_PI, CODE_INTEGER


def fingerprint(prefix: tuple[str, ...]) -> bytes | None:
    """Return 16 bytes, equal for equal skeletons; None where there is no fingerprint.

    Parameters
    ----------
    prefix : tuple of str
        Prefix tokens.

    Raises
    ------
    ExpressionError
        On a token that is none.

    Notes
    -----
    None is returned for tokens that are not one complete formula, too.
    """
    first, second, good = _fingerprint_kernel(token_codes(prefix))
    return (int(first) << 64 | int(second)).to_bytes(16, "big") if good else None


@_jit
def _add(a: Any, b: Any) -> Any:
    c = a + b
    return c - _PRIME if c >= _PRIME else c


@_jit
def _minus(a: Any) -> Any:
    return _PRIME - a if a else a


@_jit
def _mul(a: Any, b: Any) -> Any:
    """Multiply modulo 2**61 - 1 by products of halves."""
    a1, a0, b1, b0 = a >> _U32, a & _LOW, b >> _U32, b & _LOW
    middle = a1 * b0 + a0 * b1  # below 2**62
    low = a0 * b0
    # a*b = a1*b1 * 2**64 + middle * 2**32 + low, and 2**61 is 1
    high = ((a1 * b1) << _U3) + (middle >> _U29)
    rest = ((middle & ((_U1 << _U29) - _U1)) << _U32) + (low >> _U61) + (low & _PRIME)
    total = (high & _PRIME) + (high >> _U61) + (rest & _PRIME) + (rest >> _U61)
    total = (total & _PRIME) + (total >> _U61)
    return total - _PRIME if total >= _PRIME else total


@_jit
def _raised(a: Any, n: Any) -> Any:
    result = np.uint64(1)
    while n:
        if n & _U1:
            result = _mul(result, a)
        a = _mul(a, a)
        n >>= _U1
    return result


@_jit
def _inverse(a: Any) -> Any:
    return _raised(a, _PRIME - np.uint64(2))


@_jit
def _mixed(a: Any) -> Any:
    """Scramble 64 bits (Steele, Lea and Flood's SplitMix64, 2014)."""
    a += np.uint64(0x9E3779B97F4A7C15)
    a = (a ^ (a >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    a = (a ^ (a >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return a ^ (a >> np.uint64(31))


@_jit
def _drawn(seed: Any, kind: int, a: Any, b: Any) -> Any:
    """Return a number of the field that looks random, but is the same for the same arguments."""
    h = _mixed(seed + np.uint64(kind))
    h = _mixed(h ^ a)
    h = _mixed(h ^ b)
    return h % _PRIME


@_jit
def _small(a: Any) -> Any:
    """Return the whole number in -2**20 ... 2**20 that a stands for, or 2**21."""
    if a <= np.uint64(_HALF_POWER):
        return np.int64(a)
    if _PRIME - a <= np.uint64(_HALF_POWER):
        return -np.int64(_PRIME - a)
    return 2 * _HALF_POWER


@_jit
def _function(op: int, a: Any, seed: Any, kind: int) -> Any:
    """Value of a function, or with ``kind`` 1 its derivative: sign taken out of odd and even functions."""
    odd = op == 17 or op == 19 or op == 20 or op == 22 or op == 23 or op == 25
    even = op == 18 or op == 24 or op == 26
    negative = (odd or even) and a > _PRIME - a
    if negative:
        a = _PRIME - a
    if odd and a == 0 and kind == 0:
        return np.uint64(0)
    drawn = _drawn(seed, op + 100 * kind, a, np.uint64(0))
    flips = odd if kind == 0 else even  # the derivative of an even function is odd
    return _minus(drawn) if negative and flips else drawn


@_jit
def _whole_power(nodes: Array, node: int, values: Array) -> Any:
    """Return the exponent of a node if it is a whole number that no constant is part of; else 2**21."""
    second = nodes[node, 2]
    return _small(values[second]) if nodes[second, 3] == 0 else 2 * _HALF_POWER


@_jit
def _is_root(nodes: Array, node: int, values: Array) -> bool:
    second = nodes[node, 2]
    return bool(nodes[second, 3] == 0 and _add(values[second], values[second]) == _U1)


@_jit
def _extreme(nodes: Array, node: int, values: Array, seed: Any) -> Any:
    """Value of a max or min of several operands: the sum over those that differ, whatever the order."""
    op = nodes[node, 0]
    waiting = np.empty(nodes.shape[0], dtype=np.int64)
    found = np.empty(nodes.shape[0], dtype=np.uint64)
    waiting[0], waiting[1] = nodes[node, 1], nodes[node, 2]
    n_waiting, n_found = 2, 0
    while n_waiting:
        n_waiting -= 1
        i = waiting[n_waiting]
        if nodes[i, 0] == op:
            waiting[n_waiting], waiting[n_waiting + 1] = nodes[i, 1], nodes[i, 2]
            n_waiting += 2
            continue
        known = False
        for j in range(n_found):
            known |= found[j] == values[i]
        if not known:
            found[n_found] = values[i]
            n_found += 1
    if n_found == 1:
        return found[0]
    total = np.uint64(0)
    for j in range(n_found):
        total = _add(total, _drawn(seed, op, found[j], _U1))
    return _drawn(seed, op, total, np.uint64(2))


@_jit
def _forward(nodes: Array, constants: Array, values: Array, seed: Any) -> tuple[Any, bool]:
    """Fill the nodes' values; return what the partial operators add up to, and whether all is defined."""
    partial = np.empty(nodes.shape[0], dtype=np.uint64)
    n_partial = 0
    for i in range(nodes.shape[0]):
        op = nodes[i, 0]
        if op >= _COLUMN:
            if op == _CONSTANT:
                values[i] = constants[nodes[i, 1]]
            elif op < _CONSTANT or op == _PI_CODE:
                values[i] = _drawn(seed, 300, np.uint64(op), np.uint64(0))
            else:
                n = op - _INTEGER
                values[i] = np.uint64(n) if n >= 0 else _PRIME - np.uint64(-n)
            continue
        a, b = values[nodes[i, 1]], values[nodes[i, 2]]
        undefined = op == 14 or op == 16 or op == 20 or op == 21
        if op == 1:
            values[i] = _add(a, b)
        elif op == 2:
            values[i] = _add(a, _minus(b))
        elif op == 3:
            values[i] = _mul(a, b)
        elif op == 4:
            if b == 0:
                return np.uint64(0), False
            values[i] = _mul(a, _inverse(b))
        elif op == 5:
            n = _whole_power(nodes, i, values)
            if n <= _HALF_POWER:
                if n < 0 and a == 0:
                    return np.uint64(0), False
                power = _raised(a, np.uint64(abs(n)))
                values[i] = _inverse(power) if n < 0 else power
            elif _is_root(nodes, i, values):
                values[i] = _function(14, a, seed, 0)
                undefined, op, b = True, 14, a
            else:
                values[i] = _drawn(seed, 5, a, b)
                undefined = True
        elif op <= 7:
            if nodes[i, 3]:
                return np.uint64(0), False
            values[i] = _extreme(nodes, i, values, seed)
        elif op == 10:
            values[i] = _minus(a)
        elif op == 11:
            if a == 0:
                return np.uint64(0), False
            values[i] = _inverse(a)
        elif op == 12:
            values[i] = _mul(a, a)
        elif op == 13:
            values[i] = _mul(_mul(a, a), a)
        else:
            values[i] = _function(op, a, seed, 0)
        if undefined:
            even = min(a, _PRIME - a) if op == 20 else a
            mark = _drawn(seed, 400 + op, even, b if op == 5 else np.uint64(0))
            known = False
            for j in range(n_partial):
                known |= partial[j] == mark
            if not known:
                partial[n_partial] = mark
                n_partial += 1
    total = np.uint64(0)
    for j in range(n_partial):
        total = _add(total, partial[j])
    return total, True


@_jit
def _reverse(nodes: Array, values: Array, slopes: Array, derivatives: Array, seed: Any) -> None:
    """Write the derivative of the last node by each constant."""
    last = nodes.shape[0] - 1
    slopes[last] = _U1
    for i in range(last, -1, -1):
        if nodes[i, 3] == 0:
            continue
        op, first, second = nodes[i, 0], nodes[i, 1], nodes[i, 2]
        g = slopes[i]
        if op == _CONSTANT:
            derivatives[first] = g
            continue
        a, b, v = values[first], values[second], values[i]
        if op == 1 or op == 2:
            slopes[first], slopes[second] = g, g if op == 1 else _minus(g)
        elif op == 3:
            slopes[first], slopes[second] = _mul(g, b), _mul(g, a)
        elif op == 4:
            left = _mul(g, _inverse(b))
            slopes[first], slopes[second] = left, _minus(_mul(left, v))
        elif op == 5:
            n = _whole_power(nodes, i, values)
            if n <= _HALF_POWER:
                slope = np.uint64(0) if a == 0 else _mul(_mul(values[second], v), _inverse(a))
                slopes[first] = _mul(g, slope)
            elif _is_root(nodes, i, values):
                slopes[first] = _mul(g, _function(14, a, seed, 1))
            else:
                slopes[first] = _mul(g, _drawn(seed, 105, a, b))
                slopes[second] = _mul(g, _drawn(seed, 106, a, b))
        elif op == 10:
            slopes[first] = _minus(g)
        elif op == 11:
            slopes[first] = _minus(_mul(g, _mul(v, v)))
        elif op == 12:
            slopes[first] = _mul(g, _add(a, a))
        elif op == 13:
            slopes[first] = _mul(g, _mul(_U3, _mul(a, a)))
        else:
            slopes[first] = _mul(g, _function(op, a, seed, 1))


@_jit
def _parsed(codes: Array, nodes: Array) -> int:
    """Write the nodes of a formula in postfix order; return its number of constants, or -1 if it is none.

    A node is its opcode, first operand, second operand, and whether a constant is below it.
    """
    m = codes.shape[0]
    stack = np.empty(m + 1, dtype=np.int64)
    depth, n_constants = 0, 0
    for i in range(m):
        op = codes[m - 1 - i]
        nodes[i, 0], nodes[i, 1], nodes[i, 2], nodes[i, 3] = op, 0, 0, 0
        if op == _CONSTANT:
            nodes[i, 1], nodes[i, 3] = n_constants, 1
            n_constants += 1
        elif op < _COLUMN:
            arity = 2 if op <= 7 else 1
            if depth < arity:
                return -1
            first = stack[depth - 1]
            second = stack[depth - 2] if arity == 2 else first
            depth -= arity
            nodes[i, 1], nodes[i, 2], nodes[i, 3] = first, second, nodes[first, 3] | nodes[second, 3]
        stack[depth] = i
        depth += 1
    return n_constants if depth == 1 else -1


@_jit
def _fingerprint_kernel(codes: Array) -> tuple[Any, Any, bool]:
    m = codes.shape[0]
    nodes = np.empty((m, 4), dtype=np.int64)
    k = _parsed(codes, nodes)
    if k < 0:
        return np.uint64(0), np.uint64(0), False
    values, slopes = np.empty(m, dtype=np.uint64), np.empty(m, dtype=np.uint64)
    constants, derivatives = np.empty(k, dtype=np.uint64), np.empty(k, dtype=np.uint64)
    answer = np.zeros(2, dtype=np.uint64)
    for half in range(2):
        seed = _mixed(np.uint64(half + 1))
        constants[:] = _drawn(seed, 500, np.uint64(0), np.uint64(0))
        if k > 1:
            if not _forward(nodes, constants, values, seed)[1]:
                return np.uint64(0), np.uint64(0), False
            _reverse(nodes, values, slopes, derivatives, seed)
            for i in range(k):
                for j in range(i):
                    if derivatives[i] == derivatives[j]:
                        return np.uint64(0), np.uint64(0), False
                constants[i] = _drawn(seed, 501, derivatives[i], np.uint64(0))
        partial, good = _forward(nodes, constants, values, seed)
        if not good:
            return np.uint64(0), np.uint64(0), False
        answer[half] = _mixed(_mixed(values[m - 1] ^ _mixed(partial)) ^ np.uint64(k))
    return answer[0], answer[1], True
