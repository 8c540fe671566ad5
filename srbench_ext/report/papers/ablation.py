"""The in-domain table: how constants are found, on held-out problems of the corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from srbench_ext.errors import DataError
from srbench_ext.report.papers.layouts import Layout
from srbench_ext.report.papers.table import PaperTable

__all__ = ["OUTCOMES", "ablation_table"]

OUTCOMES = "outcomes.csv"
"""What an in-domain study leaves: one line a problem and row."""

_PUBLISHED_NAMES = {"r2": "mean_r2"}  # as the published figures call it
_SUITE = "in-domain"
_STUB = ("row", "weights", "examples", "problems")


def ablation_table(layout: Layout, folders: list[Path], figures: pd.DataFrame) -> PaperTable | str:
    """Summarise the outcomes of in-domain studies.

    Parameters
    ----------
    layout : Layout
        Of the group ``in-domain``.
    folders : list of pathlib.Path
        Those with :data:`OUTCOMES` are read.
    figures : pandas.DataFrame
        Published figures, as :func:`~srbench_ext.report.load_published` returns them.

    Returns
    -------
    PaperTable or str
        Or why there is none.

    Raises
    ------
    DataError
        When outcomes lack a column.
    """
    rows = [row for folder in folders if (folder / OUTCOMES).is_file() for row in _rows(folder / OUTCOMES)]
    if not rows:
        return f"no folder holds {OUTCOMES} of an in-domain study (make in-domain)"
    keys = [f": {name}" for name in layout.measures]
    published, sources = _published(layout, figures)
    return PaperTable(
        name=layout.name,
        title=layout.title,
        stub=_STUB,
        groups={"": layout.measures},
        measured=pd.DataFrame(rows, columns=[*_STUB, *keys]),
        published=pd.DataFrame(published, columns=[*_STUB, *keys]),
        notes=(
            f"In the shape of {layout.after}.",
            "R² is the mean of max(0, R²) with failures 0; Acc t is the share of problems with 95% of the "
            "clean test points within a relative error of t.",
            *sources,
        ),
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    outcomes = pd.read_csv(path)
    accuracies = [name for name in map(str, outcomes) if name.startswith("acc_")]
    missing = [name for name in ("weights", "examples", "row", "r2", "complexity") if name not in outcomes]
    if missing:
        raise DataError(f"The outcomes {path} lack the columns {missing}. Run: make in-domain")
    rows = []
    for (weights, examples, row), group in outcomes.groupby(["weights", "examples", "row"], sort=False):
        r2 = group["r2"].fillna(-np.inf).to_numpy(np.float64)
        figures = {
            "mean_r2": float(np.mean(np.maximum(r2, 0.0))),
            "rate_r2_gt_0.99": float(np.mean(r2 > 0.99)),
            "mean_complexity": float(group["complexity"].mean()),
            **{name: float(group[name].astype(bool).mean()) for name in accuracies},
        }
        about = {
            "row": row,
            "weights": str(weights),
            "examples": f"{examples:,}",
            "problems": str(len(group)),
        }
        rows.append(about | {f": {name}": value for name, value in figures.items()})
    return rows


def _published(layout: Layout, figures: pd.DataFrame) -> tuple[list[dict[str, Any]], list[str]]:
    chosen = figures[figures["source"].str.startswith(layout.sources) & (figures["suite"] == _SUITE)]
    rows: dict[str, dict[str, Any]] = {}
    for figure in chosen.to_dict("records"):
        measure = _PUBLISHED_NAMES.get(figure["metric"], figure["metric"])
        row = rows.setdefault(figure["method"], {"row": f"{figure['method']} [1]", "weights": "published"})
        row[f": {measure}"] = figure["value"]
    told = "; ".join(sorted(set(chosen["source"])))
    return list(rows.values()), [
        f"Published figures are on a held-out set of their own: [1] {told}."
    ] if rows else []
