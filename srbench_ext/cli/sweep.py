"""``srbench-ext sweep``: a method at several values of one setting, with the table and the figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench_ext.cli.completion import complete_protocol
from srbench_ext.cli.options import AsJson, DryRun, Jobs, Only, PmlbCache, Settings, Trials
from srbench_ext.cli.printing import print_json, print_table, summary_as_json

if TYPE_CHECKING:
    from srbench_ext.report.sweep import Sweep

__all__ = ["sweep"]


def sweep(
    method: Annotated[str, typer.Argument(help="A method, or name@preset.")],
    parameter: Annotated[
        str, typer.Option(help="What to sweep: seconds, rows, noise, or a parameter of the method.")
    ],
    values: Annotated[str, typer.Option(help="Its values, separated by commas, as in 1,2,4.")],
    out: Annotated[Path, typer.Option(help="Where the records go; what lies there is not run again.")],
    suite: Annotated[
        str | None, typer.Option(help="Suites, separated by commas (default: protocol's).")
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="The rules of everything else.", autocompletion=complete_protocol)
    ] = "quick",
    only: Only = None,
    trials: Trials = None,
    max_seconds: Annotated[float | None, typer.Option(help="Seconds a run.")] = None,
    setting: Settings = None,
    jobs: Jobs = 1,
    pmlb_cache: PmlbCache = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run a method at several values of one setting; write accuracy against time as table and figure."""
    from srbench_ext.data import find_cache
    from srbench_ext.report.sweep import read_sweep, write_sweep
    from srbench_ext.runner import execute, parse_settings
    from srbench_ext.runner.sweep import parse_values, plan_sweep

    cache = find_cache(pmlb_cache)
    specs = plan_sweep(
        method,
        parameter,
        parse_values(values),
        suite.split(",") if suite else None,
        protocol,
        trials=trials,
        only=only,
        max_seconds=max_seconds,
        parameters=parse_settings(setting or []),
        cache=cache,
    )
    minutes = sum(spec.max_seconds for spec in specs) / 60
    if dry_run:
        if as_json:
            print_json({"runs": [str(spec) for spec in specs], "minutes_at_most": minutes})
        else:
            print(f"{len(specs)} runs, {minutes:.1f} minutes of search at most")
        return
    summary = execute(specs, out, jobs=jobs, cache=cache)
    found = read_sweep(out, parameter)
    written = write_sweep(found, out)
    if as_json:
        rows = found.rows[["suite", "noise", "method", "value", "n", "rate_r2_gt_0.99", "median_seconds"]]
        print_json(
            {
                **summary_as_json(summary, out),
                "rows": rows.astype(object).where(rows.notna(), None).to_dict("records"),
                "files": [str(path) for path in written],
            }
        )
        return
    print(f"{summary}; records in {out / 'records'}")
    _print(found)
    for path in written:
        print(path)


def _print(found: Sweep) -> None:
    from srbench_ext.report.markup import cells
    from srbench_ext.report.sweep import SHOWN, shown

    columns = {**SHOWN, "value": (found.parameter, "s")}
    print_table(
        [heading for heading, _ in columns.values()],
        cells(shown(found), tuple(columns), columns),
        title=f"Sweep of {found.parameter}",
        right=range(3, len(columns)),
    )
