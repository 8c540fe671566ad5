"""A table of results as CSV, Markdown and LaTeX.

CSV carries full precision for further work; Markdown and LaTeX are rounded for reading and set the published
figures apart from ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from srbench_ext.report.tables import ResultTable

__all__ = ["SHOWN", "cell", "rows", "to_csv", "to_latex", "to_markdown"]

Row = list[str]

_ABSENT = "–"

# column -> (heading, how a value is written)
SHOWN: dict[str, tuple[str, str]] = {
    "method": ("method", "s"),
    "track": ("track", "s"),
    "n": ("n", "d"),
    "ok": ("ok", "d"),
    "failures": ("failures", "d"),
    "rate_r2_gt_0.99": ("R²>0.99", ".3f"),
    "rate_r2_gt_0.999": ("R²>0.999", ".3f"),
    "rate_symbolic": ("symbolic", ".3f"),
    "unknown_share": ("unknown", ".3f"),
    "median_r2": ("median R²", ".4f"),
    "mean_r2": ("mean R²", ".4f"),
    "median_complexity": ("median complexity", ".1f"),
    "mean_complexity": ("mean complexity", ".1f"),
    "median_seconds": ("median s", ".2f"),
    "mean_seconds": ("mean s", ".2f"),
}
"""The columns of the Markdown and LaTeX tables."""


def cell(value: object, spec: str) -> str:
    """Write one value; a dash where there is none.

    Parameters
    ----------
    value : object
        A string, a number, None or NaN.
    spec : str
        ``"s"``, ``"d"`` or a float format such as ``".3f"``.

    Examples
    --------
    >>> cell(0.5, ".3f"), cell(float("-inf"), ".4f"), cell(None, "d")
    ('0.500', '−∞', '–')
    """
    if value is None or pd.isna(value):  # type: ignore[call-overload]
        return _ABSENT
    if spec == "s":
        return str(value)
    number = float(value)  # type: ignore[arg-type]
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    return format(round(number), "d") if spec == "d" else format(number, spec)


def rows(table: ResultTable, columns: Iterable[str] = tuple(SHOWN)) -> tuple[list[Row], list[Row]]:
    """Write the cells of a table.

    Parameters
    ----------
    table : ResultTable
        The table.
    columns : iterable of str
        Which columns of :data:`SHOWN`.

    Returns
    -------
    measured, published : list of list of str
        Ours, and other people's: these have ``published`` for a track, and behind the name the number of
        their source in the notes.
    """
    wanted = tuple(columns)
    numbers = {source: number for number, source in enumerate(table.published["source"].unique(), start=1)}
    labels = [f"{row.method} [{numbers[row.source]}]" for row in table.published.itertuples()]
    published = table.published.assign(method=labels, track="published")
    return _cells(table.measured, wanted), _cells(published, wanted)


def to_csv(table: ResultTable) -> str:
    """Write a table as CSV: every measure at full precision, ``kind`` says ``measured`` or ``published``.

    Protocol, suite and noise are columns, so that the files of several tables can be put one under the other.
    """
    measured = table.measured.assign(kind="measured", source="")
    published = table.published.assign(
        kind="published",
        track="published",
        protocol="",
        protocol_hash="",
        suite=table.suite,
        noise=table.noise,
    )
    both = pd.concat([measured, published], ignore_index=True) if len(published) else measured
    first = ["kind", "method", "track"]
    columns = [*first, *(name for name in table.measured.columns if name not in first), "source"]
    whole = dict.fromkeys(("n", "ok", "failures"), "Int64")  # published rows have none
    return both[columns].astype(whole).to_csv(index=False)


def to_markdown(table: ResultTable) -> str:
    """Write a table as Markdown: our rows, below them the published ones, then the notes."""
    headings = [heading for heading, _ in SHOWN.values()]
    aligned = ["---" if spec == "s" else "---:" for _, spec in SHOWN.values()]
    measured, published = rows(table)
    lines = [_pipes(row) for row in [headings, aligned, *measured, *published]]
    return "\n".join([f"### {table.title}", "", *lines, "", *(f"- {note}" for note in table.notes)]) + "\n"


def to_latex(table: ResultTable) -> str:
    """Write a table for LaTeX's ``booktabs``: a ``table`` environment with caption, label and notes."""
    columns = "".join("l" if spec == "s" else "r" for _, spec in SHOWN.values())
    headings = " & ".join(_latex_text(heading) for heading, _ in SHOWN.values())
    measured, published = rows(table)
    lines = [_latex_line(row) for row in measured]
    if published:
        lines += [r"\midrule", *(_latex_line(row) for row in published)]
    notes = " ".join(_latex_text(note) for note in table.notes)
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex_text(table.title)}}}",
            rf"\label{{tab:{table.slug}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            rf"{headings} \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\footnotesize {notes}",
            r"\end{table}",
            "",
        ]
    )


def _cells(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[Row]:
    return [
        [cell(record.get(name), SHOWN[name][1]) for name in columns] for record in frame.to_dict("records")
    ]


def _pipes(row: Row) -> str:
    return f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |"


def _latex_line(row: Row) -> str:
    return f"{' & '.join(map(_latex_text, row))} \\\\"


_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "²": r"$^2$",
    ">": r"$>$",
    "<": r"$<$",
    "−": r"$-$",
    "∞": r"$\infty$",
    "–": "--",
    "`": "",
}


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
