"""Make the paper tables and figures of all folders of results, and write them into one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from srbench_ext.errors import DataError, InputError
from srbench_ext.report.failures import FailureRule
from srbench_ext.report.papers.ablation import OUTCOMES, ablation_table
from srbench_ext.report.papers.layouts import load_layouts
from srbench_ext.report.papers.suites import suite_table
from srbench_ext.report.papers.table import PaperTable
from srbench_ext.report.published import load_published
from srbench_ext.report.tables import ResultTable
from srbench_ext.report.write import make_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["INDEX", "paper_tables", "write_papers"]

INDEX = "README.md"
"""The page that lists what is there and what is left out."""


def write_papers(
    folders: Sequence[Path], out: Path, *, failures: FailureRule = "miss"
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write every paper table and figure that the folders have records for.

    Parameters
    ----------
    folders : sequence of pathlib.Path
        Of runs (with ``records/``) and of in-domain studies; others are passed over.
    out : pathlib.Path
        Gets ``<table>.{csv,md,tex}``, ``<figure>.{png,svg}`` and ``README.md``, which lists them.
    failures : {"miss", "drop", "worst-rank"}
        How failed runs are scored.

    Returns
    -------
    written : tuple of pathlib.Path
    left_out : tuple of str
        What could not be made, and why.

    Raises
    ------
    DataError
        When no folder holds anything.
    InputError
        When two folders have one name.
    """
    from srbench_ext.report.figures import save_figure  # matplotlib takes a second to import

    runs = [folder for folder in folders if (folder / "records").is_dir()]
    studies = sorted(folder for folder in folders if (folder / OUTCOMES).is_file())
    if not runs and not studies:
        raise DataError(
            f"None of {', '.join(map(str, folders)) or 'no folders'} holds records or in-domain outcomes. "
            "Run: make bench, or make in-domain"
        )
    names = [folder.resolve().name for folder in runs]
    if len(set(names)) < len(names):
        raise InputError(
            f"Rows are told apart by the names of their folders, which must differ. Got {', '.join(names)}. "
            "Rename one, or give it once."
        )
    results = {
        name: make_report(folder, failures=failures).tables
        for name, folder in sorted(zip(names, runs, strict=True))  # in whatever order they are given
    }
    tables, left_out = paper_tables(results, studies)
    out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for table in tables:
        for suffix, text in (
            (".csv", table.to_csv()),
            (".md", table.to_markdown()),
            (".tex", table.to_latex()),
        ):
            path = out / f"{table.name}{suffix}"
            path.write_text(text, encoding="utf-8")
            written.append(path)
    drawn: list[tuple[str, str]] = []
    for stem, told, figure in _figures(results):
        written += save_figure(figure, out / stem)
        drawn.append((stem, told))
    if not any(stem.startswith("noise-") for stem, _ in drawn):
        left_out.append("noise-robustness plot: no folder has records at two levels of noise")
    (out / INDEX).write_text(_index(tables, drawn, left_out), encoding="utf-8")
    return (*written, out / INDEX), tuple(left_out)


def paper_tables(
    results: Mapping[str, Sequence[ResultTable]], studies: list[Path]
) -> tuple[list[PaperTable], list[str]]:
    """Return the tables that there are records for, and of each other one why it is left out."""
    published = load_published()
    tables: list[PaperTable] = []
    left_out: list[str] = []
    for layout in load_layouts():
        made = (
            ablation_table(layout, studies, published)
            if layout.groups == "in-domain"
            else suite_table(layout, results, published)
        )
        if isinstance(made, str):
            left_out.append(f"table `{layout.name}` ({layout.after}): {made}")
        else:
            tables.append(made)
    return tables, left_out


def _figures(results: Mapping[str, Sequence[ResultTable]]) -> Iterator[tuple[str, str, Figure]]:
    """Yield every figure with its name and what it shows: of each suite and noise the widest table."""
    from srbench_ext.report.diagrams import anytime_figure, critical_difference_figure, noise_figure
    from srbench_ext.report.figures import pareto_figure

    for name, table in _widest(results):
        of = f"{table.suite}-noise-{table.noise:g}"
        whose = f"{table.title}, records `{name}`"
        yield f"pareto-{of}", f"Pareto plot: {whose}", pareto_figure(table)
        yield f"anytime-{of}", f"anytime curves: {whose}", anytime_figure(table)
        if table.ranks is not None:
            figure = critical_difference_figure(table.ranks, table.title)
            yield f"ranks-{of}", f"critical-difference diagram: {whose}", figure
    for name, tables in results.items():
        by_suite: dict[tuple[str, str], list[ResultTable]] = {}
        for table in tables:
            by_suite.setdefault((table.protocol_hash, table.suite), []).append(table)
        for (_, suite), group in by_suite.items():
            if len(group) > 1:
                told = f"noise-robustness plot: {suite}, records `{name}`"
                yield f"noise-{name}-{suite}", told, noise_figure(group)


def _widest(results: Mapping[str, Sequence[ResultTable]]) -> list[tuple[str, ResultTable]]:
    """Return of every suite and noise the table with the most problems, then the most runs."""
    best: dict[tuple[str, float], tuple[str, ResultTable]] = {}
    for name, tables in results.items():
        for table in tables:
            key = (table.suite, table.noise)
            if key not in best or _width(table) > _width(best[key][1]):
                best[key] = (name, table)
    return [best[key] for key in sorted(best)]


def _width(table: ResultTable) -> tuple[int, int]:
    return table.runs["problem"].nunique(), len(table.runs)


def _index(tables: Sequence[PaperTable], drawn: Sequence[tuple[str, str]], left_out: Sequence[str]) -> str:
    lines = [
        "# Tables and figures of a paper",
        "",
        "Written by `make tables` from the records in the folders beside this one; not edited by hand.",
        "",
        "| file | what |",
        "|---|---|",
        *(f"| [{table.name}]({table.name}.md) (.csv, .md, .tex) | {table.title} |" for table in tables),
        *(f"| [{stem}]({stem}.svg) (.svg, .png) | {told} |" for stem, told in drawn),
        "",
    ]
    if left_out:
        lines += ["Left out, because there are no records for it:", "", *(f"- {why}" for why in left_out), ""]
    return "\n".join(lines)
