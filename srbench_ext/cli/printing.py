"""How the commands print: plain data as JSON, tables on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich.box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from srbench_ext.runner.execution import Summary

__all__ = ["print_json", "print_table", "summary_as_json"]

_WIDEST = 10_000


def print_json(value: object) -> None:
    """Print strict JSON: no NaN, no infinity."""
    print(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def summary_as_json(summary: Summary, out: Path) -> dict[str, object]:
    """Return what an execution did as plain data."""
    return {
        "planned": summary.planned,
        "stored_before": summary.skipped,
        "done": summary.done,
        "by_status": dict(summary.counts),
        "by_another_runner": summary.elsewhere,
        "set_aside": [str(each) for each in summary.set_aside],
        "seconds": summary.seconds,
        "records": str(out / "records"),
    }


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str | None = None,
    right: Iterable[int] = (),
) -> None:
    """Print a table as wide as it needs to be; the terminal, not the table, breaks long lines.

    Parameters
    ----------
    headings : sequence of str
        One a column.
    rows : iterable of sequence of str
        The cells.
    title : str, optional
        What stands above.
    right : iterable of int
        The columns to align to the right.
    """
    table = Table(box=rich.box.SIMPLE, title=title, title_justify="left", title_style="bold", pad_edge=False)
    aligned = set(right)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index in aligned else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    width = Console(width=_WIDEST).measure(table).maximum
    Console(width=width).print(table, crop=False)
