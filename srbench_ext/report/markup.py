"""Rows of text as Markdown and LaTeX."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

__all__ = ["Columns", "Row", "cell", "cells", "latex", "markdown"]

Row = list[str]
"""The cells of a row, written."""

Columns = dict[str, tuple[str, str]]
"""Column -> heading, and how a value is written (see :func:`cell`)."""

_ABSENT = "–"


def cell(value: object, spec: str) -> str:
    """Write one value; a dash where there is none.

    Parameters
    ----------
    value : object
        A string, a number, None or NaN.
    spec : str
        ``"s"``, ``"d"``, ``"p"`` for a p value, or a float format such as ``".3f"``.

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
    if spec == "p":
        return "<0.0001" if number < 0.0001 else format(number, ".4f")
    return format(round(number), "d") if spec == "d" else format(number, spec)


def cells(frame: pd.DataFrame, wanted: tuple[str, ...], columns: Columns) -> list[Row]:
    """Write the wanted columns of a frame; a column that it lacks is a dash."""
    return [
        [cell(record.get(name), columns[name][1]) for name in wanted] for record in frame.to_dict("records")
    ]


def markdown(title: str, columns: Columns, body: list[Row], notes: Iterable[str]) -> str:
    """Write a heading, a table and notes as a list."""
    headings = [heading for heading, _ in columns.values()]
    aligned = ["---" if spec == "s" else "---:" for _, spec in columns.values()]
    lines = [_pipes(row) for row in [headings, aligned, *body]]
    return "\n".join([f"### {title}", "", *lines, "", *(f"- {note}" for note in notes)]) + "\n"


def latex(
    title: str,
    label: str,
    columns: Columns,
    parts: tuple[list[Row], list[Row]],
    notes: Iterable[str],
    groups: Iterable[tuple[str, int]] = (),
) -> str:
    """Write a ``booktabs`` table with caption, label and notes; a rule stands between the two parts.

    Groups are headings over several columns: text, which may be empty, and how many columns.
    """
    first, second = parts
    lines = [_latex_line(row) for row in first]
    if second:
        lines += [r"\midrule", *(_latex_line(row) for row in second)]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex_text(title)}}}",
            rf"\label{{tab:{label}}}",
            rf"\begin{{tabular}}{{{''.join('l' if spec == 's' else 'r' for _, spec in columns.values())}}}",
            r"\toprule",
            *_latex_groups(groups),
            rf"{' & '.join(_latex_text(heading) for heading, _ in columns.values())} \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\footnotesize {' '.join(_latex_text(note) for note in notes)}",
            r"\end{table}",
            "",
        ]
    )


def _latex_groups(groups: Iterable[tuple[str, int]]) -> list[str]:
    """Return a line of headings over groups of columns and the rules below it; nothing without a heading."""
    heads, rules, at = [], [], 1
    for text, span in groups:
        heads.append(rf"\multicolumn{{{span}}}{{{'c' if text else 'l'}}}{{{_latex_text(text)}}}")
        if text:
            rules.append(rf"\cmidrule(lr){{{at}-{at + span - 1}}}")
        at += span
    return [f"{' & '.join(heads)} \\\\", " ".join(rules)] if rules else []


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
