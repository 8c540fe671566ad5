"""A table of results as CSV, Markdown and LaTeX.

CSV carries full precision for further work; Markdown and LaTeX are rounded for reading and set the published
figures apart from ours.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from srbench_ext.report.anytime import anytime, equal_times
from srbench_ext.report.failures import rule_in_words
from srbench_ext.report.markup import Columns, Row, cells, latex, markdown
from srbench_ext.report.scores import INTERVALS
from srbench_ext.report.tables import ResultTable

__all__ = [
    "COMPARED",
    "SHOWN",
    "anytime_to_csv",
    "anytime_to_latex",
    "anytime_to_markdown",
    "comparisons_to_csv",
    "comparisons_to_latex",
    "comparisons_to_markdown",
    "numbered",
    "rows",
    "to_csv",
    "to_latex",
    "to_markdown",
    "with_intervals",
]


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

_ANYTIME_NOTE = (
    "Share of runs whose best model by training loss had test R² > 0.99 after so many seconds of the fit; "
    "what a method returns in the end may be another model, by its rule of choice."
)


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
    measured = with_intervals(table.measured, INTERVALS)
    return cells(measured, wanted, SHOWN), cells(numbered(table), wanted, SHOWN)


def numbered(table: ResultTable) -> pd.DataFrame:
    """Return the published rows of a table with the number of their source, as in the notes, in the name."""
    numbers = {source: number for number, source in enumerate(table.published["source"].unique(), start=1)}
    labels = [f"{row.method} [{numbers[row.source]}]" for row in table.published.itertuples()]
    return table.published.assign(method=labels, track="published")


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
    return markdown(table.title, SHOWN, [*measured, *published], table.notes)


def to_latex(table: ResultTable) -> str:
    """Write a table for LaTeX's ``booktabs``: a ``table`` environment with caption, label and notes."""
    return latex(table.title, table.slug, SHOWN, rows(table), table.notes)


def comparisons_to_csv(table: ResultTable) -> str:
    """Write the paired comparisons of a table as CSV, at full precision."""
    return _labelled(table, table.comparisons)


def comparisons_to_markdown(table: ResultTable) -> str:
    """Write the paired comparisons of a table as Markdown."""
    return markdown(_compared_title(table), COMPARED, _compared(table), _compared_notes(table))


def comparisons_to_latex(table: ResultTable) -> str:
    """Write the paired comparisons of a table for LaTeX's ``booktabs``."""
    label = f"{table.slug}-pairs"
    return latex(_compared_title(table), label, COMPARED, (_compared(table), []), _compared_notes(table))


def anytime_to_csv(table: ResultTable) -> str:
    """Write the anytime curves of a table as CSV."""
    return _labelled(table, anytime(table))


def anytime_to_markdown(table: ResultTable) -> str:
    """Write the comparison at equal time as Markdown: a column a time."""
    columns, body = _at_equal_time(table)
    return markdown(_anytime_title(table), columns, body, (_ANYTIME_NOTE, rule_in_words(table.failures)))


def anytime_to_latex(table: ResultTable) -> str:
    """Write the comparison at equal time for LaTeX's ``booktabs``."""
    columns, body = _at_equal_time(table)
    notes = (_ANYTIME_NOTE, rule_in_words(table.failures))
    return latex(_anytime_title(table), f"{table.slug}-anytime", columns, (body, []), notes)


def _anytime_title(table: ResultTable) -> str:
    return f"R²>0.99 of the incumbent at equal time: {table.title}"


def _at_equal_time(table: ResultTable) -> tuple[Columns, list[Row]]:
    times = equal_times(float(table.runs["max_seconds"].max()))
    curves = anytime(table, times)
    wide = curves.pivot(index="method", columns="seconds", values="rate_r2_gt_0.99")
    columns: Columns = {"method": ("method", "s"), **{f"{t:g}": (f"{t:g} s", ".3f") for t in times}}
    wide.columns = pd.Index([f"{t:g}" for t in wide.columns])
    return columns, cells(wide.reset_index(), tuple(columns), columns)


def _labelled(table: ResultTable, frame: pd.DataFrame) -> str:
    """Write a frame as CSV with what the table is about in front, and its rule for failures behind."""
    about = frame.assign(
        protocol=table.protocol,
        protocol_hash=table.protocol_hash,
        suite=table.suite,
        noise=table.noise,
        part=table.part,
        failure_rule=table.failures,
    )
    first = ["protocol", "protocol_hash", "suite", "noise", "part"]
    return about[[*first, *frame.columns, "failure_rule"]].to_csv(index=False)


def _compared_title(table: ResultTable) -> str:
    return f"Paired comparisons: {table.title}"


def _compared_notes(table: ResultTable) -> tuple[str, ...]:
    return (_COMPARED_NOTE, rule_in_words(table.failures))


def _compared(table: ResultTable) -> list[Row]:
    return cells(with_intervals(table.comparisons, ("difference",)), tuple(COMPARED), COMPARED)


def with_intervals(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Add ``…_interval``, the bounds as text, for every name that has bounds."""
    wide = frame.copy()
    for name in names:
        if f"{name}_low" in frame:
            bounds = zip(frame[f"{name}_low"], frame[f"{name}_high"], strict=True)
            texts = [None if pd.isna(low) else f"{low:.2f} to {high:.2f}" for low, high in bounds]
            wide[f"{name}_interval"] = pd.Series(texts, index=frame.index, dtype=object)
    return wide
