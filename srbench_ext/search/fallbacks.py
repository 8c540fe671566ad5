"""Linear formulas with their leave-one-out errors: what no search should end behind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from srbench_ext.expression import Expression
from srbench_ext.search.linear import linear_formula

__all__ = ["linear_fallbacks"]

FloatArray = npt.NDArray[np.float64]
_PENALTIES = np.logspace(-6, 3, 19)


def linear_fallbacks(X: FloatArray, y: FloatArray) -> Iterator[tuple[Expression, float, str]]:
    """Yield the least-squares formula and the ridge formula, each with its error and name.

    They are of the columns that vary; nothing is yielded where none does. The penalty of the ridge is the one
    with the least leave-one-out error, of 19 from 1e-6 to 1e3 times the number of rows, on columns of unit
    variance.

    Parameters
    ----------
    X, y : ndarray of shape (n, d) and (n,)

    Yields
    ------
    tuple of Expression, float, str
        The error is the leave-one-out mean squared error over the variance of y, in closed form.
    """
    with np.errstate(all="ignore"):  # squares may vanish or overflow; one value's may leave a rest
        varying = [0.0 < column.std() < np.inf and np.ptp(column) > 0 for column in X.T]
    columns = [int(i) for i in np.flatnonzero(varying)]
    if not columns:
        return
    mean, deviation = X[:, columns].mean(axis=0), X[:, columns].std(axis=0)
    size = float(np.abs(y - y.mean()).max()) or 1.0
    U, s, Vt = np.linalg.svd((X[:, columns] - mean) / deviation, full_matrices=False)
    target = (y - y.mean()) / size
    rotated = U.T @ target
    kept = s > 1e-10 * s[0]
    errors = [_left_out(U, np.where(kept, s**2 / (s**2 + p * len(y)), 0.0), target) for p in _PENALTIES]
    plain = _left_out(U, kept.astype(float), target)
    yield linear_formula(X, y, columns), plain, "least squares"
    best = int(np.argmin(errors))
    shrunk = np.where(kept, s / (s**2 + _PENALTIES[best] * len(y)), 0.0)
    slopes = size * (Vt.T @ (shrunk * rotated)) / deviation
    tokens = ["add"] * len(columns)
    for column in columns:
        tokens += ["mul", "C", f"x{column}"]
    intercept = float(y.mean() - slopes @ mean)
    yield Expression((*tokens, "C"), (*map(float, slopes), intercept)), errors[best], "ridge"


def _left_out(U: FloatArray, shrink: FloatArray, target: FloatArray) -> float:
    """Return the leave-one-out error of a centred linear smoother over the variance."""
    leverage = (U**2) @ shrink + 1.0 / len(target)
    residual = target - U @ (shrink * (U.T @ target))
    free = 1.0 - leverage
    if (free < 1e-9).any():
        return np.inf
    return float(np.mean((residual / free) ** 2) / np.var(target))
