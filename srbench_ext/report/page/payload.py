"""What the page shows, as values that JSON has.

Tables and problems are all there. Runs with their formulas, fronts and predictions are, up to
:data:`MOST_RUNS`; of more the first trials, and the page says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import srbench_ext
from srbench_ext.report.anytime import anytime
from srbench_ext.report.formats import COMPARED, SHOWN, numbered, with_intervals
from srbench_ext.report.load import load_full_records
from srbench_ext.report.markup import Columns
from srbench_ext.report.page.predictions import predictions
from srbench_ext.report.page.published import figures_by_problem, pairs_of
from srbench_ext.report.page.runs import Notebook
from srbench_ext.report.page.values import grid, plain
from srbench_ext.report.problems import problem_rows
from srbench_ext.report.published_problems import CAVEAT, load_published_problems
from srbench_ext.report.scores import INTERVALS
from srbench_ext.report.tables import ResultTable

if TYPE_CHECKING:
    from srbench_ext.report.write import Report

__all__ = ["MOST_RUNS", "page_payload"]

MOST_RUNS = 2000
"""Most runs with formulas, front and predictions on a page; 500 take about 2 MB."""

_PROBLEM_COLUMNS: Columns = {
    "suite": ("suite", "s"),
    "problem": ("problem", "s"),
    "noise": ("noise", "g"),
    "method": ("method", "s"),
    "protocol": ("protocol", "s"),
    "part": ("part", "s"),
    "statuses": ("status", "s"),
    "rate_r2_gt_0.99": ("R²>0.99", ".2f"),
    "rate_symbolic": ("symbolic", ".2f"),
    "rate_a_iid": ("A_iid", ".2f"),
    "rate_a_ood": ("A_ood", ".2f"),
    "median_r2": ("R²", ".6f"),
    "median_complexity": ("complexity", ".0f"),
    "median_seconds": ("seconds", ".2f"),
    "formula": ("formula", "s"),
}


def page_payload(report: Report, folder: Path, cache: Path | None) -> dict[str, Any]:
    """Return everything a page shows.

    Parameters
    ----------
    report : Report
    folder : pathlib.Path
        Holds the records of the report.
    cache : pathlib.Path or None
        A PMLB cache, for predictions on tables that cannot be regenerated.

    Returns
    -------
    dict
        ``version``, ``tables``, ``problems`` (a grid), ``published`` (figures of other people by
        ``suite/problem``, and ``caveat``), ``runs``, ``laws``, ``rows``, ``environments``, ``protocols``,
        ``unreadable``, ``runs_left_out``. Infinite numbers are ``"Infinity"`` and
        ``"-Infinity"``, unknown ones null.
    """
    runs = pd.concat([table.runs for table in report.tables], ignore_index=True)
    number_of = {run: i for i, table in enumerate(report.tables) for run in table.runs["run_id"]}
    shown = runs.sort_values(["trial", "method", "suite", "problem", "noise"], kind="stable").head(MOST_RUNS)
    records = load_full_records(folder, set(shown["run_id"]))
    notebook = Notebook(predictions(records.values(), cache))
    for label, run_id in zip(shown["method"], shown["run_id"], strict=True):
        if run_id in records:
            notebook.add(records[run_id], label=label, table=number_of[run_id])
    figures = load_published_problems()
    by_problem = pd.concat([problem_rows(table) for table in report.tables], ignore_index=True)
    return {
        "version": srbench_ext.__version__,
        "tables": [_table(table, figures) for table in report.tables],
        "problems": grid(_PROBLEM_COLUMNS, _without_empty(by_problem)),
        "published": {"caveat": CAVEAT, **figures_by_problem(by_problem, figures)},
        **notebook.content(),
        "unreadable": list(report.unreadable),
        "runs_left_out": len(runs) - len(notebook),
    }


def _table(table: ResultTable, figures: pd.DataFrame) -> dict[str, Any]:
    measured = with_intervals(table.measured, INTERVALS).assign(kind="measured")
    published = numbered(table).assign(kind="published")
    both = pd.concat([measured, published], ignore_index=True) if len(published) else measured
    compared = with_intervals(table.comparisons, ("difference",))
    ranks = table.ranks
    return {
        "title": table.title,
        "slug": table.slug,
        "suite": table.suite,
        "judged": bool(table.measured["rate_symbolic"].notna().any()),
        "grid": {**grid(SHOWN, both), "kinds": both["kind"].tolist()},
        "points": [
            {name: plain(row.get(name)) for name in ("method", "kind", *_POINT)}
            for row in both.to_dict("records")
        ],
        "notes": list(table.notes),
        "pairs": grid(COMPARED, compared),
        "beside": pairs_of(table, figures),
        "anytime": _curves(table),
        "ranks": None
        if ranks is None
        else {
            "methods": list(ranks.methods),
            "means": [plain(rank) for rank in ranks.result.mean_ranks],
            "difference": plain(ranks.result.critical_difference),
            "problems": ranks.result.n_problems,
        },
    }


_POINT = ("rate_r2_gt_0.99", "median_r2", "mean_complexity", "mean_seconds")


def _curves(table: ResultTable) -> dict[str, list[list[object]]]:
    """Return the share of runs that an incumbent had solved against seconds, where it changes, by method."""
    curves: dict[str, list[list[object]]] = {}
    for method, curve in anytime(table).groupby("method"):
        seconds, rates = curve["seconds"].to_numpy(), curve["rate_r2_gt_0.99"].to_numpy()
        changes = np.concatenate([[True], rates[1:] != rates[:-1]])
        changes[-1] = True
        curves[str(method)] = [
            [plain(s), plain(r)] for s, r in zip(seconds[changes], rates[changes], strict=True)
        ]
    return curves


def _without_empty(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out ``part`` where the report is not split."""
    return frame if frame["part"].any() else frame.drop(columns="part")
