"""``srbench-ext ablation``: the rows of a method's ablation, as the records of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srbench_ext.cli.options import AsJson, DryRun, Jobs, Only, PmlbCache
from srbench_ext.cli.printing import print_json, print_table, summary_as_json

__all__ = ["ablation"]


def ablation(
    method: Annotated[str, typer.Argument(help="A method with an ablation.toml.")],
    out: Annotated[Path, typer.Option(help="Where the records go; what lies there is not run again.")],
    only: Only = None,
    trials: Annotated[int | None, typer.Option(help="Repetitions (default: the ablation's).")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Seconds a run, of every row alike.")] = None,
    jobs: Jobs = 1,
    pmlb_cache: PmlbCache = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run every row of a method's ablation at equal seconds or decodes; `report` compares them in pairs."""
    from srbench_ext.data import find_cache
    from srbench_ext.runner import execute
    from srbench_ext.runner.ablation import load_ablation

    cache = find_cache(pmlb_cache)
    loaded = load_ablation(method)
    specs = loaded.plan(max_seconds=max_seconds, trials=trials, only=only, cache=cache)
    if as_json:
        rows = {"title": loaded.title, "rows": {row.method: row.what for row in loaded.rows}}
        done = {} if dry_run else summary_as_json(execute(specs, out, jobs=jobs, cache=cache), out)
        print_json({**rows, "planned": len(specs), **done})
        return
    print_table(("row", "what it is"), [(row.method, row.what) for row in loaded.rows], title=loaded.title)
    if dry_run:
        print(f"{len(specs)} runs, {len(specs) * specs[0].max_seconds / 60:.1f} minutes of search at most")
        return
    print(f"{execute(specs, out, jobs=jobs, cache=cache)}; records in {out / 'records'}")
