"""``srbench-ext data``: where the tables are, whether they are the listed ones, and downloading them."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from srbench_ext.cli.completion import complete_suite
from srbench_ext.cli.options import AsJson, PmlbCache
from srbench_ext.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from srbench_ext.data import ProblemStatus, Suite

__all__ = ["app"]

app = typer.Typer(
    help="The tables of the suites: where they are, checking and downloading them.", no_args_is_help=True
)

SuiteName = Annotated[
    str | None,
    typer.Argument(metavar="[SUITE]", help="One suite (default: all).", autocompletion=complete_suite),
]


@app.command()
def where(suite: SuiteName = None, pmlb_cache: PmlbCache = None, as_json: AsJson = False) -> None:
    """Show how many tables of each suite are at hand, can be regenerated, or are missing."""
    from srbench_ext import data

    cache = data.find_cache(pmlb_cache)
    wanted = {each.name for each in _suites(suite)}
    places = [each for each in data.where(cache) if each.suite in wanted]
    if as_json:
        rows = [{**asdict(each), "cache": str(each.cache) if each.cache else None} for each in places]
        print_json({"cache": str(cache) if cache else None, "suites": rows})
        return
    print(f"Cache: {cache or f'none yet; fetch would make {data.cache_folder(pmlb_cache)}'}")
    print_table(
        ("suite", "problems", "cached", "regenerated", "missing", "MB to fetch"),
        [
            (
                each.suite,
                *map(str, (each.n_problems, each.n_cached, each.n_regenerable, each.n_missing)),
                f"{each.missing_bytes / 1e6:.1f}",
            )
            for each in places
        ],
        right=range(1, 6),
    )


@app.command()
def verify(suite: SuiteName = None, pmlb_cache: PmlbCache = None, as_json: AsJson = False) -> None:
    """Compare every cached table with the listed sha256; exit code 1 when one is another file."""
    from srbench_ext import data

    cache = data.find_cache(pmlb_cache) or data.cache_folder()
    found = {each.name: data.verify(each, cache) for each in _suites(suite)}
    if as_json:
        print_json({name: list(map(_status, statuses)) for name, statuses in found.items()})
    for name, statuses in found.items() if not as_json else ():
        count = Counter(status.state for status in statuses)
        print(f"{name}: {count['ok']} ok, {count['altered']} altered, {count['absent']} absent")
        for status in statuses:
            if status.state == "altered":
                print(f"  {status.path}: expected sha256 {status.problem.sha256}, found {status.found}")
    if any(status.state == "altered" for statuses in found.values() for status in statuses):
        raise typer.Exit(1)


@app.command()
def fetch(suite: SuiteName = None, pmlb_cache: PmlbCache = None, as_json: AsJson = False) -> None:
    """Download the tables that are not at hand; the only command that uses the network."""
    from srbench_ext import data

    cache = data.cache_folder(pmlb_cache)
    fetched = {}
    for each in _suites(suite):
        done = data.fetch_suite(each, cache, on_status=None if as_json else _print_fetched)
        fetched[each.name] = list(map(_status, done))
        if as_json:
            continue
        new = sum(status.state == "fetched" for status in done)
        print(f"{each.name}: {new} fetched, {len(done) - new} were there, in {cache}")
    if as_json:
        print_json(fetched)


def _status(status: ProblemStatus) -> dict[str, object]:
    return {"problem": status.problem.name, "state": status.state, "path": str(status.path)}


def _print_fetched(status: ProblemStatus) -> None:
    if status.state == "fetched":
        print(f"  {status.problem.name}")


def _suites(name: str | None) -> tuple[Suite, ...]:
    from srbench_ext.data import load_suite, suites

    return tuple(suites().values()) if name is None else (load_suite(name),)
