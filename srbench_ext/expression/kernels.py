"""Compiled inner loops: values and derivatives of a program, block by block.

Everything that numba compiles for this is in one module, because numba's file cache watches the file of the
function it compiles and not the files of the functions that one calls.

A program is an int64 array ``code`` of shape (m, 4), one row a node in postfix order: opcode, first operand,
second operand, and which kinds of fitted constants are below the node: bit ``FITTED`` for any, ``LINEAR`` for
those that a fit solves in closed form, ``SEARCHED`` for the others (the last two only where they are told
apart). Operands are node numbers; for a leaf the first operand is the column, the constant's number or the
literal's position. Nodes hold blocks of ``BLOCK``
rows, so that every inner loop is a plain loop over contiguous doubles.

A node's block is reached through an address rather than through a slice of an array: a slice costs more than
the loop over its 128 numbers, and a column of the table needs no copy. The arrays behind the addresses are
always arguments of the function that takes the addresses, so they outlive them.

``exp``, ``log``, ``sin``, ``cos``, ``tanh`` and ``pow`` are written without branches, so that the compiler
turns them into vector instructions; they are within 2 units in the last place. Where they would not be (huge
angles, powers of numbers that are not positive) the C library is asked, a block at a time.

Outside of their domain operators give NaN (log of 0 and division by 0 too), overflow gives infinity.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # numba's own, without types
from numba import njit, types
from numba.extending import intrinsic

__all__ = [
    "BLOCK",
    "FITTED",
    "LINEAR",
    "OP_COLUMN",
    "OP_CONSTANT",
    "OP_INTEGER_POWER",
    "OP_LITERAL",
    "SEARCHED",
    "affine_kernel",
    "column_kernel",
    "fit_kernel",
    "jacobian_kernel",
    "loss_kernel",
    "size_kernel",
    "target_kernel",
    "unary_kernel",
    "value_kernel",
]

BLOCK = 128
OP_COLUMN = 0
OP_CONSTANT = -1
OP_LITERAL = -2
OP_INTEGER_POWER = 40  # the second operand is the exponent itself

Integer = Any  # of numpy, since numba compiles a function anew for every literal of Python that it is given
FITTED: Integer = np.int64(1)
LINEAR: Integer = np.int64(2)
SEARCHED: Integer = np.int64(4)
_FIRST_ROW: Integer = np.int64(0)

Array = Any  # numba sees arrays only; the public wrappers are typed
Rows = Any  # the address of a block of doubles

P = ParamSpec("P")
R = TypeVar("R")


def _jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first call, keep the machine code beside the module, release the GIL, never raise."""
    compiled: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


def _jit_fused(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with fused multiplication and addition, which is faster and rounds once less."""
    compiled: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})(
        function
    )
    return compiled


def _jit_sum(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a sum whose order may change, so that it runs on vectors; NaN and infinity keep their rules."""
    flags = {"reassoc", "contract"}
    compiled: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy", fastmath=flags)(function)
    return compiled


def _intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have one instruction generated."""
    generated: Callable[..., Any] = intrinsic(function)
    return generated


@_intrinsic
def _rows(context: Any, address: Any) -> Any:
    """Turn an address into a pointer to doubles."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.DoubleType().as_pointer())

    pointer: Any = types.CPointer
    return pointer(types.float64)(types.int64), generate


@_intrinsic
def _bits(context: Any, number: Any) -> Any:
    """Read the 64 bits of a double as an integer."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


@_intrinsic
def _double(context: Any, bits: Any) -> Any:
    """Read 64 bits as a double."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


@_intrinsic
def _fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """Compute a * b + c with one rounding."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it leaves a whole number in the low bits
_ROUND_BITS = 0x4338000000000000
_LOG2E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01  # 32 bits, so that small multiples are exact
_LN2_LOW = 1.90821492927058770002e-10
_TWO_OVER_PI = 6.36619772367581382433e-01
_HALF_PI = (  # in three parts of 33 bits and a rest
    1.57079632673412561417e00,
    6.07710050630396597660e-11,
    2.02226624871116645580e-21,
    8.47842766036889956997e-32,
)
_LARGEST_ANGLE = 8e5  # below 2**19 quarter turns
_ROOT_HALF_BITS = 0x3FE6A09E00000000
_SMALLEST_NORMAL = 2.2250738585072014e-308
_LARGEST_EXPONENT = 1e6  # of the vector power
_ORDINARY = 5.0  # sizes within this factor of 1 leave a start as it is
_EXACT = 1e-24  # mean square of a residual at which no further start is needed
_DEPENDENT = 1e-10  # a column nearer than this to the span of others (relative) is not solved for
_ROUNDING = 1e-26  # squared size of a projection that is rounding
_TWO_THIRDS = 2.0 / 3.0
_TWO_THIRDS_LOW = 3.700743415417188e-17  # what the rounding of 2 / 3 left over


@_jit_fused
def _exp_of(x: float, rest: float) -> Any:
    """Compute exp(x + rest), |rest| tiny, by Taylor's series after a power of two was taken out."""
    x = 710.0 if x > 710.0 else x  # written so that NaN stays
    x = -746.0 if x < -746.0 else x
    t = x * _LOG2E + _ROUND
    n = _bits(t) - _ROUND_BITS
    whole = t - _ROUND
    z = (x - whole * _LN2_HIGH) - (whole * _LN2_LOW - rest)
    p = 1.0 / 6227020800.0
    p = p * z + 1.0 / 479001600.0
    p = p * z + 1.0 / 39916800.0
    p = p * z + 1.0 / 3628800.0
    p = p * z + 1.0 / 362880.0
    p = p * z + 1.0 / 40320.0
    p = p * z + 1.0 / 5040.0
    p = p * z + 1.0 / 720.0
    p = p * z + 1.0 / 120.0
    p = p * z + 1.0 / 24.0
    p = p * z + 1.0 / 6.0
    p = p * z + 0.5
    y = 1.0 + (z + z * z * p)
    half = n >> 1
    # two factors, since 2**n itself may be below or above the range
    return y * _double((half + 1023) << 52) * _double((n - half + 1023) << 52)


@_jit_fused
def _exp(a: Rows, out: Rows, n: int) -> None:
    for r in range(n):
        out[r] = _exp_of(a[r], 0.0)


@_jit_fused
def _log(a: Rows, out: Rows, n: int) -> None:
    """Logarithm by the series of atanh in (m - 1) / (m + 1), coefficients of Sun's fdlibm (1993)."""
    for r in range(n):
        x = a[r]
        tiny = x < _SMALLEST_NORMAL
        bits = _bits(x * 18014398509481984.0 if tiny else x)
        k = (bits - _ROOT_HALF_BITS) >> 52
        f = _double(bits - (k << 52)) - 1.0
        e = float(k) - (54.0 if tiny else 0.0)
        s = f / (2.0 + f)
        z = s * s
        w = z * z
        odd = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
        even = z * (
            6.666666666666735130e-01
            + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860510658591e-01))
        )
        h = 0.5 * f * f
        y = e * _LN2_HIGH - ((h - (s * (h + (odd + even)) + e * _LN2_LOW)) - f)
        y = x if x == np.inf else y
        out[r] = y if x > 0.0 else np.nan


