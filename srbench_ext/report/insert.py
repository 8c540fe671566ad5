"""Tables put into a text between markers, so that no figure of a README is written by hand.

The block of the table ``quick`` stands between ``<!-- table:quick -->`` and ``<!-- /table:quick -->``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from srbench_ext.errors import InputError
from srbench_ext.report.formats import SHOWN, rows
from srbench_ext.report.tables import ResultTable

__all__ = ["insert_tables"]

_COLUMNS = (
    "method",
    "track",
    "n",
    "rate_r2_gt_0.99",
    "rate_r2_gt_0.99_interval",
    "rate_r2_gt_0.999",
    "rate_symbolic",
    "mean_complexity",
    "mean_seconds",
)
_COLUMNS_WITHOUT_TRUTH = (
    "method",
    "track",
    "n",
    "median_r2",
    "mean_r2",
    "rate_r2_gt_0.99",
    "mean_complexity",
    "mean_seconds",
)
"""Where no law is known, few reach R² > 0.99 and nothing is recovered."""
_DIFFERENCES = ("R²>0.99:", "recovered:", "NMSE:")
_KEPT_NOTES = ("Protocol", "Problems on", "Only", "Failures", "Code")


def insert_tables(text: str, name: str, tables: Sequence[ResultTable]) -> str:
    """Return the text with the block of a name replaced by short forms of tables.

    Parameters
    ----------
    text : str
        Holds the two markers of ``name`` once.
    name : str
    tables : sequence of ResultTable
        Their measured rows are written, with the notes on differences, protocol, rows, failures and
        code.

    Raises
    ------
    InputError
        When the markers are not there.
    """
    start, end = f"<!-- table:{name} -->", f"<!-- /table:{name} -->"
    pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise InputError(
            f"The text must hold the markers {start} and {end} once. Add them where the table belongs."
        )
    block = "\n\n".join(_short(table) for table in tables)
    return pattern.sub(lambda _: f"{start}\n{block}\n{end}", text)


def _short(table: ResultTable) -> str:
    columns = _COLUMNS if table.measured["rate_symbolic"].notna().any() else _COLUMNS_WITHOUT_TRUTH
    measured, _ = rows(table, columns)
    heading = [SHOWN[column][0] for column in columns]
    lines = [
        f"**{table.suite}{f', {table.part} problems' if table.part else ''}, noise {table.noise:g}**",
        "",
        *(_line(row) for row in (heading, ["---"] * len(heading))),
    ]
    lines += [_line(row) for row in measured]
    notes = " ".join(note for note in table.notes if note.startswith(_KEPT_NOTES))
    differences = [f"- {note}" for note in table.notes if note.startswith(_DIFFERENCES)]
    return "\n".join([*lines, "", *differences, *([""] if differences else []), notes])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
