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


@_jit
def column_kernel(code: Array, literals: Array, roots: Array, X: Array, out: Array) -> None:
    """Write the values of several nodes of a program without constants into ``out`` (h, n); X is (d, n)."""
    n = out.shape[1]
    V = np.empty((code.shape[0], BLOCK))
    _fill(code, literals, literals, V)
    for start in range(0, n, BLOCK):
        width = min(BLOCK, n - start)
        _forward(code, V, start, width, X)
        for h in range(roots.shape[0]):
            out[h, start : start + width] = V[roots[h], :width]


def _jit_sum(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a sum whose order may change, so that it runs on vectors; NaN and infinity keep their rules."""
    flags = {"reassoc", "contract"}
    compiled: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy", fastmath=flags)(function)
    return compiled


@_jit_sum
def _mean(a: Array) -> float:
    total = 0.0
    for r in range(a.shape[0]):
        total += a[r]
    return total / len(a)


@_jit_sum
def _dot(a: Array, b: Array) -> float:
    total = 0.0
    for r in range(a.shape[0]):
        total += a[r] * b[r]
    return total


@_jit
def _residual(f: Array, y: Array, affine: bool, unit: float, r: Array) -> tuple[float, float]:
    """Turn f into f - mean(f) (affine) or f / unit, write r = y - a f; return a and the sum of squares.

    With ``affine``, y has mean 0 and a is the best slope; else a is 1. The sum is infinite if f is.
    """
    n = y.shape[0]
    a = 1.0
    if affine:
        mean = _mean(f)
        if not math.isfinite(mean):
            return 0.0, np.inf
        size = n * mean * mean
        for i in range(n):
            f[i] -= mean
        ff = _dot(f, f)
        if not math.isfinite(ff):
            return 0.0, np.inf
        a = _dot(f, y) / ff if ff > 1e-26 * size else 0.0
    else:
        for i in range(n):
            f[i] /= unit
    for i in range(n):
        r[i] = y[i] - a * f[i]
    loss = _dot(r, r)
    return (a, loss) if math.isfinite(loss) else (0.0, np.inf)


@_jit
def _normal_equations(
    J: Array, f: Array, r: Array, a: float, affine: bool, unit: float, H: Array, g: Array
) -> None:
    """Write a² J'J and a J'r; with ``affine``, J is first projected off the span of 1 and f (Kaufman)."""
    k, n = J.shape
    ff = _dot(f, f) if affine else 0.0
    for i in range(k):
        row = J[i]
        for t in range(n):
            row[t] = row[t] / unit if math.isfinite(row[t]) else 0.0
        if affine:
            mean = _mean(row)
            slope = _dot(row, f) / ff if ff > 0.0 else 0.0
            for t in range(n):
                row[t] -= mean + slope * f[t]
        g[i] = a * _dot(row, r)
        for j in range(i + 1):
            H[i, j] = a * a * _dot(row, J[j])
            H[j, i] = H[i, j]


@_jit
def _solve(H: Array, g: Array, damping: Array, L: Array, step: Array) -> bool:
    """Solve (H + diag(damping)) step = g by Cholesky; False if the matrix is not positive definite."""
    k = g.shape[0]
    for i in range(k):
        for j in range(i + 1):
            total = H[i, j]
            if i == j:
                total += damping[i]
            for t in range(j):
                total -= L[i, t] * L[j, t]
            if i != j:
                L[i, j] = total / L[j, j]
            elif total > 0.0 and math.isfinite(total):
                L[i, i] = math.sqrt(total)
            else:
                return False
    for i in range(k):
        total = g[i]
        for t in range(i):
            total -= L[i, t] * step[t]
        step[i] = total / L[i, i]
    for i in range(k - 1, -1, -1):
        total = step[i]
        for t in range(i + 1, k):
            total -= L[t, i] * step[t]
        step[i] = total / L[i, i]
    return True


@_jit
def _block_values(code: Array, literals: Array, c: Array, V: Array, X: Array, out: Array) -> None:
    """Write the values for constants c into ``out`` (n,), in blocks as wide as V."""
    n = out.shape[0]
    _fill(code, literals, c, V)
    for start in range(0, n, V.shape[1]):
        width = min(V.shape[1], n - start)
        _forward(code, V, start, width, X)
        out[start : start + width] = V[code.shape[0] - 1, :width]


@_jit
def _block_jacobian(code: Array, literals: Array, c: Array, V: Array, A: Array, X: Array, J: Array) -> None:
    """Write the derivatives at constants c into J (k, n); V may hold another point's values if n is long."""
    n = J.shape[1]
    if n <= V.shape[1]:  # V still holds this very point
        _reverse(code, V, A, 0, n, J)
        return
    _fill(code, literals, c, V)
    for start in range(0, n, V.shape[1]):
        width = min(V.shape[1], n - start)
        _forward(code, V, start, width, X)
        _reverse(code, V, A, start, width, J)


@_jit
def _within(c: Array, bound: float) -> bool:
    return bool(np.all(np.abs(c) <= bound))


@_jit
def _stepped(step: Array, c: Array) -> bool:
    """Whether the step changes any constant noticeably."""
    return bool(np.any(np.abs(step) > 1e-11 * (np.abs(c) + 1e-11)))


@_jit
def _descend(
    code: Array,
    literals: Array,
    X: Array,
    y: Array,
    affine: bool,
    unit: float,
    c: Array,
    max_iterations: int,
    max_constant: float,
    V: Array,
    A: Array,
    J: Array,
    work: Array,
) -> tuple[float, int, bool]:
    """Levenberg-Marquardt from c, which is overwritten by the best point; loss, evaluations, converged."""
    k = c.shape[0]
    n = y.shape[0]
    f, r, f_new, r_new = work[0], work[1], work[2], work[3]
    H, L = np.empty((k, k)), np.zeros((k, k))
    g, step, trial, damping, scale = np.empty(k), np.empty(k), np.empty(k), np.empty(k), np.zeros(k)
    _block_values(code, literals, c, V, X, f)
    a, loss = _residual(f, y, affine, unit, r)
    evaluations = 1
    for factor in (0.1, 10.0, -1.0, 0.01, 100.0, -0.1):
        if loss < np.inf or k == 0 or max_iterations == 0:
            break
        trial[:] = c * factor
        _block_values(code, literals, trial, V, X, f)
        a, loss = _residual(f, y, affine, unit, r)
        evaluations += 1
        if loss < np.inf:
            c[:] = trial
    if k == 0 or loss == np.inf or max_iterations == 0:
        return loss, evaluations, k == 0 and loss < np.inf
    mu, nu, fresh = 1e-2, 2.0, True
    for _ in range(max_iterations):
        if loss <= 1e-31 * n:
            return loss, evaluations, True
        if fresh:
            _block_jacobian(code, literals, c, V, A, X, J)
            _normal_equations(J, f, r, a, affine, 1.0 if affine else unit, H, g)
            for i in range(k):
                scale[i] = max(scale[i], H[i, i])
            fresh = False
        largest = np.max(scale)
        if largest == 0.0 or not math.isfinite(largest):
            return loss, evaluations, largest == 0.0
        for i in range(k):
            damping[i] = mu * max(scale[i], 1e-14 * largest)
        new = np.inf
        predicted = 0.0
        if _solve(H, g, damping, L, step):
            trial[:] = c + step
            if not _stepped(step, c):
                return loss, evaluations, True
            for i in range(k):
                predicted += step[i] * (damping[i] * step[i] + g[i])
            if _within(trial, max_constant):
                _block_values(code, literals, trial, V, X, f_new)
                a_new, new = _residual(f_new, y, affine, unit, r_new)
                evaluations += 1
        if new < loss:
            gain = (loss - new) / predicted if predicted > 0.0 else 1.0
            done = loss - new <= 1e-11 * loss
            c[:] = trial
            f, f_new, r, r_new = f_new, f, r_new, r
            a, loss, fresh = a_new, new, True
            mu *= max(0.1, 1.0 - (2.0 * gain - 1.0) ** 3)
            nu = 2.0
            if done:
                return loss, evaluations, True
        else:
            mu *= nu
            nu *= 2.0
            if mu > 1e13 or (new < np.inf and predicted <= 1e-14 * loss):
                return loss, evaluations, True
    return loss, evaluations, False


@_jit
def fit_kernel(
    code: Array,
    literals: Array,
    X: Array,
    y: Array,
    affine: bool,
    unit: float,
    starts: Array,
    max_iterations: int,
    max_constant: float,
    best: Array,
) -> tuple[float, int, int, bool]:
    """Fit the constants of a program from several starts.

    ``X`` is (h, n), ``y`` (n,) has root mean square 1, and mean 0 with ``affine``; ``starts`` is (s, k) and
    is overwritten; the best constants go to ``best`` (k,). Returns the sum of squares, the evaluations, the
    starts used and whether the best start converged.
    """
    n = y.shape[0]
    k = best.shape[0]
    width = n if n <= 2 * BLOCK else BLOCK
    V = np.empty((code.shape[0], width))
    A = np.empty((code.shape[0], width))
    J = np.empty((k, n))
    work = np.empty((4, n))
    lowest, evaluations, used, converged = np.inf, 0, 0, False
    best[:] = starts[0]
    for s in range(starts.shape[0]):
        loss, spent, done = _descend(
            code, literals, X, y, affine, unit, starts[s], max_iterations, max_constant, V, A, J, work
        )
        evaluations += spent
        used += 1
        if loss < lowest:
            lowest, converged = loss, done
            best[:] = starts[s]
        if lowest <= 1e-24 * n or k == 0:
            break
    return lowest, evaluations, used, converged
