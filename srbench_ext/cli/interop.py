"""``srbench-ext import`` and ``export``: runs from and for other benchmarks."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from srbench_ext.cli.options import AsJson
from srbench_ext.cli.printing import print_json
from srbench_ext.errors import UnknownNameError

__all__ = ["export", "import_"]

Format = Annotated[str, typer.Option("--format", help="Whose format: srbench.")]


def import_(
    path: Annotated[Path, typer.Argument(help="A result file of SRBench, or a folder of them.", exists=True)],
    into: Annotated[Path, typer.Option(help="The folder that gets the records.", file_okay=False)],
    format_name: Format = "srbench",
    as_json: AsJson = False,
) -> None:
    """Read the results of another benchmark as records, for `report`; what has no place is named."""
    from srbench_ext.interop import import_results
    from srbench_ext.runner import Store

    _check_format(format_name)
    imported = import_results(path)
    store = Store(into)
    for record in imported.records:
        store.save(record, durable=False)
    if as_json:
        print_json(
            {
                "records": len(imported.records),
                "left_out": imported.left_out,
                "formulas_not_read": imported.formulas_not_read,
                "kept_as_notes": sorted(imported.kept_as_notes),
            }
        )
        return
    for message in imported.left_out:
        print(f"Left out: {message}", file=sys.stderr)
    for message in imported.formulas_not_read:
        print(f"Formula kept as text only: {message}", file=sys.stderr)
    print(f"{len(imported.records)} records in {into / 'records'}, {len(imported.left_out)} files left out")
    if imported.kept_as_notes:
        print(f"Kept in the notes of each record: {', '.join(sorted(imported.kept_as_notes))}")


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `run` has written.")],
    out: Annotated[Path, typer.Option(help="The folder that gets the files.", file_okay=False)],
    format_name: Format = "srbench",
    as_json: AsJson = False,
) -> None:
    """Write the records of a run in the format of another benchmark; what it cannot say is named."""
    from srbench_ext.interop import LOST, export_results, records_of

    _check_format(format_name)
    exported = export_results(records_of(folder), out)
    if as_json:
        print_json(
            {
                "files": [str(path) for path in exported.files],
                "left_out": [
                    {"run_id": record.run_id, "run": str(record.spec), "why": why}
                    for record, why in exported.left_out
                ],
                "not_said": list(LOST),
            }
        )
        return
    print(f"{len(exported.files)} result files in {out}, {len(exported.left_out)} runs left out")
    for why, count in sorted(Counter(why for _, why in exported.left_out).items()):
        print(f"  {count}: {why} (listed in {out / 'not-exported.csv'})")
    print(f"A result file says nothing of: {', '.join(LOST)}")


def _check_format(name: str) -> None:
    from srbench_ext.interop import FORMAT_NAMES

    if name not in FORMAT_NAMES:
        raise UnknownNameError("format", name, FORMAT_NAMES)
