"""Make the report of a folder of records and write it beside them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from srbench_ext.report.comparisons import COMPARISON_COLUMNS
from srbench_ext.report.failures import FailureRule
from srbench_ext.report.formats import (
    comparisons_to_csv,
    comparisons_to_latex,
    comparisons_to_markdown,
    to_csv,
    to_latex,
    to_markdown,
)
from srbench_ext.report.load import load_records
from srbench_ext.report.published import load_published
from srbench_ext.report.scores import score
from srbench_ext.report.tables import ResultTable, build_tables

__all__ = ["JSON_COLUMNS", "Report", "make_report", "write_report"]

JSON_COLUMNS = (
    "method",
    "suite",
    "noise",
    "n",
    "ok",
    "rate_r2_gt_0.99",
    "rate_r2_gt_0.999",
    "rate_symbolic",
    "median_r2",
    "mean_r2",
    "median_complexity",
    "mean_complexity",
    "median_seconds",
    "mean_seconds",
)
"""The keys of a row of :meth:`Report.as_json`: a contract, scripts read them."""

_FORMATS: dict[str, Callable[[ResultTable], str]] = {
    ".csv": to_csv,
    ".md": to_markdown,
    ".tex": to_latex,
    "-pairs.csv": comparisons_to_csv,
    "-pairs.md": comparisons_to_markdown,
    "-pairs.tex": comparisons_to_latex,
}


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What the records of a folder add up to.

    Attributes
    ----------
    tables : tuple of ResultTable
        One a protocol, suite and noise level.
    scores : pandas.DataFrame
        All measured rows of the tables, as :func:`~.scores.score` returns them.
    unreadable : tuple of str
        Why a record file could not be read, one message a file; such a run is in no table.
    """

    tables: tuple[ResultTable, ...]
    scores: pd.DataFrame
    unreadable: tuple[str, ...]

    def as_json(self) -> dict[str, list[dict[str, object]]]:
        """Return ``{"rows": [...], "comparisons": [...]}``; what is not known or not finite is None.

        Rows have the keys :data:`JSON_COLUMNS`, comparisons :data:`~.comparisons.COMPARISON_COLUMNS` after
        ``suite`` and ``noise``; both have ``part`` too where the report is split.
        """
        split = ["part"] if any(table.part for table in self.tables) else []
        compared = [
            table.comparisons.assign(suite=table.suite, noise=table.noise, part=table.part)
            for table in self.tables
        ]
        return {
            "rows": _rows(self.scores[[*JSON_COLUMNS, *split]]),
            "comparisons": [
                row
                for frame in compared
                for row in _rows(frame[["suite", "noise", *split, *COMPARISON_COLUMNS]])
            ],
        }


def make_report(folder: Path, *, failures: FailureRule = "miss") -> Report:
    """Read the records of a run and score them.

    Parameters
    ----------
    folder : pathlib.Path
        A folder that a run has written (it holds ``records/``).
    failures : {"miss", "drop", "worst-rank"}
        How failed runs are scored.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        When the folder holds no records.
    """
    unreadable: list[str] = []
    runs = load_records(folder, on_unreadable=lambda error: unreadable.append(str(error)))
    tables = build_tables(runs, load_published(), failures=failures)
    return Report(tables, score(runs, failures), tuple(unreadable))


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write ``folder/tables/*.{csv,md,tex}`` and ``folder/figures/*.{png,svg}``.

    Returns
    -------
    tuple of pathlib.Path
        The files written.
    """
    from srbench_ext.report.figures import pareto_figure, save_figure  # matplotlib takes a second to import

    tables, figures = folder / "tables", folder / "figures"
    tables.mkdir(parents=True, exist_ok=True)
    figures.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for table in report.tables:
        for suffix, convert in _FORMATS.items():
            path = tables / f"{table.slug}{suffix}"
            path.write_text(convert(table), encoding="utf-8")
            written.append(path)
        written += save_figure(pareto_figure(table), figures / f"{table.slug}-pareto")
    return tuple(written)


def _rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    rows = frame.to_dict("records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: object) -> object:
    """Turn numpy scalars into Python's, NaN and infinities into None."""
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and not math.isfinite(number) else number
