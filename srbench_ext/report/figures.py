"""The Pareto plot of a table: accuracy against complexity and against time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from srbench_ext.report.tables import ResultTable

__all__ = ["COLOURS", "MARKERS", "Look", "add_legend", "look_of", "pareto_figure", "save_figure"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito
"""The colours of methods, in order of their names."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Their markers."""

_LINES = ("-", "--", ":", "-.")
_ROW = 0.2
_LEAST_HEIGHT = 4.2

_PANELS = (("mean_complexity", "mean complexity (tokens)"), ("mean_seconds", "mean seconds a run"))


class Look(NamedTuple):
    """How a method is drawn."""

    colour: str
    marker: str
    line: str


def look_of(index: int) -> Look:
    """Return the look of the method at this place of the order of their names.

    Parameters
    ----------
    index : int
        From 0.

    Returns
    -------
    Look
        49 methods differ in colour or marker, 28 in colour or kind of line.
    """
    round_, place = divmod(index, len(COLOURS))
    return Look(COLOURS[place], MARKERS[(place + round_) % len(MARKERS)], _LINES[round_ % len(_LINES)])


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
    figure = Figure(figsize=(10, _LEAST_HEIGHT), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    costs = table.published[[cost for cost, _ in _PANELS]]
    others = table.published[costs.notna().any(axis=1) & table.published[accuracy].notna()]
    for axes, (cost, cost_label) in zip(panels, _PANELS, strict=True):
        _draw_points(axes, table.measured, cost, accuracy, published=False)
        _draw_points(axes, others, cost, accuracy, published=True)
        _draw_front(axes, table.measured, cost, accuracy)
        axes.set_xlabel(cost_label)
        axes.grid(alpha=0.25)
    panels[0].set_ylabel(label)
    if _spread(table) > 20:
        panels[1].set_xscale("log")
    add_legend(figure, *panels)
    figure.suptitle(table.title)
    return figure


def add_legend(figure: Figure, *panels: Axes) -> None:
    """Name what the panels show, each name once, to the right; the figure grows with the number of names.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    *panels : matplotlib.axes.Axes
    """
    handles = {
        text: handle
        for axes in panels
        for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if handles:
        figure.set_figheight(max(_LEAST_HEIGHT, _ROW * (len(handles) + 2)))
        figure.legend(handles.values(), handles.keys(), loc="outside right upper", fontsize="small")


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
        look = look_of(index)
        colour = "0.35" if published else look.colour
        style: dict[str, Any] = {"facecolors": "none" if published else colour, "edgecolors": colour}
        name = f"{row['method']} (published)" if published else row["method"]
        axes.scatter(row[cost], row[accuracy], marker=look.marker, s=60, label=name, **style)


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
