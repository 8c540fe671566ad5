"""The error of a formula on rows that its constants were not fitted on."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from srbench_ext.expression import Expression, fit_constants

__all__ = ["cross_validated"]

FloatArray = npt.NDArray[np.float64]


def cross_validated(
    formula: Expression, X: FloatArray, y: FloatArray, *, folds: int = 10, deadline: float | None = None
) -> float | None:
    """Return the mean squared error of every row, predicted by constants fitted on the other folds.

    Every k-th row is a fold, so that equal tables give equal errors. Scale and offset are fitted as well:
    what the formula owes to having seen all rows is taken from it.

    Parameters
    ----------
    formula : Expression
        Its constants are where each fit starts.
    X, y : ndarray of shape (n, d) and (n,)
        At least two rows.
    folds : int
        At most one a row.
    deadline : float or None
        A ``time.monotonic()``.

    Returns
    -------
    float or None
        Infinite where a prediction is not finite; None if the time was up first.
    """
    fold = np.arange(len(y)) % min(folds, len(y))
    total = 0.0
    for number in range(int(fold.max()) + 1):
        if deadline is not None and time.monotonic() >= deadline:
            return None
        kept = fold == number
        fit = fit_constants(formula, X[~kept], y[~kept], n_starts=1, deadline=deadline)
        with np.errstate(all="ignore"):
            total += float(((fit.expression.evaluate(X[kept]) - y[kept]) ** 2).sum())
    error = total / len(y)
    return error if np.isfinite(error) else np.inf
