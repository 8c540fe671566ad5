"""A smooth stand-in for an unknown law: a polynomial in the columns, fitted by least squares.

Its error on rows kept back says how much of the target a set of columns explains, and its slopes say how the
columns enter. Columns and target may be taken as logarithms, in which products are sums.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["View", "degree_within", "surrogate_error", "surrogate_slopes", "views"]

FloatArray = npt.NDArray[np.float64]

_RIDGE = 1e-11  # of the mean squared length of the terms: what float64 normal equations bear
_STEP = 1e-3  # of a column's range: central differences of the slopes


@dataclass(frozen=True, slots=True)
class View:
    """Whether positive columns, and the target, are taken as logarithms."""

    log_columns: bool
    log_target: bool

    def columns(self, Z: FloatArray) -> FloatArray:
        """Return the columns (n, d) as seen; those that are not positive stay as they are."""
        if not self.log_columns:
            return Z
        positive = (Z > 0).all(axis=0)
        return np.where(positive, np.log(np.where(positive, Z, 1.0)), Z)

    def target(self, t: FloatArray) -> FloatArray:
        """Return the target (n,) as seen."""
        return np.log(np.abs(t)) if self.log_target else t


def views(Z: FloatArray, t: FloatArray) -> list[View]:
    """Return the views that a table allows: logarithms only of what never changes sign."""
    columns = (False, True) if (Z > 0).all(axis=0).any() else (False,)
    target = (False, True) if (t > 0).all() or (t < 0).all() else (False,)
    return [View(c, t) for c in columns for t in target]


@lru_cache(maxsize=256)
def degree_within(n_columns: int, most_terms: int, largest: int = 8) -> int:
    """Return the largest total degree (at least 1) that has at most so many terms."""
    degree = 1
    while degree < largest and math.comb(n_columns + degree + 1, degree + 1) <= most_terms:
        degree += 1
    return degree


@lru_cache(maxsize=64)
def _exponents(n_columns: int, degree: int) -> npt.NDArray[np.intp]:
    """Return the degrees (T, d) of all terms up to a total degree."""
    if n_columns == 0:
        return np.zeros((1, 0), np.intp)
    rows = [
        [first, *rest]
        for first in range(degree + 1)
        for rest in _exponents(n_columns - 1, degree - first).tolist()
    ]
    return np.array(rows, np.intp)


def _terms(Z: FloatArray, degree: int, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return products of Chebyshev polynomials (n, T) of columns scaled to [-1, 1]."""
    n, d = Z.shape
    U = 2.0 * (Z - low) / np.where(high > low, high - low, 1.0) - 1.0
    chebyshev = np.empty((degree + 1, d, n))
    chebyshev[0] = 1.0
    chebyshev[1:2] = U.T
    for k in range(2, degree + 1):
        chebyshev[k] = 2.0 * U.T * chebyshev[k - 1] - chebyshev[k - 2]
    exponents = _exponents(d, degree)
    terms = np.ones((len(exponents), n))
    for column in range(d):
        terms *= chebyshev[exponents[:, column], column]
    return terms.T


def _coefficients(A: FloatArray, t: FloatArray) -> FloatArray:
    gram = A.T @ A
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram)
    return np.asarray(np.linalg.solve(gram, A.T @ t), np.float64)


def surrogate_error(Z: FloatArray, t: FloatArray, weights: FloatArray, degree: int, n_fit: int) -> float:
    """Return the weighted mean squared error of the polynomial on the rows from ``n_fit`` on.

    Parameters
    ----------
    Z, t : ndarray of shape (n, d) and (n,)
        Finite; columns and target as seen.
    weights : ndarray of shape (n,)
        What the residuals are multiplied by, in the fit and in the error.
    degree : int
        Total degree.
    n_fit : int
        The first so many rows are fitted.
    """
    A = _terms(Z, degree, Z.min(axis=0), Z.max(axis=0))
    c = _coefficients(A[:n_fit] * weights[:n_fit, None], t[:n_fit] * weights[:n_fit])
    return _error(A[n_fit:] @ c, t[n_fit:], weights[n_fit:])


def _error(values: FloatArray, t: FloatArray, weights: FloatArray) -> float:
    return float(np.mean(((values - t) * weights) ** 2))


def surrogate_slopes(
    Z: FloatArray, t: FloatArray, weights: FloatArray, degree: int, n_fit: int
) -> tuple[FloatArray, FloatArray, float]:
    """Return slopes (m, d) and values (m,) of the polynomial on the m rows kept back, and its error there."""
    low, high = Z.min(axis=0), Z.max(axis=0)
    A = _terms(Z, degree, low, high)
    c = _coefficients(A[:n_fit] * weights[:n_fit, None], t[:n_fit] * weights[:n_fit])
    values = A[n_fit:] @ c
    slopes = np.empty((len(values), Z.shape[1]))
    for column in range(Z.shape[1]):
        step = _STEP * (high[column] - low[column] or 1.0)
        ends = []
        for sign in (1.0, -1.0):
            moved = Z[n_fit:].copy()
            moved[:, column] += sign * step
            ends.append(_terms(moved, degree, low, high) @ c)
        slopes[:, column] = (ends[0] - ends[1]) / (2.0 * step)
    return slopes, values, _error(values, t[n_fit:], weights[n_fit:])