@_jit_fused
def _sine(a: Rows, out: Rows, n: int, quarter: int) -> None:
    """sin(a + quarter * pi / 2): Cody and Waite's reduction in three parts, polynomials of Sun's fdlibm."""
    far = 0
    for r in range(n):
        far += 1 if abs(a[r]) > _LARGEST_ANGLE else 0
    if far:
        for r in range(n):
            out[r] = math.cos(a[r]) if quarter else math.sin(a[r])
        return
    for r in range(n):
        x = a[r]
        t = x * _TWO_OVER_PI + _ROUND
        turns = t - _ROUND
        q = _bits(t) + quarter
        x0 = x - turns * _HALF_PI[0]
        w = turns * _HALF_PI[1]
        x1 = x0 - w
        b = x1 - x0
        low = (x0 - (x1 - b)) - (w + b)
        w = turns * _HALF_PI[2]
        x2 = x1 - w
        b = x2 - x1
        low += ((x1 - (x2 - b)) - (w + b)) - turns * _HALF_PI[3]
        u = x2 + low
        v = (x2 - u) + low
        z = u * u
        p = -2.50507602534068634195e-08 + z * 1.58969099521155010221e-10
        p = 8.33333333332248946124e-03 + z * (
            -1.98412698298579493134e-04 + z * (2.75573137070700676789e-06 + z * p)
        )
        sine = u - ((z * (0.5 * v - z * u * p) - v) + z * u * 1.66666666666666324348e-01)
        p = -2.75573143513906633035e-07 + z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)
        p = 4.16666666666666019037e-02 + z * (
            -1.38888888888741095749e-03 + z * (2.48015872894767294178e-05 + z * p)
        )
        h = 1.0 - 0.5 * z
        cosine = h + (((1.0 - h) - 0.5 * z) + (z * z * p - u * v))
        y = cosine if q & 1 else sine
        out[r] = -y if q & 2 else y


