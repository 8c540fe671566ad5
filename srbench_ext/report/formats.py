"""A table of results as CSV, Markdown and LaTeX.

CSV carries full precision for further work; Markdown and LaTeX are rounded for reading and set the published
figures apart from ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from srbench_ext.report.failures import rule_in_words
from srbench_ext.report.scores import INTERVALS
from srbench_ext.report.tables import ResultTable

__all__ = [
    "COMPARED",
    "SHOWN",
    "cell",
    "comparisons_to_csv",
    "comparisons_to_latex",
    "comparisons_to_markdown",
    "rows",
    "to_csv",
    "to_latex",
    "to_markdown",
]

Row = list[str]
Columns = dict[str, tuple[str, str]]

_ABSENT = "–"

# column -> (heading, how a value is written)
SHOWN: Columns = {
    "method": ("method", "s"),
    "track": ("track", "s"),
    "n": ("n", "d"),
    "ok": ("ok", "d"),
    "failures": ("failures", "d"),
    "rate_r2_gt_0.99": ("R²>0.99", ".3f"),
    "rate_r2_gt_0.99_interval": ("95%", "s"),
    "rate_r2_gt_0.999": ("R²>0.999", ".3f"),
    "rate_symbolic": ("symbolic", ".3f"),
    "rate_symbolic_interval": ("95%", "s"),
    "unknown_share": ("unknown", ".3f"),
    "median_r2": ("median R²", ".4f"),
    "mean_r2": ("mean R²", ".4f"),
    "median_complexity": ("median complexity", ".1f"),
    "mean_complexity": ("mean complexity", ".1f"),
    "median_seconds": ("median s", ".2f"),
    "mean_seconds": ("mean s", ".2f"),
}
"""The columns of the Markdown and LaTeX tables; ``95%`` is the interval of the column before it."""

COMPARED: Columns = {
    "measure": ("measure", "s"),
    "a": ("a", "s"),
    "b": ("b", "s"),
    "problems": ("problems", "d"),
    "wins": ("a better", "d"),
    "ties": ("tie", "d"),
    "losses": ("b better", "d"),
    "difference": ("a − b", ".3f"),
    "difference_interval": ("95%", "s"),
    "test": ("test", "s"),
    "p": ("p", "p"),
    "p_holm": ("p (Holm)", "p"),
    "ahead": ("ahead", "s"),
    "established": ("established", "s"),
    "detectable": ("detectable", ".2f"),
}
"""The columns of the paired comparisons."""

_COMPARED_NOTE = (
    "Paired on the problems that both methods were planned for. a − b: of the rates, with a bootstrap "
    "interval; for NMSE the median of log10(NMSE a / NMSE b). ahead: by p < 0.05 of this pair alone; "
    "established: by p after Holm over all pairs of the measure. detectable: the least difference of rates "
    "found with 80% power."
)


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
    measured = _with_intervals(table.measured, INTERVALS)
    return _cells(measured, wanted, SHOWN), _cells(published, wanted, SHOWN)


def to_csv(table: ResultTable) -> str:
    """Write a table as CSV: every measure at full precision, ``kind`` says ``measured`` or ``published``.

    Protocol, suite and noise are columns, so that the files of several tables can be put one under the other.
    """
    measured = table.measured.assign(kind="measured", failure_rule=table.failures, source="")
    published = table.published.assign(
        kind="published",
        track="published",
        protocol="",
        protocol_hash="",
        suite=table.suite,
        noise=table.noise,
        part=table.part,
        failure_rule=table.failures,
    )
    both = pd.concat([measured, published], ignore_index=True) if len(published) else measured
    first = ["kind", "method", "track"]
    columns = [*first, *(name for name in table.measured if name not in first), "failure_rule", "source"]
    whole = dict.fromkeys(("n", "ok", "failures"), "Int64")  # published rows have none
    return both[columns].astype(whole).to_csv(index=False)


def to_markdown(table: ResultTable) -> str:
    """Write a table as Markdown: our rows, below them the published ones, then the notes."""
    measured, published = rows(table)
    return _markdown(table.title, SHOWN, [*measured, *published], table.notes)


def to_latex(table: ResultTable) -> str:
    """Write a table for LaTeX's ``booktabs``: a ``table`` environment with caption, label and notes."""
    return _latex(table.title, table.slug, SHOWN, rows(table), table.notes)


def comparisons_to_csv(table: ResultTable) -> str:
    """Write the paired comparisons of a table as CSV, at full precision."""
    labels = table.measured[["protocol", "protocol_hash", "suite", "noise", "part"]].iloc[0]
    frame = table.comparisons.copy()
    for position, (name, value) in enumerate(labels.items()):
        frame.insert(position, str(name), value)
    return frame.assign(failure_rule=table.failures).to_csv(index=False)


def comparisons_to_markdown(table: ResultTable) -> str:
    """Write the paired comparisons of a table as Markdown."""
    return _markdown(_compared_title(table), COMPARED, _compared(table), _compared_notes(table))


def comparisons_to_latex(table: ResultTable) -> str:
    """Write the paired comparisons of a table for LaTeX's ``booktabs``."""
    label = f"{table.slug}-pairs"
    return _latex(_compared_title(table), label, COMPARED, (_compared(table), []), _compared_notes(table))


def _compared_title(table: ResultTable) -> str:
    return f"Paired comparisons: {table.title}"


def _compared_notes(table: ResultTable) -> tuple[str, ...]:
    return (_COMPARED_NOTE, rule_in_words(table.failures))


def _compared(table: ResultTable) -> list[Row]:
    return _cells(_with_intervals(table.comparisons, ("difference",)), tuple(COMPARED), COMPARED)


def _markdown(title: str, columns: Columns, body: list[Row], notes: Iterable[str]) -> str:
    headings = [heading for heading, _ in columns.values()]
    aligned = ["---" if spec == "s" else "---:" for _, spec in columns.values()]
    lines = [_pipes(row) for row in [headings, aligned, *body]]
    return "\n".join([f"### {title}", "", *lines, "", *(f"- {note}" for note in notes)]) + "\n"


def _latex(
    title: str, label: str, columns: Columns, parts: tuple[list[Row], list[Row]], notes: Iterable[str]
) -> str:
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


def _with_intervals(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Add ``…_interval``, the bounds as text, for every name that has bounds."""
    wide = frame.copy()
    for name in names:
        if f"{name}_low" in frame:
            bounds = zip(frame[f"{name}_low"], frame[f"{name}_high"], strict=True)
            texts = [None if pd.isna(low) else f"{low:.2f} to {high:.2f}" for low, high in bounds]
            wide[f"{name}_interval"] = pd.Series(texts, index=frame.index, dtype=object)
    return wide


def _cells(frame: pd.DataFrame, wanted: tuple[str, ...], columns: Columns) -> list[Row]:
    return [
        [cell(record.get(name), columns[name][1]) for name in wanted] for record in frame.to_dict("records")
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
