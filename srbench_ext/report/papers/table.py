"""A paper table as CSV, Markdown and LaTeX."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from srbench_ext.report.formats import SHOWN
from srbench_ext.report.markup import Columns, Row, cells, latex, markdown

__all__ = ["PaperTable", "heading"]

_HEADINGS = {
    "mean_complexity": ("complexity", ".1f"),
    "mean_seconds": ("seconds", ".2f"),
    "mean_r2": ("R²", ".4f"),
    "acc_0.1": ("Acc 0.1", ".3f"),
    "acc_0.01": ("Acc 0.01", ".3f"),
    "acc_0.001": ("Acc 0.001", ".3f"),
    "problems": ("problems", "s"),
}


def heading(measure: str) -> tuple[str, str]:
    """Return the heading of a measure, and how its values are written."""
    return _HEADINGS.get(measure) or SHOWN[measure]


@dataclass(frozen=True, slots=True, eq=False)
class PaperTable:
    """One table.

    Attributes
    ----------
    name, title : str
        In file names and labels, and above the table.
    stub : tuple of str
        The columns that say what a row is.
    groups : dict of str to tuple of str
        Title of each group of columns, and its measures; the column of a measure is ``title: measure``.
    measured, published : pandas.DataFrame
        Our rows and other people's: the stub and the columns of the groups.
    notes : tuple of str
        What has to be known to read it, and what is left out.
    """

    name: str
    title: str
    stub: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    measured: pd.DataFrame
    published: pd.DataFrame
    notes: tuple[str, ...]

    def to_csv(self) -> str:
        """Write all values at full precision; ``kind`` says ``measured`` or ``published``."""
        parts = [self.measured.assign(kind="measured"), self.published.assign(kind="published")]
        both = pd.concat([part for part in parts if len(part)], ignore_index=True)
        return both[["kind", *self.stub, *self._keys()]].to_csv(index=False)

    def to_markdown(self) -> str:
        """Write our rows, below them the published ones, then the notes."""
        measured, published = self._rows()
        columns = self._columns(long=True)
        return markdown(self.title, columns, [*measured, *published], self.notes)

    def to_latex(self) -> str:
        """Write a ``booktabs`` table, a heading over each group of columns."""
        groups = [("", len(self.stub)), *((title, len(names)) for title, names in self.groups.items())]
        columns = self._columns(long=False)
        return latex(self.title, f"paper-{self.name}", columns, self._rows(), self.notes, groups)

    def _keys(self) -> list[str]:
        return [f"{title}: {name}" for title, names in self.groups.items() for name in names]

    def _columns(self, *, long: bool) -> Columns:
        """Return the columns with their headings, which name the group too in the long form."""
        columns: Columns = {name: (name, "g" if name == "noise" else "s") for name in self.stub}
        for title, names in self.groups.items():
            for name in names:
                text, spec = heading(name)
                columns[f"{title}: {name}"] = (f"{title} {text}" if long and title else text, spec)
        return columns

    def _rows(self) -> tuple[list[Row], list[Row]]:
        columns = self._columns(long=True)
        measured, published = (
            cells(part, tuple(columns), columns) for part in (self.measured, self.published)
        )
        return measured, published
