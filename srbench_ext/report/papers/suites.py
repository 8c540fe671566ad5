"""Paper tables over suites and noise levels, from the tables of results of several folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from srbench_ext.data import load_suite
from srbench_ext.errors import UnknownNameError
from srbench_ext.report.failures import rule_in_words
from srbench_ext.report.papers.layouts import Layout
from srbench_ext.report.papers.table import PaperTable
from srbench_ext.report.tables import ResultTable

__all__ = ["suite_table"]

Block = tuple[str, float]  # suite and noise
Row = dict[str, Any]


def suite_table(
    layout: Layout, results: Mapping[str, Sequence[ResultTable]], figures: pd.DataFrame
) -> PaperTable | str:
    """Arrange the results of several folders as a layout says.

    Parameters
    ----------
    layout : Layout
        Grouped by suite or by noise.
    results : mapping
        The tables of every folder, by its name. Rows of several folders are never averaged.
    figures : pandas.DataFrame
        Published figures, as :func:`~srbench_ext.report.load_published` returns them.

    Returns
    -------
    PaperTable or str
        Or why there is none.
    """
    wanted = {(suite, noise) for suite in layout.suites for noise in layout.noise}
    used = [
        (name, table)
        for name, tables in results.items()
        for table in tables
        if (table.suite, table.noise) in wanted and not table.part
    ]
    present = {(table.suite, table.noise) for _, table in used}
    if not present:
        return f"no records of {', '.join(layout.suites)} at noise {_levels(layout.noise)}"
    groups = _groups(layout, present)
    published, sources = _published(layout, present, figures)
    stub = ("noise" if layout.groups == "suite" else "suite", "method", "track", "records")
    return PaperTable(
        name=layout.name,
        title=layout.title,
        stub=stub,
        groups=groups,
        measured=_frame(_measured(layout, used), stub, groups),
        published=_frame(published, stub, groups),
        notes=(
            f"In the shape of {layout.after}.",
            *_missing(layout, present),
            *_protocols(used),
            rule_in_words(used[0][1].failures) + " Seconds compare only within one folder of records.",
            *sources,
        ),
    )


def _groups(layout: Layout, present: set[Block]) -> dict[str, tuple[str, ...]]:
    if layout.groups == "suite":
        suites = [suite for suite in layout.suites if any(suite == one for one, _ in present)]
        return {suite: ("problems", *_measures(layout, suite)) for suite in suites}
    levels = [noise for noise in layout.noise if any(noise == one for _, one in present)]
    return {f"noise {noise:g}": ("problems", *layout.measures) for noise in levels}


def _measures(layout: Layout, suite: str) -> tuple[str, ...]:
    try:
        judged = any(problem.formula is not None for problem in load_suite(suite).problems)
    except UnknownNameError:  # records of a suite that is not installed here
        judged = True
    return layout.measures if judged else layout.measures_without_truth


def _cell_key(layout: Layout, suite: str, noise: float) -> tuple[str, object]:
    """Return the group of columns of a block, and what its row says of the other one."""
    return (suite, noise) if layout.groups == "suite" else (f"noise {noise:g}", suite)


def _measured(layout: Layout, used: Sequence[tuple[str, ResultTable]]) -> list[Row]:
    rows: dict[tuple[object, ...], Row] = {}
    stub = "noise" if layout.groups == "suite" else "suite"
    for name, table in used:
        group, other = _cell_key(layout, table.suite, table.noise)
        several = len({each.protocol_hash for folder, each in used if folder == name}) > 1
        records = f"{name}, {table.protocol} {table.protocol_hash[:8]}" if several else name
        for line in table.measured.to_dict("records"):
            key = (other, records, line["method"])
            row = rows.setdefault(
                key, {stub: other, "method": line["method"], "track": line["track"], "records": records}
            )
            of_method = table.runs[table.runs["method"] == line["method"]]
            row[f"{group}: problems"] = _share(table.suite, of_method["problem"].nunique())
            row |= {f"{group}: {measure}": line[measure] for measure in _measures(layout, table.suite)}
    return _sorted(layout, rows.values())


def _share(suite: str, shown: int) -> str:
    """Return how many problems, and of how many where some are missing."""
    try:
        whole = len(load_suite(suite).problems)
    except UnknownNameError:
        return str(shown)
    return str(shown) if shown >= whole else f"{shown} of {whole}"


def _published(layout: Layout, present: set[Block], figures: pd.DataFrame) -> tuple[list[Row], list[str]]:
    """Return the published rows of the blocks that we have, and the note on their sources."""
    chosen = figures[
        figures["source"].str.startswith(layout.sources)
        & pd.Series(
            [block in present for block in zip(figures["suite"], figures["noise"], strict=True)],
            index=figures.index,
            dtype=bool,
        )
    ]
    stub = "noise" if layout.groups == "suite" else "suite"
    rows: dict[tuple[object, ...], Row] = {}
    numbers: dict[str, int] = {}
    for figure in chosen.to_dict("records"):
        suite, noise, source = figure["suite"], figure["noise"], figure["source"]
        if figure["metric"] not in _measures(layout, suite):
            continue
        group, other = _cell_key(layout, suite, noise)
        number = numbers.setdefault(source, len(numbers) + 1)
        row = rows.setdefault(
            (other, figure["method"], source),
            {stub: other, "method": f"{figure['method']} [{number}]", "track": "published", "records": None},
        )
        row[f"{group}: {figure['metric']}"] = figure["value"]
    told = [f"[{number}] {source}" for source, number in numbers.items()]
    note = "Published figures are not ours: whole suites, other hardware, often another protocol. "
    return _sorted(layout, rows.values()), [note + "; ".join(told) + "."] if told else []


def _sorted(layout: Layout, rows: Iterable[Row]) -> list[Row]:
    if layout.groups == "suite":
        return sorted(rows, key=lambda row: (row["noise"], row["records"] or ""))
    order = {suite: place for place, suite in enumerate(layout.suites)}
    return sorted(rows, key=lambda row: (order[row["suite"]], row["records"] or ""))


def _frame(rows: list[Row], stub: tuple[str, ...], groups: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    keys = [f"{title}: {name}" for title, names in groups.items() for name in names]
    return pd.DataFrame(rows, columns=[*stub, *keys])


def _missing(layout: Layout, present: set[Block]) -> list[str]:
    """Say which suites and levels of the layout are left out because there are no records of them."""
    suites = [suite for suite in layout.suites if not any(suite == one for one, _ in present)]
    levels = [noise for noise in layout.noise if not any(noise == one for _, one in present)]
    notes = [f"Left out, no records: {', '.join(suites)}."] if suites else []
    return notes + ([f"Left out, no records: noise {_levels(levels)}."] if levels else [])


def _levels(levels: Iterable[float]) -> str:
    return ", ".join(f"{noise:g}" for noise in levels)


def _protocols(used: Sequence[tuple[str, ResultTable]]) -> list[str]:
    told: dict[str, None] = {}
    for name, table in used:
        seconds = f"{table.runs['max_seconds'].max():g} s a run"
        told[f"{name}: protocol `{table.protocol}` (hash {table.protocol_hash[:16]}), {seconds}"] = None
    return ["Records: " + "; ".join(told) + "."]
