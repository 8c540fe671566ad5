"""``srbench-ext data``: where the tables are, whether they are the listed ones, and downloading them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench_ext.cli.printing import print_table

if TYPE_CHECKING:
    from srbench_ext.data import ProblemStatus, Suite

__all__ = ["app"]

app = typer.Typer(
    help="The tables of the suites: where they are, checking and downloading them.", no_args_is_help=True
)

SuiteName = Annotated[str | None, typer.Argument(metavar="[SUITE]", help="One suite [default: all].")]
Cache = Annotated[Path | None, typer.Option("--pmlb-cache", help="A folder of PMLB tables.")]


@app.command()
def where(suite: SuiteName = None, pmlb_cache: Cache = None) -> None:
    """Show how many tables of each suite are at hand, can be regenerated, or are missing."""
    from srbench_ext import data

    cache = data.find_cache(pmlb_cache)
    wanted = {each.name for each in _suites(suite)}
    print(f"Cache: {cache or f'none yet; fetch would make {data.cache_folder(pmlb_cache)}'}")
    print_table(
        ("suite", "problems", "cached", "regenerated", "missing", "MB to fetch"),
        [
            (
                each.suite,
                *map(str, (each.n_problems, each.n_cached, each.n_regenerable, each.n_missing)),
                f"{each.missing_bytes / 1e6:.1f}",
            )
            for each in data.where(cache)
            if each.suite in wanted
        ],
        right=range(1, 6),
    )


@app.command()
def verify(suite: SuiteName = None, pmlb_cache: Cache = None) -> None:
    """Compare every cached table with the listed sha256; exit code 1 when one is another file."""
    from srbench_ext import data

    cache = data.find_cache(pmlb_cache) or data.cache_folder()
    altered = 0
    for each in _suites(suite):
        found = data.verify(each, cache)
        count = Counter(status.state for status in found)
        altered += count["altered"]
        print(f"{each.name}: {count['ok']} ok, {count['altered']} altered, {count['absent']} absent")
        for status in found:
            if status.state == "altered":
                print(f"  {status.path}: expected sha256 {status.problem.sha256}, found {status.found}")
    if altered:
        raise typer.Exit(1)


@app.command()
def fetch(suite: SuiteName = None, pmlb_cache: Cache = None) -> None:
    """Download the tables that are not at hand; the only command that uses the network."""
    from srbench_ext import data

    cache = data.cache_folder(pmlb_cache)
    for each in _suites(suite):
        done = data.fetch_suite(each, cache, on_status=_print_fetched)
        new = sum(status.state == "fetched" for status in done)
        print(f"{each.name}: {new} fetched, {len(done) - new} were there, in {cache}")


def _print_fetched(status: ProblemStatus) -> None:
    if status.state == "fetched":
        print(f"  {status.problem.name}")


def _suites(name: str | None) -> tuple[Suite, ...]:
    from srbench_ext.data import load_suite, suites

    return tuple(suites().values()) if name is None else (load_suite(name),)
