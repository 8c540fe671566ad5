"""One row a method and problem: where a method fails, and what it found."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from srbench_ext.metrics import RIGHT_SHARE
from srbench_ext.report.failures import apply_rule
from srbench_ext.report.tables import ResultTable

__all__ = ["ACCURACY_COLUMNS", "PROBLEM_COLUMNS", "problem_rows"]

PROBLEM_COLUMNS = (
    "protocol",
    "protocol_hash",
    "suite",
    "part",
    "noise",
    "problem",
    "source_kind",
    "method",
    "track",
    "trials",
    "ok",
    "statuses",
    "rate_r2_gt_0.99",
    "rate_symbolic",
    "unknown_share",
    "median_r2",
    "median_nmse",
    "median_complexity",
    "median_seconds",
    "formula",
    "truth",
)
"""The columns of :func:`problem_rows`."""

ACCURACY_COLUMNS = {"rate_a_iid": "near_iid", "rate_a_ood": "near_ood"}
"""Columns that follow where a run knows them, and the shares of points that they are made of."""


def problem_rows(table: ResultTable) -> pd.DataFrame:
    """Return the results of a table problem by problem.

    Parameters
    ----------
    table : ResultTable

    Returns
    -------
    pandas.DataFrame
        One row a method and problem with :data:`PROBLEM_COLUMNS`, sorted by problem. Rates and shares are
        over trials, a failed one being a miss whatever the table's rule; medians are over trials too, with R²
        minus and NMSE plus infinity for a failure, complexity and seconds over ``ok`` ones. ``formula`` is
        that of the first trial, ``statuses`` counts them. Where a run of the table knows the accuracy in
        and around the support, :data:`ACCURACY_COLUMNS` follow: the share of trials with a right formula, a
        failed one being a miss and one that does not know it left out.
    """
    scored = apply_rule(table.runs, "miss")
    rows = [
        _row(table, group) for _, group in scored.groupby(["problem", "source_kind", "method"], sort=True)
    ]
    known = scored[[*ACCURACY_COLUMNS.values()]].notna().to_numpy().any()
    return pd.DataFrame(rows, columns=[*PROBLEM_COLUMNS, *(ACCURACY_COLUMNS if known else ())])


def _accuracy(group: pd.DataFrame, column: str) -> float:
    """Return the share of trials whose formula is right at 95% of the points or more."""
    near = group[column].to_numpy(np.float64)
    ok = group["ok"].to_numpy(bool)
    judged = ~np.isnan(near) | ~ok
    right = (near >= RIGHT_SHARE) & ok
    return float(right[judged].mean()) if judged.any() and not group["truth"].dropna().empty else np.nan


def _row(table: ResultTable, group: pd.DataFrame) -> dict[str, object]:
    first = group.sort_values("trial").iloc[0]
    ok = group["ok"].to_numpy(bool)
    truths = group["truth"].dropna()
    judged = not truths.empty
    hits = group["recovered_srbench"].eq(True).to_numpy(bool) & ok
    unknown = group["recovered_srbench"].isna().to_numpy(bool) & ok
    statuses = Counter(group["status"])
    return {
        "protocol": table.protocol,
        "protocol_hash": table.protocol_hash,
        "suite": table.suite,
        "part": table.part,
        "noise": table.noise,
        "problem": first["problem"],
        "source_kind": first["source_kind"],
        "method": first["method"],
        "track": first["track"],
        "trials": len(group),
        "ok": int(ok.sum()),
        "statuses": ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())),
        "rate_r2_gt_0.99": float((group["r2_test"] > 0.99).mean()),
        "rate_symbolic": float(hits.mean()) if judged else np.nan,
        "unknown_share": float(unknown.mean()) if judged else np.nan,
        "median_r2": _middle(group["r2_test"], lower=True),
        "median_nmse": _middle(group["nmse_test"], lower=False),
        "median_complexity": group["complexity"].median(),
        "median_seconds": group["seconds"].median(),
        "formula": first["formula"],
        "truth": truths.iloc[0] if judged else None,
        **{name: _accuracy(group, column) for name, column in ACCURACY_COLUMNS.items()},
    }


def _middle(values: pd.Series, *, lower: bool) -> float:
    """Return the median; of two middle values the worse one where a failure made one infinite."""
    ordered = np.sort(values.to_numpy(np.float64))
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    if np.isfinite(low) and np.isfinite(high):
        return float((low + high) / 2)
    return float(low if lower else high)
