"""The Pareto plot of a table: accuracy against complexity and against time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from srbench_ext.report.tables import ResultTable

__all__ = ["COLOURS", "MARKERS", "pareto_figure", "save_figure"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
"""The colours of methods, in order of their names."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Their markers."""

_PANELS = (("mean_complexity", "mean complexity (tokens)"), ("mean_seconds", "mean seconds a run"))


def pareto_figure(table: ResultTable) -> Figure:
    """Draw accuracy against complexity (left) and against seconds (right).

    Accuracy is the share of runs with R² > 0.99, or, for a suite without known formulas, the median R².
    Filled markers are measured, hollow grey ones published; the line runs along the measured methods that no
    other beats in both.

    Parameters
    ----------
    table : ResultTable
        The table to draw; methods without both figures of a panel are not in it.

    Returns
    -------
    matplotlib.figure.Figure
    """
    judged = table.measured["rate_symbolic"].notna().any()
    accuracy, label = (
        ("rate_r2_gt_0.99", "share of runs with R² > 0.99") if judged else ("median_r2", "median R²")
    )
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (cost, cost_label) in zip(panels, _PANELS, strict=True):
        _draw_points(axes, table.measured, cost, accuracy, published=False)
        _draw_points(axes, table.published, cost, accuracy, published=True)
        _draw_front(axes, table.measured, cost, accuracy)
        axes.set_xlabel(cost_label)
        axes.grid(alpha=0.25)
    panels[0].set_ylabel(label)
    if _spread(table) > 20:
        panels[1].set_xscale("log")
    handles = {
        text: handle
        for axes in panels
        for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside right upper", fontsize="small")
    figure.suptitle(table.title)
    return figure


def save_figure(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write a figure as ``stem.png`` and ``stem.svg``; the same figure gives the same bytes."""
    png, svg = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".svg")
    with rc_context({"svg.hashsalt": stem.name, "svg.fonttype": "none"}):
        figure.savefig(png, dpi=150, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None})
    return png, svg


def _draw_points(axes: Axes, rows: pd.DataFrame, cost: str, accuracy: str, *, published: bool) -> None:
    for index, row in enumerate(rows.to_dict("records")):
        if not (np.isfinite(row[cost]) and np.isfinite(row[accuracy])):
            continue
        colour = "0.35" if published else COLOURS[index % len(COLOURS)]
        style: dict[str, Any] = {"facecolors": "none" if published else colour, "edgecolors": colour}
        name = f"{row['method']} (published)" if published else row["method"]
        axes.scatter(
            row[cost], row[accuracy], marker=MARKERS[index % len(MARKERS)], s=60, label=name, **style
        )


def _draw_front(axes: Axes, rows: pd.DataFrame, cost: str, accuracy: str) -> None:
    points = rows[[cost, accuracy]].replace([np.inf, -np.inf], np.nan).dropna()
    front: list[tuple[float, float]] = []
    for x, y in sorted(points.itertuples(index=False, name=None), key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    if len(front) > 1:
        axes.plot(*zip(*front, strict=True), color="0.6", linewidth=1, drawstyle="steps-post", zorder=0)


def _spread(table: ResultTable) -> float:
    seconds = pd.concat([table.measured["mean_seconds"], table.published["mean_seconds"]]).dropna()
    seconds = seconds[seconds > 0]
    return float(seconds.max() / seconds.min()) if len(seconds) else 1.0
