"""Anytime curves, noise robustness and critical differences, as figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from srbench_ext.report.anytime import anytime
from srbench_ext.report.comparisons import RankTest
from srbench_ext.report.figures import add_legend, look_of
from srbench_ext.report.tables import ResultTable

__all__ = ["anytime_figure", "critical_difference_figure", "noise_figure"]

_LETTER = 0.075
"""Width of a letter of a name, inches."""


def anytime_figure(table: ResultTable) -> Figure:
    """Draw the share of runs whose incumbent has test R² > 0.99, and the median R², against seconds.

    Parameters
    ----------
    table : ResultTable

    Returns
    -------
    matplotlib.figure.Figure
        Median R² is cut off at 0.
    """
    curves = anytime(table)
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for index, (method, curve) in enumerate(curves.groupby("method")):
        look = look_of(index)
        style = {"color": look.colour, "linestyle": look.line, "drawstyle": "steps-post"}
        left.plot(curve["seconds"], curve["rate_r2_gt_0.99"], label=str(method), **style)
        right.plot(curve["seconds"], np.maximum(curve["median_r2"], 0.0), **style)
    for axes, label in ((left, "share of runs with R² > 0.99"), (right, "median R²")):
        axes.set_xscale("log")
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("seconds")
        axes.set_ylabel(f"{label} (incumbent)")
        axes.grid(alpha=0.25)
    add_legend(figure, left)
    figure.suptitle(table.title)
    return figure


def noise_figure(tables: Sequence[ResultTable]) -> Figure:
    """Draw accuracy and recovery against the level of target noise.

    Parameters
    ----------
    tables : sequence of ResultTable
        Those of one protocol, suite and part, one a noise level, sorted by it.

    Returns
    -------
    matplotlib.figure.Figure
        Bars are 95% intervals over problems; hollow grey markers are published figures.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    measured = pd.concat([table.measured for table in tables])
    methods = sorted(measured["method"].unique())
    for axes, (measure, label) in zip(
        panels, (("rate_r2_gt_0.99", "share of runs with R² > 0.99"), ("rate_symbolic", "share recovered")),
        strict=True,
    ):  # fmt: skip
        for index, method in enumerate(methods):
            _draw_noise(axes, measured[measured["method"] == method], tables, measure, index)
        for position, table in enumerate(tables):
            values = table.published[measure].dropna()
            axes.scatter(
                [position] * len(values), values, s=30, facecolors="none", edgecolors="0.5", label="published"
            )
        axes.set_xticks(range(len(tables)), [f"{table.noise:g}" for table in tables])
        axes.set_xlabel("target noise")
        axes.set_ylabel(label)
        axes.grid(alpha=0.25)
    add_legend(figure, panels[0])
    first = tables[0]
    part = f", {first.part} problems" if first.part else ""
    figure.suptitle(f"{first.suite}{part}, protocol {first.protocol}")
    return figure


def critical_difference_figure(ranks: RankTest, title: str) -> Figure:
    """Draw the mean ranks of methods, with a bar through those that Nemenyi's test does not tell apart.

    Parameters
    ----------
    ranks : RankTest
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    import scikit_posthocs  # brings statsmodels: seconds

    losses = pd.DataFrame(ranks.losses, columns=list(ranks.methods))
    means = pd.Series(ranks.result.mean_ranks, index=list(ranks.methods))
    longest = max(len(method) for method in ranks.methods)
    width = max(8.0, 4.0 + 2 * _LETTER * longest)  # the names stand to the left and right of the axis
    figure = Figure(figsize=(width, 0.9 + 0.35 * len(ranks.methods)), layout="constrained")
    axes = figure.subplots()
    drawn = scikit_posthocs.critical_difference_diagram(
        means,
        scikit_posthocs.posthoc_nemenyi_friedman(losses.rank(axis=1)),
        ax=axes,
        label_fmt_left="{label} ({rank:.2f})  ",
        label_fmt_right="  {label} ({rank:.2f})",
        color_palette={method: look_of(i).colour for i, method in enumerate(ranks.methods)},
    )
    for bar in drawn["crossbars"]:  # drawn in the order of a set of names, which changes from run to run
        bar[0].set_xdata(np.sort(bar[0].get_xdata()))
    axes.set_title(
        f"{title}: mean rank of NMSE, {ranks.result.n_problems} problems, "
        f"critical difference {ranks.result.critical_difference:.2f}",
        fontsize="medium",
    )
    return figure


def _draw_noise(
    axes: Axes, rows: pd.DataFrame, tables: Sequence[ResultTable], measure: str, index: int
) -> None:
    positions = {table.noise: position for position, table in enumerate(tables)}
    known = rows[rows[measure].notna()]
    if known.empty:
        return
    values = known[measure]
    look = look_of(index)
    below, above = values - known[f"{measure}_low"], known[f"{measure}_high"] - values
    axes.errorbar(
        [positions[noise] for noise in known["noise"]],
        values,
        yerr=np.maximum([below, above], 0.0),
        label=str(known["method"].iloc[0]),
        color=look.colour,
        marker=look.marker,
        linestyle=look.line,
        capsize=3,
    )
