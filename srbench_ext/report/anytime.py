"""Anytime curves: how good the incumbent was after t seconds, so that methods compare at equal time.

The incumbent is the model with the lowest training loss so far; a record holds each with its second and its
test R². What a method returns in the end may be another one, by its rule of choice, so a curve need not end
at the figure of the table. A failed run has no incumbent.
"""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pandas as pd

from srbench_ext.report.failures import FailureRule, apply_rule
from srbench_ext.report.tables import ResultTable

__all__ = ["ANYTIME_COLUMNS", "anytime", "equal_times", "incumbent_r2"]

ANYTIME_COLUMNS = ("method", "seconds", "runs", "rate_r2_gt_0.99", "median_r2")
"""The columns of :func:`anytime`."""

_FIRST_SECOND = 0.05
_POINTS = 60

FloatArray = npt.NDArray[np.float64]


def anytime(table: ResultTable, times: FloatArray | None = None) -> pd.DataFrame:
    """Return the share of runs whose incumbent has test R² > 0.99, and the median R², after each time.

    Parameters
    ----------
    table : ResultTable
        Its runs and its rule for failures are used.
    times : ndarray, optional
        Seconds; by default 60 from 0.05 s to the limit of the protocol, evenly in the logarithm.

    Returns
    -------
    pandas.DataFrame
        :data:`ANYTIME_COLUMNS`, one row a method and time. ``median_r2`` is minus infinity where at least
        half of the runs have no incumbent yet.
    """
    limit = float(table.runs["max_seconds"].max())
    seconds = np.geomspace(min(_FIRST_SECOND, limit), limit, _POINTS) if times is None else times
    rows = []
    for method, r2 in _by_method(table.runs, table.failures, seconds).items():
        rates, medians = np.mean(r2 > 0.99, axis=0), np.median(r2, axis=0)
        rows += [
            (method, float(t), len(r2), float(rate), float(median))
            for t, rate, median in zip(seconds, rates, medians, strict=True)
        ]
    return pd.DataFrame(rows, columns=list(ANYTIME_COLUMNS))


def equal_times(limit: float) -> FloatArray:
    """Return the times at which methods are compared: 0.1, 0.3, 1, 3, … seconds, and the limit."""
    powers = [base * 10.0**power for power in range(-1, 5) for base in (1, 3)]
    return np.array([second for second in powers if second < limit] + [limit])


def incumbent_r2(curve: str | None, times: FloatArray) -> FloatArray:
    """Return the test R² of the incumbent after each time; minus infinity where there is none, or no R².

    Parameters
    ----------
    curve : str or None
        ``[[seconds, R²], ...]`` as JSON, in order of time.
    times : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,)
    """
    points = json.loads(curve) if curve else []
    seconds = np.array([second for second, _ in points], dtype=np.float64)
    r2 = np.array([-np.inf] + [-np.inf if value is None else value for _, value in points])
    found: FloatArray = r2[np.searchsorted(seconds, times, side="right")]
    return found


def _by_method(runs: pd.DataFrame, failures: FailureRule, times: FloatArray) -> dict[str, FloatArray]:
    """Return the incumbents' R² of the runs of each method, (runs, times)."""
    scored = apply_rule(runs, failures)
    return {
        str(method): np.stack(
            [
                incumbent_r2(curve if ok else None, times)
                for curve, ok in zip(group["curve"], group["ok"], strict=True)
            ]
        )
        for method, group in scored.groupby("method")
    }
