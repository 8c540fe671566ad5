"""Score runs: one row a run in, one row a method out.

The rules, those of every table of the project:

- a run that is not ``ok`` failed; it stays in every denominator;
- ``rate_r2_gt_T``: share of all runs with test R² above T, so a failed run is a miss;
- ``rate_r2_gt_0.99_one_se``: the same for the formula that the shared default rule takes from each front;
- ``mean_r2``: mean of max(0, R²), a failed run counting 0, as SNIP and GenSR average;
- ``median_r2``: a failed run counts as minus infinity;
- ``rate_symbolic``: share of all runs with the SRBench-compatible verdict; none where no truth is known;
- complexity and seconds: over ``ok`` runs: a failed run has no formula, and its time is that of its limit.

An ``ok`` run without a finite test R² is scored as a failed one wherever R² counts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["GROUP", "MEASURES", "R2_THRESHOLDS", "score"]

GROUP = ("protocol", "protocol_hash", "suite", "noise", "method")
"""What makes one row of a table; a table is one protocol, suite and noise."""

R2_THRESHOLDS = (0.99, 0.999)

MEASURES = (
    "n",
    "ok",
    "failures",
    *(f"rate_r2_gt_{threshold:g}" for threshold in R2_THRESHOLDS),
    "rate_symbolic",
    "unknown_share",
    "rate_symbolic_own",
    "rate_numeric",
    "rate_r2_gt_0.99_one_se",
    "median_r2",
    "mean_r2",
    "median_complexity",
    "mean_complexity",
    "mean_complexity_simplified",
    "median_seconds",
    "mean_seconds",
)
"""The columns of :func:`score` that are measured."""

FloatArray = npt.NDArray[np.float64]


def score(runs: pd.DataFrame) -> pd.DataFrame:
    """Score every method on every protocol, suite and noise level.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row a run, as :func:`srbench_ext.report.load_records` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`GROUP`, ``track`` and :data:`MEASURES`, sorted by the former. Rates are shares in
        [0, 1]; NaN means that there is nothing to measure (no truth, no formula), ``-inf`` in ``median_r2``
        that at least half of the runs failed.
    """
    columns = [*GROUP, "track", *MEASURES]
    if runs.empty:
        return pd.DataFrame(columns=columns)
    judged = set(runs.loc[runs["has_truth"], "suite"])
    rows = []
    for key, group in runs.groupby(list(GROUP), sort=True):
        labels = dict(zip(GROUP, key, strict=True))
        row = {**labels, "track": group["track"].iloc[0]}
        rows.append(row | _measure(group, judged=labels["suite"] in judged))
    return pd.DataFrame(rows, columns=columns)


def _measure(group: pd.DataFrame, *, judged: bool) -> dict[str, float | int]:
    ok = (group["status"] == "ok").to_numpy(bool)
    r2 = _scored(group, "r2_test", ok)
    verdict = group["recovered_srbench"]
    row: dict[str, float | int] = {"n": len(group), "ok": int(ok.sum()), "failures": int((~ok).sum())}
    for threshold in R2_THRESHOLDS:
        row[f"rate_r2_gt_{threshold:g}"] = float(np.mean(r2 > threshold))
    row |= {
        "rate_symbolic": _share(verdict.eq(True), ok, judged),
        "unknown_share": _share(verdict.isna(), ok, judged),
        "rate_symbolic_own": _share(group["recovered_symbolic"].eq(True), ok, judged),
        "rate_numeric": _share(group["recovered_numeric"].eq(True), ok, judged),
        "rate_r2_gt_0.99_one_se": float(np.mean(_scored(group, "r2_test_one_se", ok) > 0.99)),
        "median_r2": float(np.median(r2)),
        "mean_r2": float(np.mean(np.maximum(r2, 0.0))),
    }
    for name in ("complexity", "seconds"):
        values = _known(group, name, ok)
        row[f"median_{name}"] = float(np.median(values)) if values.size else np.nan
        row[f"mean_{name}"] = float(np.mean(values)) if values.size else np.nan
    simplified = _known(group, "complexity_simplified", ok)
    row["mean_complexity_simplified"] = float(np.mean(simplified)) if simplified.size else np.nan
    return row


def _share(hits: pd.Series, ok: npt.NDArray[np.bool_], judged: bool) -> float:
    return float(np.mean(hits.to_numpy(bool) & ok)) if judged else np.nan


def _scored(group: pd.DataFrame, column: str, ok: npt.NDArray[np.bool_]) -> FloatArray:
    """Return test R², minus infinity for a failed run and where it is not finite."""
    r2 = _floats(group, column)
    return np.where(ok & np.isfinite(r2), r2, -np.inf)


def _floats(group: pd.DataFrame, column: str) -> FloatArray:
    return group[column].to_numpy(np.float64, na_value=np.nan)


def _known(group: pd.DataFrame, column: str, ok: npt.NDArray[np.bool_]) -> FloatArray:
    values = _floats(group, column)[ok]
    return values[np.isfinite(values)]
