"""``srbench-ext published``: figures of other people's papers, and ours beside them problem by problem."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench_ext.cli.options import AsJson
from srbench_ext.cli.printing import print_json, print_table
from srbench_ext.errors import UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["published"]


def published(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A folder of records to put beside them.")
    ] = None,
    suite: Annotated[str | None, typer.Option(help="Only figures of this suite.")] = None,
    noise: Annotated[float | None, typer.Option(help="Only figures at this noise level.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the published figures that ship; with DIR, pair its runs with them problem by problem."""
    from srbench_ext.report import load_published, load_records
    from srbench_ext.report.published_problems import (
        CAVEAT,
        compare_published,
        load_published_problems,
        sources,
    )

    if folder is None:
        figures = load_published()
    else:
        figures = compare_published(load_records(folder), load_published_problems())
    if suite is not None:
        if suite not in set(figures["suite"]):
            raise UnknownNameError("suite with published figures", suite, set(figures["suite"]))
        figures = figures[figures["suite"] == suite]
    if noise is not None:
        figures = figures[figures["noise"] == noise]
    if as_json:
        rows = figures.astype(object).where(figures.notna(), None).to_dict("records")
        print_json({"rows": rows, "sources": sources(), "note": CAVEAT})
        return
    if folder is None:
        _print_figures(figures)
    else:
        _print_pairs(figures, {name: each["title"] for name, each in sources().items()})
    print(CAVEAT)


def _print_figures(figures: pd.DataFrame) -> None:
    for (suite, noise), rows in figures.groupby(["suite", "noise"], dropna=False, sort=True):
        level = "" if noise != noise else f", noise {noise:g}"  # NaN where noise has no meaning
        print_table(
            ("method", "metric", "value", "how it was obtained", "source"),
            [
                (str(r["method"]), str(r["metric"]), f"{r['value']:g}", str(r["status"]), str(r["source"]))
                for r in rows.to_dict("records")
            ],
            title=f"{suite}{level}",
            right=[2],
        )


def _print_pairs(pairs: pd.DataFrame, titles: dict[str, str]) -> None:
    for (protocol, suite, noise, measure), rows in pairs.groupby(
        ["protocol", "suite", "noise", "measure"], sort=True
    ):
        print_table(
            ("method", "published", "source", "problems", "ours", "theirs", "wins", "losses", "p (Holm)"),
            [
                (
                    *(str(r["method"]), str(r["published"]), titles[str(r["source"])], str(r["problems"])),
                    *(f"{r['ours']:.3f}", f"{r['theirs']:.3f}", str(r["wins"]), str(r["losses"])),
                    f"{r['p_holm']:.2g}",
                )
                for r in rows.to_dict("records")
            ],
            title=f"{suite}, noise {noise:g}, {measure} ({protocol})",
            right=range(3, 9),
        )  # fmt: skip
