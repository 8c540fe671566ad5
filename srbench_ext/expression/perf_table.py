"""The table of :mod:`srbench_ext.expression.perf`, and its place in a text.

It stands between ``<!-- perf:start -->`` and ``<!-- perf:end -->``, so that no figure is copied by hand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from srbench_ext.errors import InputError

__all__ = ["Row", "insert_table", "table"]

_START, _END = "<!-- perf:start -->", "<!-- perf:end -->"
_BLOCK = re.compile(re.escape(_START) + ".*?" + re.escape(_END), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what, against what, both figures, their ratio and the least ratio wanted."""

    what: str
    other: str
    ours: str
    theirs: str
    ratio: float | None
    target: float | None


def table(rows: Sequence[Row]) -> str:
    """Return the lines as a Markdown table."""
    lines = ["| what | against | ours | theirs | ratio | at least |", "|---|---|---|---|---|---|"]
    for row in rows:
        cells = [
            f"{v:,.3g}" if v is not None and v < 1000 else f"{v or 0:,.0f}" for v in (row.ratio, row.target)
        ]
        lines.append("| " + " | ".join((row.what, row.other, row.ours, row.theirs, *cells)) + " |")
    return "\n".join(lines) + "\n"


def insert_table(text: str, made: str) -> str:
    """Return the text with what stands between its markers replaced by a table.

    Raises
    ------
    InputError
        When the text does not hold the two markers once.
    """
    if len(_BLOCK.findall(text)) != 1:
        raise InputError(f"The text must hold the markers {_START} and {_END} once. Add them.")
    return _BLOCK.sub(lambda _: f"{_START}\n{made}{_END}", text)
