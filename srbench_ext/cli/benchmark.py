"""``srbench-ext list``, ``run``, ``report``, ``tables``: what there is, running it, reading the results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench_ext.cli.completion import complete_methods, complete_protocol, complete_suites
from srbench_ext.cli.options import AsJson, DryRun, Jobs, Only, PmlbCache, Settings, Trials
from srbench_ext.cli.printing import print_json, print_table, summary_as_json
from srbench_ext.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srbench_ext.record import RunSpec
    from srbench_ext.report import Report, ResultTable

__all__ = ["list_names", "paper_tables", "report", "run"]

_ON_TERMINAL = (
    "method",
    "track",
    "n",
    "failures",
    "rate_r2_gt_0.99",
    "rate_r2_gt_0.999",
    "rate_symbolic",
    "median_r2",
    "mean_complexity",
    "mean_seconds",
)


def list_names(as_json: AsJson = False) -> None:
    """List the methods, suites and protocols."""
    from srbench_ext.data import suites
    from srbench_ext.registry import describe, missing_packages, names
    from srbench_ext.runner.protocol import load_protocol, protocol_names

    methods = [
        {
            "name": info.name,
            "summary": info.summary,
            "reference": info.reference,
            "track": info.track,
            "neural": info.neural,
            "presets": sorted(info.presets),
            "missing_packages": list(missing_packages(info)),
        }
        for info in map(describe, names())
    ]
    listed_suites = [
        {"name": suite.name, "problems": len(suite.problems), "summary": suite.summary}
        for suite in suites().values()
    ]
    protocols = [
        {"name": each.name, "seconds": each.rules.max_seconds, "trials": each.trials, "summary": each.summary}
        for each in map(load_protocol, protocol_names())
    ]
    if as_json:
        print_json({"methods": methods, "suites": listed_suites, "protocols": protocols})
        return
    print_table(
        ("method", "track", "what it is"),
        [(str(m["name"]), str(m["track"]), _summary(m["summary"], m["missing_packages"])) for m in methods],
    )
    print_table(
        ("suite", "problems", "what it is"),
        [(str(s["name"]), str(s["problems"]), str(s["summary"])) for s in listed_suites],
        right=[1],
    )
    print_table(
        ("protocol", "seconds", "what it is"),
        [(str(p["name"]), f"{p['seconds']:g}", str(p["summary"])) for p in protocols],
        right=[1],
    )


def run(
    method: Annotated[
        str,
        typer.Option(
            help="Methods, separated by commas; NAME@PRESET takes a preset, srbench:FOLDER SRBench's.",
            autocompletion=complete_methods,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where the records go; what lies there is not run again.")],
    suite: Annotated[
        str | None,
        typer.Option(
            help="Suites, separated by commas (default: protocol's).", autocompletion=complete_suites
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(help="The rules: rows, noise, seconds, trials.", autocompletion=complete_protocol),
    ] = "quick",
    noise: Annotated[
        str | None, typer.Option(help="Noise levels, as in 0,0.1 (default: protocol's).")
    ] = None,
    only: Only = None,
    trials: Trials = None,
    jobs: Jobs = 1,
    max_seconds: Annotated[float | None, typer.Option(help="Seconds a run; makes another protocol.")] = None,
    pmlb_cache: PmlbCache = None,
    setting: Settings = None,
    backend: Annotated[
        str, typer.Option(help="local, dask@ADDRESS of a scheduler, or ray@ADDRESS.")
    ] = "local",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run methods on suites; every run leaves a record, whatever becomes of it."""
    from srbench_ext.data import find_cache
    from srbench_ext.registry import adopt
    from srbench_ext.runner import execute, parse_backend, parse_settings, plan

    chosen = parse_backend(backend)
    cache = find_cache(pmlb_cache)
    specs = plan(
        [adopt(name) for name in _names(method, "--method")],
        _names(suite, "--suite") if suite is not None else None,
        protocol,
        noise=_levels(noise) if noise is not None else None,
        trials=trials,
        only=only,
        max_seconds=max_seconds,
        parameters=parse_settings(setting or []),
        cache=cache,
    )
    if dry_run:
        _print_plan(specs, as_json)
        return
    summary = execute(specs, out, jobs=jobs, cache=cache, backend=chosen)
    if as_json:
        print_json(summary_as_json(summary, out))
    else:
        print(f"{summary}; records in {out / 'records'}")


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `run` has written.")],
    as_json: AsJson = False,
    into: Annotated[
        Path | None,
        typer.Option(help="Also put the tables into this text, between the markers of DIR's name."),
    ] = None,
    failures: Annotated[
        str, typer.Option(help="How failed runs are scored: miss, drop or worst-rank.")
    ] = "miss",
    split: Annotated[
        str | None,
        typer.Option(
            help="Split the tables; `seen`: by whether the weights met a problem's truth in training."
        ),
    ] = None,
    page: Annotated[
        bool, typer.Option(help="Also write DIR/report.html, one page that works offline.")
    ] = True,
) -> None:
    """Print the tables of a folder of records, and write them with the figures beside it.

    Writes DIR/tables (CSV, Markdown, LaTeX; with the paired comparisons), DIR/figures (PNG, SVG) and
    DIR/report.html (tables to sort and filter, every problem with formula, front and predictions, failures).
    """
    from srbench_ext.data import find_cache
    from srbench_ext.report import failure_rule, insert_tables, make_report, write_report

    made = make_report(folder, failures=failure_rule(failures), split=split)
    written = write_report(made, folder)
    if page:
        from srbench_ext.report.page import write_page  # compiled kernels, for predictions

        written = (*written, write_page(made, folder, find_cache()))
    for message in made.unreadable:
        print(f"Left out: {message}", file=sys.stderr)
    if into is not None:
        text = insert_tables(into.read_text("utf8"), folder.resolve().name, made.tables)
        into.write_text(text, "utf8")
    if as_json:
        print_json(made.as_json())
        return
    _print_report(made)
    print(f"{len(written)} files written to {folder / 'tables'} and {folder / 'figures'}")
    if page:
        print(f"One page with everything: {written[-1]}")


