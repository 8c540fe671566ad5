"""Values of a drawn formula on a drawn table, and whether they make a problem."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from srbench_ext.expression.compilation import compile_kernel, token_codes
from srbench_ext.expression.kernels import value_kernel

__all__ = ["REASONS", "DrawnFormula", "verdict"]

FloatArray = NDArray[np.float64]

REASONS = ("", "outside the domain", "too large", "nearly constant")
"""What a verdict means; the first is a problem that can be used."""

_LEAST_SPREAD = 1e-4  # standard deviation over RMS; less cannot be told from rounding and noise


class DrawnFormula:
    """A formula ready to be evaluated.

    It comes from a grammar, so that it is complete; :func:`srbench_ext.expression.compile_prefix`
    checks and keeps its programs, which costs more than evaluating a formula that is used once.

    Parameters
    ----------
    formula : sequence of str or float
        Prefix tokens; constants are floats.
    skeleton : tuple of str
        The same with placeholders.
    """

    __slots__ = ("_code", "_constants", "_literals")

    def __init__(self, formula: tuple[str | float, ...], skeleton: tuple[str, ...]) -> None:
        self._constants = np.array([token for token in formula if type(token) is not str], dtype=np.float64)
        self._code = np.empty((len(skeleton), 4), dtype=np.int64)
        literals = np.empty(len(skeleton))
        n_literals, _ = compile_kernel(token_codes(skeleton), self._code, literals)
        self._literals = literals[:n_literals]

    def evaluate(self, X: FloatArray) -> FloatArray:
        """Return the values (n,) on a table X (n, d) that has all columns of the formula."""
        y = np.empty(len(X))
        value_kernel(self._code, self._literals, self._constants, np.ascontiguousarray(X.T), y)
        return y


def _verdict(y: Any, max_abs_y: float) -> int:
    """Return the index in :data:`REASONS` of what is wrong with targets y (n,), 0 if nothing is."""
    largest, total = 0.0, 0.0
    for value in y:
        if not math.isfinite(value):
            return 1
        largest = max(largest, abs(value))
        total += value
    if largest > max_abs_y:
        return 2
    mean = total / len(y)
    spread, size = 0.0, 0.0
    for value in y:
        spread += (value - mean) ** 2
        size += value**2
    return 3 if math.sqrt(spread) <= _LEAST_SPREAD * math.sqrt(size) else 0


verdict = njit(cache=True, nogil=True, error_model="numpy")(_verdict)
