"""Rank correlation and autocorrelation where they are defined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

__all__ = ["autocorrelation", "correlation", "spearman"]

FloatArray = NDArray[np.float64]


def spearman(a: FloatArray, b: FloatArray) -> float | None:
    """Return the rank correlation of a (n,) and b (n,); None where one of both does not vary."""
    if len(a) < 3 or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return None
    return float(spearmanr(a, b).statistic)


def correlation(a: FloatArray, b: FloatArray) -> float | None:
    """Return Pearson's correlation of a (n,) and b (n,); None where one of both does not vary."""
    if len(a) < 3 or np.ptp(a) < 1e-12 or np.ptp(b) < 1e-12:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def autocorrelation(series: FloatArray) -> float | None:
    """Return the autocorrelation of a series (n,) at lag one; None where it does not vary.

    The estimate of Weinberger, Biological Cybernetics 63:325, 1990: one mean and one variance for all.
    """
    if len(series) < 3 or np.ptp(series) < 1e-12:
        return None
    centred = series - series.mean()
    return float(centred[1:] @ centred[:-1] / (centred @ centred))
