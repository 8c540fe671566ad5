"""The table and the figure of a sweep: one setting against accuracy and time, from records alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from srbench_ext.errors import DataError
from srbench_ext.report.load import load_records, variant_labels
from srbench_ext.report.markup import Columns, cells, markdown
from srbench_ext.report.scores import add_intervals, score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SHOWN", "Sweep", "read_sweep", "shown", "sweep_figure", "to_markdown", "write_sweep"]

_COLUMNS = {"seconds": "max_seconds", "rows": "n_rows", "noise": "noise"}
"""Settings of the protocol, and the column of the records that holds them."""
_SEED = 7
_SERIES = ["method", "suite", "noise"]

SHOWN: Columns = {
    "suite": ("suite", "s"),
    "noise": ("noise", "s"),
    "method": ("method", "s"),
    "value": ("value", "s"),
    "n": ("n", "d"),
    "failures": ("failures", "d"),
    "rate_r2_gt_0.99": ("R²>0.99", ".3f"),
    "interval": ("95%", "s"),
    "rate_symbolic": ("symbolic", ".3f"),
    "median_r2": ("median R²", ".4f"),
    "mean_complexity": ("mean complexity", ".1f"),
    "median_seconds": ("median s", ".2f"),
    "mean_seconds": ("mean s", ".2f"),
}
"""The columns of the Markdown table."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """What a sweep found.

    Attributes
    ----------
    parameter : str
    rows : pandas.DataFrame
        One row a method, suite, noise level and value, with the measures of every table of results.
    """

    parameter: str
    rows: pd.DataFrame


def read_sweep(folder: Path, parameter: str) -> Sweep:
    """Read the runs below a folder that a setting distinguishes.

    Parameters
    ----------
    folder : Path
    parameter : str
        ``seconds``, ``rows``, ``noise`` or a parameter of the method. Runs that do not name a value for it
        are left out.

    Returns
    -------
    Sweep
        Failed runs are misses. Methods that differ in anything else are told apart by their names.

    Raises
    ------
    DataError
        If no record names the setting.
    """
    runs = load_records(folder)
    if parameter in _COLUMNS:
        runs["value"] = runs[_COLUMNS[parameter]]
    else:
        settings = [json.loads(text) for text in runs["parameters"]]
        runs["value"] = pd.Series([_scalar(each.get(parameter)) for each in settings], dtype=object)
        rest = [{k: v for k, v in each.items() if k != parameter} for each in settings]
        runs["parameters"] = [json.dumps(each, sort_keys=True) for each in rest]
    runs = runs[runs["value"].notna()].reset_index(drop=True)
    if runs.empty:
        raise DataError(
            f"No record in {folder} has a value of {parameter!r}. Run: srbench-ext sweep METHOD "
            f"--parameter {parameter} --values 1,2,4 --out {folder}"
        )
    runs["method"] = runs["method"].str.partition(" (")[0]
    runs["method"] = variant_labels(runs)
    runs["protocol"], runs["protocol_hash"] = "sweep", ""  # other seconds or rows make another protocol
    rows = [
        _scored(of_value[of_value["suite"] == suite], value)
        for value, of_value in runs.groupby("value", sort=False)
        for suite in of_value["suite"].unique()
    ]
    table = pd.concat(rows, ignore_index=True)
    order = table["value"].map(_order)
    return Sweep(parameter, table.assign(order=order).sort_values([*_SERIES, "order"], ignore_index=True))


def write_sweep(sweep: Sweep, folder: Path) -> tuple[Path, ...]:
    """Write ``tables/sweep-<parameter>.{csv,md}`` and ``figures/sweep-<parameter>.{png,svg}``."""
    from srbench_ext.report.figures import save_figure

    name = f"sweep-{sweep.parameter}"
    tables, figures = folder / "tables", folder / "figures"
    for made in (tables, figures):
        made.mkdir(parents=True, exist_ok=True)
    csv, text = tables / f"{name}.csv", tables / f"{name}.md"
    dropped = ["protocol", "protocol_hash", "part", "order"]
    sweep.rows.drop(columns=dropped).to_csv(csv, index=False, lineterminator="\n")
    text.write_text(to_markdown(sweep), encoding="utf-8")
    return csv, text, *save_figure(sweep_figure(sweep), figures / name)


def to_markdown(sweep: Sweep) -> str:
    """Return the table of a sweep as Markdown."""
    body = shown(sweep)
    notes = [
        "R²>0.99: share of all runs, a failed one being a miss; 95% by bootstrap over problems and trials.",
        "Seconds: of the runs that ended, without loading of weights.",
    ]
    columns = {**SHOWN, "value": (sweep.parameter, "s")}
    return markdown(f"Sweep of {sweep.parameter}", columns, cells(body, tuple(columns), columns), notes)


def sweep_figure(sweep: Sweep) -> Figure:
    """Draw accuracy against time, a point a value, joined in the order of the values."""
    from matplotlib.figure import Figure

    from srbench_ext.report.figures import look_of

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    series = _SERIES[:2] if sweep.parameter == "noise" else _SERIES
    for index, (key, rows) in enumerate(sweep.rows.groupby(series, sort=True)):
        method, suite, *levels = cast("tuple[Any, ...]", key)
        look = look_of(index)
        drawn = rows[np.isfinite(rows["median_seconds"].to_numpy(np.float64))]
        if drawn.empty:
            continue
        rate = drawn["rate_r2_gt_0.99"].to_numpy(np.float64)
        bounds = drawn[["rate_r2_gt_0.99_low", "rate_r2_gt_0.99_high"]].to_numpy(np.float64).T
        errors = np.nan_to_num(np.abs(bounds - rate))
        axes.errorbar(
            drawn["median_seconds"],
            rate,
            yerr=errors,
            color=look.colour,
            marker=look.marker,
            linewidth=1,
            elinewidth=0.6,
            label=", ".join([method, suite, *(f"noise {level:g}" for level in levels)]),
        )
        for seconds, height, value in zip(drawn["median_seconds"], rate, drawn["value"], strict=True):
            axes.annotate(
                _text(value), (seconds, height), textcoords="offset points", xytext=(4, 4), fontsize="small"
            )
    axes.set_xscale("log")
    axes.set_xlabel("median seconds a run")
    axes.set_ylabel("share of runs with R² > 0.99")
    axes.set_title(f"Sweep of {sweep.parameter}")
    axes.grid(alpha=0.25)
    axes.margins(x=0.1)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", fontsize="small")
    return figure


def shown(sweep: Sweep) -> pd.DataFrame:
    """Return the rows with what is only for reading: intervals, values and levels as text."""
    low, high = (sweep.rows[f"rate_r2_gt_0.99_{end}"] for end in ("low", "high"))
    intervals = [f"{a:.2f}–{b:.2f}" for a, b in zip(low, high, strict=True)]
    return sweep.rows.assign(
        interval=intervals,
        value=[_text(value) for value in sweep.rows["value"]],
        noise=[f"{level:g}" for level in sweep.rows["noise"]],
    )


def _scored(runs: pd.DataFrame, value: Any) -> pd.DataFrame:
    """Return the measures of the runs at one value, on one suite."""
    rows = []
    for _, level in runs.groupby("noise", sort=True):
        rows.append(add_intervals(score(level), level, "miss", np.random.default_rng(_SEED)))
    return pd.concat(rows, ignore_index=True).assign(value=[value] * sum(map(len, rows)))


def _scalar(value: Any) -> Any:
    """Return a value that groups can be made of."""
    return json.dumps(value) if isinstance(value, list | dict) else value


def _order(value: Any) -> tuple[int, float, str]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return (0, float(value), "") if number else (1, 0.0, str(value))


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
