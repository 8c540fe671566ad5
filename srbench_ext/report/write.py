"""Make the report of a folder of records and write it beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from srbench_ext.report.comparisons import COMPARISON_COLUMNS
from srbench_ext.report.failures import FailureRule
from srbench_ext.report.formats import (
    anytime_to_csv,
    anytime_to_latex,
    anytime_to_markdown,
    comparisons_to_csv,
    comparisons_to_latex,
    comparisons_to_markdown,
    to_csv,
    to_latex,
    to_markdown,
)
from srbench_ext.report.load import load_records
from srbench_ext.report.problems import problem_rows
from srbench_ext.report.published import load_published
from srbench_ext.report.scores import score
from srbench_ext.report.split import find_cards, split_runs
from srbench_ext.report.tables import ResultTable, build_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    "-anytime.csv": anytime_to_csv,
    "-anytime.md": anytime_to_markdown,
    "-anytime.tex": anytime_to_latex,
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


def make_report(folder: Path, *, failures: FailureRule = "miss", split: str | None = None) -> Report:
    """Read the records of a run and score them.

    Parameters
    ----------
    folder : pathlib.Path
        A folder that a run has written (it holds ``records/``).
    failures : {"miss", "drop", "worst-rank"}
        How failed runs are scored.
    split : {"seen"}, optional
        Split every table by this, see :mod:`~srbench_ext.report.split`.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        When the folder holds no records.
    ConfigError
        For a split that there is not.
    """
    unreadable: list[str] = []
    runs = load_records(folder, on_unreadable=lambda error: unreadable.append(str(error)))
    notes: dict[str, str] = {}
    if split is not None:
        runs, notes = split_runs(runs, split, find_cards(folder))
    tables = build_tables(runs, load_published(), failures=failures, part_notes=notes)
    return Report(tables, score(runs, failures), tuple(unreadable))


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write ``folder/tables/*.{csv,md,tex}`` and ``folder/figures/*.{png,svg}``.

    Problem by problem there is ``tables/problems.csv``, for a report of parts ``tables/problems-parts.csv``.

    Returns
    -------
    tuple of pathlib.Path
        The files written.
    """
    from srbench_ext.report.figures import save_figure  # matplotlib takes a second to import

    tables, figures = folder / "tables", folder / "figures"
    tables.mkdir(parents=True, exist_ok=True)
    figures.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for table in report.tables:
        for suffix, convert in _FORMATS.items():
            path = tables / f"{table.slug}{suffix}"
            path.write_text(convert(table), encoding="utf-8")
            written.append(path)
    name = "problems-parts.csv" if any(table.part for table in report.tables) else "problems.csv"
    by_problem = pd.concat([problem_rows(table) for table in report.tables], ignore_index=True)
    by_problem.to_csv(tables / name, index=False)
    written.append(tables / name)
    for stem, figure in _figures(report.tables):
        written += save_figure(figure, figures / stem)
    return tuple(written)


def _figures(tables: Sequence[ResultTable]) -> Iterator[tuple[str, Figure]]:
    """Yield every figure with its name: those of each table, and of each suite over its noise levels."""
    from srbench_ext.report.diagrams import anytime_figure, critical_difference_figure, noise_figure
    from srbench_ext.report.figures import pareto_figure

    for table in tables:
        yield f"{table.slug}-pareto", pareto_figure(table)
        yield f"{table.slug}-anytime", anytime_figure(table)
        if table.ranks is not None:
            yield f"{table.slug}-ranks", critical_difference_figure(table.ranks, table.title)
    by_suite: dict[tuple[str, str, str, str], list[ResultTable]] = {}
    for table in tables:
        key = (table.protocol, table.protocol_hash, table.suite, table.part)
        by_suite.setdefault(key, []).append(table)
    for group in by_suite.values():
        if len(group) > 1:
            yield group[0].slug.replace(f"-noise-{group[0].noise:g}", "-by-noise"), noise_figure(group)


def _rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    rows = frame.to_dict("records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: object) -> object:
    """Turn numpy scalars into Python's, NaN and infinities into None."""
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and not math.isfinite(number) else number