def paper_tables(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Folders of runs, and of in-domain studies.")
    ],
    out: Annotated[Path, typer.Option(help="Where the tables and figures go.")] = Path("results/tables"),
    failures: Annotated[
        str, typer.Option(help="How failed runs are scored: miss, drop or worst-rank.")
    ] = "miss",
    as_json: AsJson = False,
) -> None:
    """Write the tables and figures of a paper from all folders together; what has no records is left out."""
    from srbench_ext.report import failure_rule
    from srbench_ext.report.papers import write_papers

    written, left_out = write_papers(folders, out, failures=failure_rule(failures))
    if as_json:
        print_json({"files": [str(path) for path in written], "left_out": list(map(str, left_out))})
        return
    for why in left_out:
        print(f"Left out: {why}")
    print(f"{len(written)} files written to {out}")


def _print_plan(specs: Sequence[RunSpec], as_json: bool) -> None:
    minutes = len(specs) * specs[0].max_seconds / 60
    if as_json:
        runs = [{"run_id": spec.run_id, "run": str(spec)} for spec in specs]
        print_json({"runs": runs, "minutes_at_most": minutes})
        return
    for spec in specs:
        print(f"{spec.run_id}  {spec}")
    print(f"{len(specs)} runs, {minutes:.1f} minutes of search at most")


def _print_report(made: Report) -> None:
    for table in made.tables:
        _print_measured(table)
        for note in table.notes:
            print(f"- {note}")
        print()


def _print_measured(table: ResultTable) -> None:
    from srbench_ext.report.formats import SHOWN, rows

    measured, published = rows(table, _ON_TERMINAL)
    print_table(
        [SHOWN[name][0] for name in _ON_TERMINAL],
        [*measured, *published],
        title=table.title,
        right=range(2, len(_ON_TERMINAL)),
    )


def _summary(summary: object, missing: object) -> str:
    return (
        f"{summary} (needs {', '.join(missing)})" if isinstance(missing, list) and missing else str(summary)
    )


def _names(text: str, option: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError(
            f"{option} names nothing. Give names separated by commas; `srbench-ext list` has them."
        )
    return names


def _levels(text: str) -> list[float]:
    try:
        return [float(level) for level in text.split(",")]
    except ValueError as error:
        raise InputError(f"--noise takes numbers separated by commas, as in 0,0.1. Got {text!r}.") from error
