"""The shared rule that picks one formula from a Pareto front."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from srbench_ext.method.candidate import Candidate, predict_quietly

__all__ = ["EXACT_NMSE", "one_se"]

EXACT_NMSE = 1e-20
"""A mean squared error of at most this share of the variance of y counts as exact."""

FloatArray = npt.NDArray[np.float64]


def one_se(front: Sequence[Candidate], X: FloatArray, y: FloatArray) -> Candidate:
    """Choose the simplest model that is not clearly worse than the best one.

    Where a model is exact (:data:`EXACT_NMSE`), the simplest exact one. Otherwise the simplest one whose
    squared error exceeds that of the best by at most one standard error of the paired difference: the rule of
    Breiman et al., *Classification and Regression Trees* (1984), with the rows in place of the folds.

    Parameters
    ----------
    front : sequence of Candidate
        At least one, each with its loss.
    X, y : ndarray of shape (n, d) and (n,)
        The rows that the losses were computed on.

    Returns
    -------
    Candidate
        A member of the front.
    """
    ranked = sorted(front, key=lambda c: math.inf if c.complexity is None else c.complexity)
    variance = float(np.var(y))
    for candidate in ranked:
        if _loss(candidate) <= EXACT_NMSE * variance:
            return candidate
    best = min(ranked, key=_loss)
    best_errors = _squared_errors(best, X, y)
    for candidate in ranked:
        difference = _squared_errors(candidate, X, y) - best_errors
        if _within_one_se(difference):
            return candidate
    return best


def _loss(candidate: Candidate) -> float:
    return math.inf if candidate.loss is None else candidate.loss


def _squared_errors(candidate: Candidate, X: FloatArray, y: FloatArray) -> FloatArray:
    with np.errstate(over="ignore", invalid="ignore"):
        return (predict_quietly(candidate.model, X) - y) ** 2


def _within_one_se(difference: FloatArray) -> bool:
    if not np.all(np.isfinite(difference)):
        return False
    mean = float(np.mean(difference))
    if difference.size < 2:
        return mean <= 0
    return mean <= float(np.std(difference, ddof=1)) / math.sqrt(difference.size)