@_jit_fused
def _tanh(a: Rows, out: Rows, n: int) -> None:
    """Moshier's rational function (Cephes) near 0, else by exp."""
    for r in range(n):
        x = a[r]
        z = x * x
        p = -9.64399179425052238628e-1 * z - 9.92877231001918586564e1
        q = (z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3
        near = x + x * z * ((p * z - 1.61468768441708447952e3) / (q * z + 4.84406305325125486048e3))
        size = abs(x)
        far = 1.0 - 2.0 / (_exp_of(2.0 * size, 0.0) + 1.0)
        out[r] = near if size < 0.625 else (-far if x < 0.0 else far)


@_jit
def _integer_power(a: Rows, power: int, out: Rows, n: int) -> None:
    """a**power by repeated squaring, one loop a step; NaN for 0 to a negative power."""
    size = abs(power)
    bit = 1
    while 2 * bit <= size:
        bit *= 2
    if size == 0:
        for r in range(n):
            out[r] = 1.0 if a[r] == a[r] else np.nan
        return
    for r in range(n):
        out[r] = a[r]
    while bit > 1:
        bit //= 2
        if size & bit:
            for r in range(n):
                out[r] = out[r] * out[r] * a[r]
        else:
            for r in range(n):
                out[r] = out[r] * out[r]
    if power < 0:
        for r in range(n):
            out[r] = 1.0 / out[r] if a[r] != 0.0 else np.nan


@_jit
def _power_of(a: float, b: float) -> float:
    if a != a or b != b or (a == 0.0 and b < 0.0):
        return np.nan
    return math.pow(a, b)


@_jit_fused
def _power(a: Rows, b: Rows, out: Rows, n: int) -> None:
    """a**b as exp(b log(a)), the logarithm in double-double; what is not in the plain range one by one."""
    plain = 0
    for r in range(n):
        inside = (a[r] >= _SMALLEST_NORMAL) & (a[r] < np.inf) & (abs(b[r]) <= _LARGEST_EXPONENT)
        plain += 1 if inside else 0
    if plain < n:
        for r in range(n):
            out[r] = _power_of(a[r], b[r])
        return
    for r in range(n):
        bits = _bits(a[r])
        k = (bits - _ROOT_HALF_BITS) >> 52
        e = float(k)
        f = _double(bits - (k << 52)) - 1.0
        d = 2.0 + f
        s = f / d
        s_low = (_fma(-s, d, f) - s * (f - (d - 2.0))) / d
        z = s * s
        z_low = _fma(s, s, -z) + 2.0 * s * s_low
        p = 2.0 / 27.0
        p = p * z + 2.0 / 25.0
        p = p * z + 2.0 / 23.0
        p = p * z + 2.0 / 21.0
        p = p * z + 2.0 / 19.0
        p = p * z + 2.0 / 17.0
        p = p * z + 2.0 / 15.0
        p = p * z + 2.0 / 13.0
        p = p * z + 2.0 / 11.0
        p = p * z + 2.0 / 9.0
        p = p * z + 2.0 / 7.0
        p = p * z + 2.0 / 5.0
        cube = s * z
        cube_low = _fma(s, z, -cube) + s * z_low + s_low * z
        third = cube * _TWO_THIRDS
        third_low = _fma(cube, _TWO_THIRDS, -third) + cube * _TWO_THIRDS_LOW + cube_low * _TWO_THIRDS
        big = e * _LN2_HIGH
        sum1 = big + 2.0 * s
        sum2 = sum1 + third
        low = (2.0 * s - (sum1 - big)) + (third - (sum2 - sum1))
        low += third_low + cube * z * p + 2.0 * s_low + e * _LN2_LOW
        high = sum2 + low
        low -= high - sum2
        product = b[r] * high
        out[r] = _exp_of(product, _fma(b[r], high, -product) + b[r] * low)


@_jit
def _binary(op: int, a: Rows, b: Rows, out: Rows, n: int) -> None:
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
        _power(a, b, out, n)
    elif op == 6:
        for r in range(n):
            out[r] = a[r] if (a[r] > b[r] or a[r] != a[r]) else b[r]
    else:
        for r in range(n):
            out[r] = a[r] if (a[r] < b[r] or a[r] != a[r]) else b[r]


@_jit
def _algebraic(op: int, a: Rows, out: Rows, n: int) -> None:
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
def _transcendental(op: int, a: Rows, out: Rows, n: int) -> None:
    if op == 15:
        _exp(a, out, n)
    elif op == 16:
        _log(a, out, n)
    elif op == 17:
        _sine(a, out, n, 0)
    elif op == 18:
        _sine(a, out, n, 1)
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
        _tanh(a, out, n)


@_jit
def _locate(B: Array, at: Array) -> None:
    """Write the address of each row of a buffer (m, width) into ``at`` (m,)."""
    for i in range(at.shape[0]):
        at[i] = B.ctypes.data + i * B.strides[0]


@_jit
def _forward(code: Array, V: Array, at: Array, start: int, width: int, X: Array) -> None:
    """Evaluate one block; V has the constants and literals, X is (d, n), ``at`` has V's addresses.

    The addresses of column nodes are set to the block in X itself.
    """
    for i in range(code.shape[0]):
        op = code[i, 0]
        first = code[i, 1]
        if op == OP_COLUMN:
            at[i] = X.ctypes.data + first * X.strides[0] + start * 8
        elif op == OP_INTEGER_POWER:
            _integer_power(_rows(at[first]), code[i, 2], _rows(at[i]), width)
        elif op >= 15 and op != 26:
            _transcendental(op, _rows(at[first]), _rows(at[i]), width)
        elif op >= 10:
            _algebraic(op, _rows(at[first]), _rows(at[i]), width)
        elif op > 0:
            _binary(op, _rows(at[first]), _rows(at[code[i, 2]]), _rows(at[i]), width)


@_jit
def _copy(a: Rows, out: Rows, n: int) -> None:
    for r in range(n):
        out[r] = a[r]


@_jit
def _fill(code: Array, literals: Array, constants: Array, V: Array) -> None:
    """Write constants and literals into their rows of the node buffer."""
    for i in range(code.shape[0]):
        if code[i, 0] == OP_CONSTANT or code[i, 0] == OP_LITERAL:
            value = constants[code[i, 1]] if code[i, 0] == OP_CONSTANT else literals[code[i, 1]]
            for r in range(V.shape[1]):
                V[i, r] = value


@_jit
def _values(
    code: Array, literals: Array, constants: Array, V: Array, at: Array, X: Array, out: Array
) -> None:
    """Write the values for the constants into ``out`` (n,), in blocks as wide as V."""
    n = out.shape[0]
    _fill(code, literals, constants, V)
    for start in range(0, n, V.shape[1]):
        width = min(V.shape[1], n - start)
        _forward(code, V, at, start, width, X)
        _copy(_rows(at[code.shape[0] - 1]), _rows(out.ctypes.data + start * 8), width)


@_jit
def value_kernel(code: Array, literals: Array, constants: Array, X: Array, out: Array) -> None:
    """Write the program's values into ``out`` (n,); X is (d, n)."""
    V = np.empty((code.shape[0], BLOCK))
    at = np.empty(code.shape[0], dtype=np.int64)
    _locate(V, at)
    _values(code, literals, constants, V, at, X, out)


@_jit
def unary_kernel(op: int, a: Array, out: Array) -> None:
    """Write one operator's values on ``a`` (n,) into ``out`` (n,)."""
    if op >= 15 and op != 26:
        _transcendental(op, _rows(a.ctypes.data), _rows(out.ctypes.data), a.shape[0])
    else:
        _algebraic(op, _rows(a.ctypes.data), _rows(out.ctypes.data), a.shape[0])


@_jit
def _pull_left(op: int, g: Rows, a: Rows, b: Rows, v: Rows, ga: Rows, n: int) -> None:
    """Adjoint of the first operand of a binary node with adjoint g and value v; sums do not come here."""
    if op == 3:
        for r in range(n):
            ga[r] = g[r] * b[r]
    elif op == 4:
        for r in range(n):
            ga[r] = g[r] / b[r]
    elif op == 5:
        for r in range(n):
            slope = b[r] * v[r] / a[r]
            ga[r] = g[r] * (slope if a[r] != 0.0 else (1.0 if b[r] == 1.0 else 0.0))
    else:
        for r in range(n):
            first = (a[r] >= b[r]) if op == 6 else (a[r] <= b[r])
            ga[r] = g[r] if first else 0.0


@_jit
def _pull_right(op: int, g: Rows, a: Rows, b: Rows, v: Rows, gb: Rows, n: int) -> None:
    """Adjoint of the second operand of a binary node with adjoint g and value v."""
    if op == 2:
        for r in range(n):
            gb[r] = -g[r]
    elif op == 3:
        for r in range(n):
            gb[r] = g[r] * a[r]
    elif op == 4:
        for r in range(n):
            gb[r] = -g[r] * v[r] / b[r]
    elif op == 5:
        _log(a, gb, n)
        for r in range(n):
            gb[r] = g[r] * v[r] * gb[r] if a[r] > 0.0 else 0.0
    else:
        for r in range(n):
            first = (a[r] >= b[r]) if op == 6 else (a[r] <= b[r])
            gb[r] = 0.0 if first else g[r]


@_jit
def _pull_algebraic(op: int, g: Rows, a: Rows, v: Rows, ga: Rows, n: int) -> None:
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
def _pull_transcendental(op: int, g: Rows, a: Rows, v: Rows, ga: Rows, n: int) -> None:
    if op == 15:
        for r in range(n):
            ga[r] = g[r] * v[r]
    elif op == 16:
        for r in range(n):
            ga[r] = g[r] / a[r]
    elif op == 17 or op == 18:
        _sine(a, ga, n, op - 16)  # the derivative is the function a quarter turn on
        for r in range(n):
            ga[r] *= g[r]
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
def _reverse(
    code: Array, at: Array, A: Array, g_at: Array, start: int, width: int, J: Array, kind: int
) -> None:
    """Write d(value)/d(constant k) into J[k, start : start + width] for the constants of a kind.

    ``at`` has the addresses of the block's values, ``g_at`` (m,) is room for those of the adjoints in A.
    """
    last = code.shape[0] - 1
    _locate(A, g_at)
    for r in range(width):
        A[last, r] = 1.0
    for i in range(last, -1, -1):
        if code[i, 3] & kind == 0:
            continue
        op = code[i, 0]
        first, second = code[i, 1], code[i, 2]
        g = _rows(g_at[i])
        if op == OP_CONSTANT:
            _copy(g, _rows(J.ctypes.data + first * J.strides[0] + start * 8), width)
        elif op == OP_INTEGER_POWER:
            ga = _rows(g_at[first])
            _integer_power(_rows(at[first]), second - 1, ga, width)
            for r in range(width):
                ga[r] *= g[r] * second
        elif op >= 15 and op != 26:
            _pull_transcendental(op, g, _rows(at[first]), _rows(at[i]), _rows(g_at[first]), width)
        elif op >= 10:
            _pull_algebraic(op, g, _rows(at[first]), _rows(at[i]), _rows(g_at[first]), width)
        else:
            a, b = _rows(at[first]), _rows(at[second])
            if code[second, 3] & kind:
                if op == 1:
                    g_at[second] = g_at[i]
                else:
                    _pull_right(op, g, a, b, _rows(at[i]), _rows(g_at[second]), width)
            if code[first, 3] & kind:
                if op <= 2:
                    g_at[first] = g_at[i]
                else:
                    _pull_left(op, g, a, b, _rows(at[i]), _rows(g_at[first]), width)


@_jit
def jacobian_kernel(code: Array, literals: Array, constants: Array, X: Array, out: Array, J: Array) -> None:
    """Write values into ``out`` (n,) and the derivatives by each constant into ``J`` (k, n); X is (d, n)."""
    n = out.shape[0]
    last = code.shape[0] - 1
    V = np.empty((last + 1, BLOCK))
    A = np.empty((last + 1, BLOCK))
    at = np.empty(last + 1, dtype=np.int64)
    g_at = np.empty(last + 1, dtype=np.int64)
    _locate(V, at)
    _fill(code, literals, constants, V)
    for start in range(0, n, BLOCK):
        width = min(BLOCK, n - start)
        _forward(code, V, at, start, width, X)
        _copy(_rows(at[last]), _rows(out.ctypes.data + start * 8), width)
        _reverse(code, at, A, g_at, start, width, J, FITTED)


@_jit
def column_kernel(code: Array, literals: Array, roots: Array, X: Array, out: Array) -> None:
    """Write the values of several nodes of a program without constants into ``out`` (h, n); X is (d, n)."""
    n = out.shape[1]
    V = np.empty((code.shape[0], BLOCK))
    at = np.empty(code.shape[0], dtype=np.int64)
    _locate(V, at)
    _fill(code, literals, literals, V)
    for start in range(0, n, BLOCK):
        width = min(BLOCK, n - start)
        _forward(code, V, at, start, width, X)
        for h in range(roots.shape[0]):
            target = out.ctypes.data + h * out.strides[0] + start * 8
            _copy(_rows(at[roots[h]]), _rows(target), width)


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
def target_kernel(y: Array, centred: Array, scaled: Array) -> tuple[int, float, float, bool]:
    """Write y with mean 0 and mean square 1, and y over its root mean square.

    Returns how many values are not finite (if any, nothing else holds), the mean, the root mean square (1 for
    zeros) and whether y varies.
    """
    n = y.shape[0]
    largest = 0.0
    bad = 0
    for r in range(n):
        bad += 0 if math.isfinite(y[r]) else 1
        largest = max(largest, abs(y[r]))
    if bad or n == 0:
        return bad, 0.0, 1.0, False
    if largest == 0.0:
        largest = 1.0
    for r in range(n):
        scaled[r] = y[r] / largest
    mean = _mean(scaled)
    rms = math.sqrt(_dot(scaled, scaled) / n)
    for r in range(n):
        centred[r] = scaled[r] - mean
    spread = math.sqrt(_dot(centred, centred) / n)
    for r in range(n):
        centred[r] /= spread if spread > 0.0 else 1.0
        scaled[r] /= rms if rms > 0.0 else 1.0
    return 0, mean * largest, (rms if rms > 0.0 else 1.0) * largest, spread > 1e-15


@_jit
def _size(a: Array) -> float:
    """Return the root mean square, or 1 where that is of ordinary size, zero or not finite."""
    size = math.sqrt(_dot(a, a) / a.shape[0])
    return 1.0 if 1.0 / _ORDINARY <= size <= _ORDINARY or size == 0.0 or not size < np.inf else size


@_jit
def size_kernel(code: Array, columns: Array, sizes: Array) -> bool:
    """Write into ``sizes`` (k,) how large each constant is that makes a difference beside its column.

    That is the inverse size of a column that it multiplies, and the size of one that it divides or is added
    to. Returns whether any differs from 1.
    """
    sizes[:] = 1.0
    for i in range(code.shape[0]):
        op = code[i, 0]
        if op < 1 or op > 4:
            continue
        for c, x in ((code[i, 1], code[i, 2]), (code[i, 2], code[i, 1])):
            if code[c, 0] == OP_CONSTANT and code[x, 0] == OP_COLUMN:
                size = _size(columns[code[x, 1]])
                sizes[code[c, 1]] = 1.0 / size if op == 3 else size
    return bool(np.any(sizes != 1.0))


@_jit
def loss_kernel(values: Array, y: Array, rms: float) -> float:
    """Return the mean squared error, computed in units of ``rms``; infinite if it is not finite."""
    n = y.shape[0]
    total = 0.0
    for r in range(n):
        error = (values[r] - y[r]) / rms
        total += error * error
    loss = total / n * rms * rms
    return loss if math.isfinite(loss) else np.inf


@_jit
def affine_kernel(f: Array, y: Array, mean: float, rms: float) -> tuple[float, float]:
    """Return the scale and offset that bring f (n,) nearest to y, whose mean and root mean square are given.

    NaN if f is not finite; scale 0 if f does not vary.
    """
    n = y.shape[0]
    centre = _mean(f)
    size = 0.0
    for r in range(n):
        far = abs(f[r] - centre)
        if not far < np.inf:
            return np.nan, np.nan
        size = max(size, far)
    if size <= 1e-13 * abs(centre):
        return 0.0, mean
    fy, ff = 0.0, 0.0
    for r in range(n):
        unit = (f[r] - centre) / size
        fy += unit * ((y[r] - mean) / rms)
        ff += unit * unit
    a = fy / ff * rms / size
    return a, mean - a * centre


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
def _within(c: Array, bound: float) -> bool:
    inside = True
    for i in range(c.shape[0]):
        inside &= abs(c[i]) <= bound
    return inside


@_jit
def _stepped(step: Array, c: Array, free: Array) -> bool:
    """Whether the step changes any free constant noticeably."""
    changed = False
    for i in range(free.shape[0]):
        changed |= abs(step[i]) > 1e-14 * (abs(c[free[i]]) + 1e-11)
    return changed


class _Task(NamedTuple):
    """What is fitted to what; see :func:`fit_kernel`."""

    code: Array
    literals: Array
    X: Array
    y: Array
    affine: bool
    unit: float
    max_constant: float


class _Room(NamedTuple):
    """Arrays that a fit writes into, allocated once for all starts.

    ``V`` and ``A`` (m, width) are the blocks of values and adjoints, ``at`` has the addresses in V, ``g_at``
    is room for those in A. ``J`` (k, n) has a row for each constant. Of the p constants numbered in
    ``linear``, ``basis`` (p + 1, n) has the columns, and behind them the formula's part without them;
    ``basis = R' Q``.
    """

    V: Array
    A: Array
    at: Array
    g_at: Array
    J: Array
    work: Array
    linear: Array
    basis: Array
    Q: Array
    R: Array
    pivots: Array


@_jit
def _constants_of(code: Array, kind: int) -> Array:
    """Return the numbers of the constants of a kind."""
    found = np.empty(code.shape[0], dtype=np.int64)
    count = 0
    for i in range(code.shape[0]):
        if code[i, 0] == OP_CONSTANT and code[i, 3] & kind:
            found[count] = code[i, 1]
            count += 1
    return found[:count]


@_jit
def _room(code: Array, n_constants: int, n: int) -> _Room:
    """Return room for a fit on n rows, short ones in a single block."""
    m = code.shape[0]
    width = n if n <= 2 * BLOCK else BLOCK
    V = np.empty((m, width))
    at = np.empty(m, dtype=np.int64)
    _locate(V, at)
    linear = _constants_of(code, LINEAR)
    p = linear.shape[0] + 1
    return _Room(
        V,
        np.empty((m, width)),
        at,
        np.empty(m, dtype=np.int64),
        np.empty((n_constants, n)),
        np.empty((4, n)),
        linear,
        np.empty((p, n)),
        np.empty((p, n)),
        np.empty((p, p)),
        np.empty(p, dtype=np.int64),
    )


@_jit
def _orthonormalise(rows: Array, Q: Array, R: Array, pivots: Array, affine: bool, unit: float) -> int:
    """Write rows (p, n) = R' Q with orthonormal Q (rank, n); returns the rank, or -1 if they are not finite.

    With ``affine`` the rows lose their mean first, else they are divided by ``unit``. ``pivots[j]`` is the
    row of Q that row j began, or -1 where j depends on those before it. Modified Gram-Schmidt, again where it
    cancels.
    """
    rank = 0
    for j in range(rows.shape[0]):
        row = Q[rank]
        row[:] = rows[j]
        if not affine:
            for t in range(row.shape[0]):
                row[t] /= unit
        whole = math.sqrt(_dot(row, row))
        if not math.isfinite(whole):
            return -1
        if affine:
            mean = _mean(row)
            for t in range(row.shape[0]):
                row[t] -= mean
        R[:, j] = 0.0
        before, left = 0.0, math.sqrt(_dot(row, row))
        for _ in range(3):
            before = left
            for i in range(rank):
                along = Q[i]
                slope = _dot(row, along)
                R[i, j] += slope
                for t in range(row.shape[0]):
                    row[t] -= slope * along[t]
            left = math.sqrt(_dot(row, row))
            if left > 0.5 * before or left <= _DEPENDENT * whole:
                break
        pivots[j] = -1
        if left > _DEPENDENT * whole:
            pivots[j] = rank
            R[rank, j] = left
            for t in range(row.shape[0]):
                row[t] /= left
            rank += 1
    return rank


@_jit
def _back_substitute(R: Array, pivots: Array, rhs: Array, values: Array) -> float:
    """Solve R values = rhs for the values whose rows have a pivot; returns the largest size among them."""
    largest = 0.0
    for j in range(values.shape[0] - 1, -1, -1):
        i = pivots[j]
        if i < 0:
            continue
        total = rhs[i]
        for later in range(j + 1, values.shape[0]):
            if pivots[later] >= 0:
                total -= R[i, later] * values[later]
        values[j] = total / R[i, j]
        largest = max(largest, abs(values[j]))
    return largest


@_jit
def _solve_linear(R: Array, pivots: Array, rank: int, z: Array, affine: bool, values: Array) -> bool:
    """Turn the coordinates z of y in Q into the linear constants ``values`` (p,).

    Those without a pivot keep their value. With ``affine`` the last column of R is the part without linear
    constants, whose coefficient is the scale; where it depends on the others any scale will do, and the one
    taken makes the largest constant about 1. False if there is no solution.
    """
    p = values.shape[0]
    scale = 1.0
    if affine and pivots[p] >= 0:
        scale = z[pivots[p]] / R[pivots[p], p]
        if scale == 0.0:
            return False
    elif affine:
        fixed = values.copy()
        scale = _back_substitute(R, pivots, z, fixed) / (1 + p - rank)  # copies then share, none becomes 0
        scale = scale if scale > 0.0 else 1.0
    for i in range(rank):
        z[i] /= scale
        if affine:
            z[i] -= R[i, p]
        for j in range(p):
            if pivots[j] < 0:
                z[i] -= R[i, j] * values[j]
    return math.isfinite(_back_substitute(R, pivots, z, values))


@_jit
def _values_and_linear(task: _Task, room: _Room, c: Array, f: Array) -> None:
    """Write the values into f (n,) and the derivatives by linear constants into their rows of J."""
    n = f.shape[0]
    width = room.V.shape[1]
    _fill(task.code, task.literals, c, room.V)
    for start in range(0, n, width):
        rows = min(width, n - start)
        _forward(task.code, room.V, room.at, start, rows, task.X)
        _copy(_rows(room.at[task.code.shape[0] - 1]), _rows(f.ctypes.data + start * 8), rows)
        _reverse(task.code, room.at, room.A, room.g_at, start, rows, room.J, LINEAR)


@_jit
def _eliminate(task: _Task, room: _Room, c: Array, f: Array, r: Array) -> tuple[float, float, int]:
    """Set the linear constants of c to their best values given the others (variable projection).

    Writes f and r as :func:`_residual` does, and an orthonormal basis of what the linear constants and the
    scale reach into the first rows of Q. Returns the scale, the sum of squares of exactly this point, which
    is infinite if there is no solution within the bound, and the rank of Q.
    """
    linear, basis = room.linear, room.basis
    p, n = linear.shape[0], f.shape[0]
    values, z = np.empty(p), np.empty(p + 1)
    for j in range(p):
        values[j] = c[linear[j]]
        c[linear[j]] = 0.0
    _values_and_linear(task, room, c, f)
    for j in range(p):
        basis[j] = room.J[linear[j]]
    basis[p] = f
    columns = basis if task.affine else basis[:p]
    rank = _orthonormalise(columns, room.Q, room.R, room.pivots, task.affine, task.unit)
    for t in range(n):
        r[t] = task.y[t] if task.affine else task.y[t] - f[t] / task.unit
    for i in range(rank):
        along = room.Q[i]
        z[i] = _dot(along, r)
        for t in range(n):
            r[t] -= z[i] * along[t]
    if rank < 0 or not _solve_linear(room.R, room.pivots, rank, z, task.affine, values):
        return 0.0, np.inf, 0
    if not _within(values, task.max_constant):
        return 0.0, np.inf, 0
    for j in range(p):
        c[linear[j]] = values[j]
        row = basis[j]
        for t in range(n):
            f[t] += values[j] * row[t]
    a, loss = _residual(f, task.y, task.affine, task.unit, r)
    return a, loss, rank


@_jit
def _point(task: _Task, room: _Room, searched: int, c: Array, f: Array, r: Array) -> tuple[float, float, int]:
    """Evaluate a point; with ``searched`` not ``FITTED`` the linear constants are solved there.

    Returns the scale, the sum of squares and the rank of Q, whose first rows span what was solved, 0 if only
    the scale was.
    """
    if searched != FITTED:
        return _eliminate(task, room, c, f, r)
    _values(task.code, task.literals, c, room.V, room.at, task.X, f)
    a, loss = _residual(f, task.y, task.affine, task.unit, r)
    return a, loss, 0


@_jit
def _renew(code: Array, c: Array, V: Array, at: Array) -> None:
    """Put the linear constants of c into V and evaluate the nodes above them again."""
    width = V.shape[1]
    for i in range(code.shape[0]):
        op = code[i, 0]
        if code[i, 3] & LINEAR == 0:
            continue
        if op == OP_CONSTANT:
            V[i, :] = c[code[i, 1]]
        elif op >= 10:
            _algebraic(op, _rows(at[code[i, 1]]), _rows(at[i]), width)
        else:
            _binary(op, _rows(at[code[i, 1]]), _rows(at[code[i, 2]]), _rows(at[i]), width)


@_jit
def _derivatives(task: _Task, room: _Room, searched: int, c: Array) -> None:
    """Write the derivatives at c into the rows of J; if n is short, V must hold c's values."""
    n = room.J.shape[1]
    width = room.V.shape[1]
    if n <= width:
        if searched != FITTED:
            _renew(task.code, c, room.V, room.at)
        _reverse(task.code, room.at, room.A, room.g_at, _FIRST_ROW, n, room.J, searched)
        return
    _fill(task.code, task.literals, c, room.V)
    for start in range(0, n, width):
        rows = min(width, n - start)
        _forward(task.code, room.V, room.at, start, rows, task.X)
        _reverse(task.code, room.at, room.A, room.g_at, start, rows, room.J, searched)


@_jit
def _direction(f: Array, Q: Array) -> int:
    """Write f of length 1 into the first row of Q; returns the rank of that."""
    size = math.sqrt(_dot(f, f))
    if size == 0.0:
        return 0
    for t in range(f.shape[0]):
        Q[0, t] = f[t] / size
    return 1


@_jit
def _normal_equations(
    task: _Task, room: _Room, free: Array, rank: int, a: float, r: Array, H: Array, g: Array
) -> None:
    """Write a² J'J and a J'r for the free rows of J, projected off the first rows of Q and, if affine, off 1.

    That is the Jacobian of Kaufman: its gradient is exact, since r is orthogonal to what is projected off.
    """
    n = r.shape[0]
    unit = 1.0 if task.affine else task.unit
    for i in range(free.shape[0]):
        row = room.J[free[i]]
        for t in range(n):
            row[t] = row[t] / unit if math.isfinite(row[t]) else 0.0
        whole = _dot(row, row)
        if task.affine:
            mean = _mean(row)
            for t in range(n):
                row[t] -= mean
        for q in range(rank):
            along = room.Q[q]
            slope = _dot(row, along)
            for t in range(n):
                row[t] -= slope * along[t]
        if _dot(row, row) <= _ROUNDING * whole:
            row[:] = 0.0  # what this constant does is done by those solved
        g[i] = a * _dot(row, r)
        for j in range(i + 1):
            H[i, j] = a * a * _dot(row, room.J[free[j]])
            H[j, i] = H[i, j]


@_jit
def _first_point(task: _Task, room: _Room, c: Array, many: bool) -> tuple[float, float, int, int]:
    """Evaluate c or, with ``many``, the first multiple of it that is finite, which c becomes.

    Returns what :func:`_point` does, and the evaluations.
    """
    start = c.copy()
    a, loss, rank, evaluations = 1.0, np.inf, 0, 0
    for factor in (1.0, 0.1, 10.0, -1.0, 0.01, 100.0, -0.1):
        c[:] = start * factor
        a, loss, rank = _point(task, room, FITTED, c, room.work[0], room.work[1])
        evaluations += 1
        if loss < np.inf or c.shape[0] == 0 or not many:
            break
    if loss == np.inf:
        c[:] = start
    return a, loss, rank, evaluations


@_jit
def _descend(task: _Task, room: _Room, c: Array, max_iterations: int) -> tuple[float, int, bool]:
    """Levenberg-Marquardt from c, which is overwritten by the best point; loss, evaluations, converged.

    Linear constants are solved at every point, unless that is of no use at the first one.
    """
    f, r, f_new, r_new = room.work[0], room.work[1], room.work[2], room.work[3]
    n = r.shape[0]
    a, loss, rank, evaluations = _first_point(task, room, c, max_iterations > 0)
    if c.shape[0] == 0 or loss == np.inf:
        return loss, evaluations, loss < np.inf
    trial = c.copy()
    searched = FITTED
    if room.linear.shape[0] > 0 and loss > _EXACT * n:  # constants that are right already stay as they are
        a_new, new, rank_new = _eliminate(task, room, trial, f_new, r_new)
        evaluations += 1
        if new <= loss:
            c[:] = trial
            f, f_new, r, r_new = f_new, f, r_new, r
            a, loss, rank, searched = a_new, new, rank_new, SEARCHED
        else:
            a, loss, rank = _point(task, room, FITTED, c, f, r)  # V again
    free = _constants_of(task.code, searched)
    k = free.shape[0]
    if k == 0 or max_iterations == 0:
        return loss, evaluations, k == 0
    H, L = np.empty((k, k)), np.zeros((k, k))
    g, step, damping, scale = np.empty(k), np.empty(k), np.empty(k), np.zeros(k)
    mu, nu, fresh = 1e-2, 2.0, True
    for _ in range(max_iterations):
        if loss <= 1e-31 * n:
            return loss, evaluations, True
        if fresh:
            _derivatives(task, room, searched, c)
            if searched == FITTED and task.affine:
                rank = _direction(f, room.Q)
            _normal_equations(task, room, free, rank, a, r, H, g)
            for i in range(k):
                scale[i] = max(scale[i], H[i, i])
            fresh = False
        largest = np.max(scale)
        if largest == 0.0 or not math.isfinite(largest):
            return loss, evaluations, largest == 0.0
        for i in range(k):
            damping[i] = mu * max(scale[i], 1e-14 * largest)
        new, predicted = np.inf, 0.0
        if _solve(H, g, damping, L, step):
            if not _stepped(step, c, free):
                return loss, evaluations, True
            trial[:] = c
            for i in range(k):
                trial[free[i]] += step[i]
                predicted += step[i] * (damping[i] * step[i] + g[i])
            if _within(trial, task.max_constant):
                a_new, new, rank_new = _point(task, room, searched, trial, f_new, r_new)
                evaluations += 1
        if new < loss:
            gain = (loss - new) / predicted if predicted > 0.0 else 1.0
            done = loss - new <= 1e-11 * loss
            c[:] = trial
            f, f_new, r, r_new = f_new, f, r_new, r
            a, loss, rank, fresh = a_new, new, rank_new, True
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
    is overwritten; the best constants go to ``best`` (k,). Constants marked ``LINEAR`` are solved, the others
    searched for. Returns the sum of squares, the evaluations, the starts used and whether the best start
    converged.
    """
    n = y.shape[0]
    task = _Task(code, literals, X, y, affine, unit, max_constant)
    room = _room(code, best.shape[0], n)
    lowest, evaluations, used, converged = np.inf, 0, 0, False
    best[:] = starts[0]
    for s in range(starts.shape[0]):
        loss, spent, done = _descend(task, room, starts[s], max_iterations)
        evaluations += spent
        used += 1
        if loss < lowest:
            lowest, converged = loss, done
            best[:] = starts[s]
        if lowest <= _EXACT * n or best.shape[0] == 0:
            break
    return lowest, evaluations, used, converged
