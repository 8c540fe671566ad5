"""Score runs: one row a run in, one row a method out.

The rules, those of every table of the project, with failed runs scored as ``miss``
(:mod:`~srbench_ext.report.failures` has the other two):

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

from srbench_ext.report.failures import FailureRule, apply_rule
from srbench_ext.report.statistics import bootstrap_mean

__all__ = ["GROUP", "INTERVALS", "MEASURES", "R2_THRESHOLDS", "TABLE", "add_intervals", "score"]

TABLE = ("protocol", "protocol_hash", "suite", "noise", "part")
"""What makes a table."""

GROUP = (*TABLE, "method")
"""What makes one row of a table."""

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

INTERVALS = ("rate_r2_gt_0.99", "rate_r2_gt_0.999", "rate_symbolic", "mean_r2")
"""The measures that :func:`add_intervals` gives an interval, in columns ``…_low`` and ``…_high``."""

FloatArray = npt.NDArray[np.float64]


def score(runs: pd.DataFrame, failures: FailureRule = "miss") -> pd.DataFrame:
    """Score every method on every protocol, suite and noise level.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row a run, as :func:`srbench_ext.report.load_records` returns it.
    failures : {"miss", "drop", "worst-rank"}
        How failed runs are scored.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`GROUP`, ``track`` and :data:`MEASURES`, sorted by the former. Rates are shares in
        [0, 1]; NaN means that there is nothing to measure (no truth, no formula, no run left), ``-inf`` in
        ``median_r2`` that at least half of the runs failed.
    """
    columns = [*GROUP, "track", *MEASURES]
    if runs.empty:
        return pd.DataFrame(columns=columns)
    judged = set(runs.loc[runs["has_truth"], "suite"])
    scored = apply_rule(runs, failures)
    rows = []
    for key, group in runs.groupby(list(GROUP), sort=True):
        labels = dict(zip(GROUP, key, strict=True))
        ok = int((group["status"] == "ok").sum())
        row = {**labels, "track": group["track"].iloc[0], "n": len(group), "ok": ok}
        kept = scored.loc[scored.index.intersection(group.index)]
        rows.append(row | {"failures": len(group) - ok} | _measure(kept, judged=labels["suite"] in judged))
    return pd.DataFrame(rows, columns=columns)


def add_intervals(
    scores: pd.DataFrame, runs: pd.DataFrame, failures: FailureRule, rng: np.random.Generator
) -> pd.DataFrame:
    """Add bootstrap intervals over problems and trials to scores.

    Parameters
    ----------
    scores : pandas.DataFrame
        As :func:`score` returns it, for one table.
    runs : pandas.DataFrame
        The runs of that table.
    failures : {"miss", "drop", "worst-rank"}
        How failed runs are scored.
    rng : numpy.random.Generator
        Where the resamples come from.

    Returns
    -------
    pandas.DataFrame
        ``scores`` with ``…_low`` and ``…_high`` for each of :data:`INTERVALS`; NaN where the measure is.
    """
    scored = apply_rule(runs, failures)
    wide = scores.copy()
    for name in INTERVALS:
        bounds = []
        for method, value in zip(scores["method"], scores[name], strict=True):
            if pd.isna(value):
                bounds.append((np.nan, np.nan))
                continue
            of_method = scored[scored["method"] == method]
            figures = pd.Series(_figures(of_method, name), index=of_method.index)
            by_problem: list[FloatArray] = [
                np.asarray(trials, dtype=np.float64)
                for _, trials in figures.groupby([of_method["problem"], of_method["source_kind"]])
            ]
            bounds.append(bootstrap_mean(by_problem, rng))
        wide[[f"{name}_low", f"{name}_high"]] = np.reshape(bounds, (-1, 2))
    return wide


def _figures(scored: pd.DataFrame, name: str) -> FloatArray:
    """Return what a measure of :data:`INTERVALS` is the mean of."""
    if name == "rate_symbolic":
        return _verdicts(scored, "recovered_srbench").astype(np.float64)
    r2: FloatArray = scored["r2_averaged" if name == "mean_r2" else "r2_test"].to_numpy(np.float64)
    if name == "mean_r2":
        return np.maximum(r2, 0.0)
    return (r2 > float(name.removeprefix("rate_r2_gt_"))).astype(np.float64)


def _measure(scored: pd.DataFrame, *, judged: bool) -> dict[str, float | int]:
    r2, averaged = (scored[name].to_numpy(np.float64) for name in ("r2_test", "r2_averaged"))
    unknown = scored["recovered_srbench"].isna().to_numpy(bool) & scored["ok"].to_numpy(bool)
    row: dict[str, float | int] = {}
    for threshold in R2_THRESHOLDS:
        row[f"rate_r2_gt_{threshold:g}"] = _mean(r2 > threshold)
    row |= {
        "rate_symbolic": _mean(_verdicts(scored, "recovered_srbench")) if judged else np.nan,
        "unknown_share": _mean(unknown) if judged else np.nan,
        "rate_symbolic_own": _mean(_verdicts(scored, "recovered_symbolic")) if judged else np.nan,
        "rate_numeric": _mean(_verdicts(scored, "recovered_numeric")) if judged else np.nan,
        "rate_r2_gt_0.99_one_se": _mean(scored["r2_test_one_se"].to_numpy(np.float64) > 0.99),
        "median_r2": float(np.median(averaged)) if averaged.size else np.nan,
        "mean_r2": _mean(np.maximum(averaged, 0.0)),
    }
    for name in ("complexity", "seconds"):
        values = scored[name].dropna().to_numpy(np.float64)
        row[f"median_{name}"] = float(np.median(values)) if values.size else np.nan
        row[f"mean_{name}"] = _mean(values)
    row["mean_complexity_simplified"] = _mean(scored["complexity_simplified"].dropna().to_numpy(np.float64))
    return row


def _verdicts(scored: pd.DataFrame, column: str) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = scored[column].eq(True).to_numpy(bool) & scored["ok"].to_numpy(bool)
    return found


def _mean(values: npt.NDArray[np.bool_] | FloatArray) -> float:
    return float(np.mean(values)) if values.size else np.nan
