"""Published figures of single problems on the page: paired with ours, and beside the runs of a problem."""

from __future__ import annotations

from typing import Any

import pandas as pd

from srbench_ext.report.markup import Columns
from srbench_ext.report.page.values import grid, plain
from srbench_ext.report.published_problems import compare_published, sources
from srbench_ext.report.tables import ResultTable

__all__ = ["figures_by_problem", "pairs_of"]

_PAIRED: Columns = {
    "measure": ("measure", "s"),
    "method": ("method", "s"),
    "published": ("published", "s"),
    "source": ("source", "s"),
    "problems": ("problems", "d"),
    "ours": ("ours", ".3f"),
    "theirs": ("theirs", ".3f"),
    "wins": ("only we", "d"),
    "ties": ("both or none", "d"),
    "losses": ("only they", "d"),
    "p": ("p", "p"),
    "p_holm": ("p (Holm)", "p"),
}

_BESIDE: Columns = {
    "method": ("method", "s"),
    "noise": ("noise", "g"),
    "r2_test": ("R²", ".6f"),
    "rate_symbolic": ("symbolic", ".2f"),
    "complexity": ("complexity", ".0f"),
    "seconds": ("seconds", ".2f"),
    "source": ("source", "s"),
}


def pairs_of(table: ResultTable, figures: pd.DataFrame) -> dict[str, Any]:
    """Return the grid of our methods paired with published ones, on the problems of both.

    Parameters
    ----------
    table : ResultTable
    figures : pandas.DataFrame
        As :func:`~srbench_ext.report.published_problems.load_published_problems` returns them.
    """
    return grid(_PAIRED, _named(compare_published(table.runs, figures)))


def figures_by_problem(ours: pd.DataFrame, figures: pd.DataFrame) -> dict[str, Any]:
    """Return the published figures of the problems and noise levels that we have runs of.

    Parameters
    ----------
    ours : pandas.DataFrame
        With ``suite``, ``problem`` and ``noise``.
    figures : pandas.DataFrame
        As :func:`~srbench_ext.report.published_problems.load_published_problems` returns them.

    Returns
    -------
    dict
        ``columns`` as a grid has them, and ``problems``: rows by ``suite/problem``.
    """
    keys = ["suite", "problem", "noise"]
    chosen = _named(figures.merge(ours[keys].drop_duplicates(), on=keys))
    chosen = chosen.sort_values(["noise", "r2_test"], ascending=[True, False], kind="stable")
    rows: dict[str, list[list[object]]] = {}
    for row in chosen.to_dict("records"):
        key = f"{row['suite']}/{row['problem']}"
        rows.setdefault(key, []).append([plain(row[name]) for name in _BESIDE])
    return {"columns": grid(_BESIDE, chosen.head(0))["columns"], "problems": rows}


def _named(figures: pd.DataFrame) -> pd.DataFrame:
    titles = {key: described["title"] for key, described in sources().items()}
    return figures.assign(source=figures["source"].map(titles))
