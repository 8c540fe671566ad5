"""``srbench-ext new-method`` and ``check``: starting a method, and testing it against the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srbench_ext.cli.completion import complete_method
from srbench_ext.cli.options import AsJson
from srbench_ext.cli.printing import print_json

__all__ = ["check", "new_method"]


def new_method(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.")],
    folder: Annotated[
        Path, typer.Option("--in", help="Where the method's folder is made.", file_okay=False)
    ] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write the folder of a new method; it runs and passes `srbench-ext check` as it is."""
    from srbench_ext.testing.template import write_template

    place = write_template(name, folder)
    if as_json:
        print_json(
            {"name": name, "folder": str(place), "files": sorted(each.name for each in place.iterdir())}
        )
        return
    print(f"Written: {place}")
    print(f"  srbench-ext check {place}")
    print(f"  export SRBENCH_EXT_PLUGINS={folder.resolve()}   # then every command knows {name}")


def check(
    method: Annotated[
        str,
        typer.Argument(
            help="A name of `srbench-ext list`, or a method's folder.", autocompletion=complete_method
        ),
    ],
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter with which a fit ends soon, as in beam=1.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the contract tests on a method and say what to fix; exit code 1 when a test fails."""
    from dataclasses import asdict

    from srbench_ext.runner import parse_settings
    from srbench_ext.testing.check import add_folder
    from srbench_ext.testing.check import check as run_checks

    results = run_checks(add_folder(method), parse_settings(setting or []))
    failed = [result for result in results if result.state == "failed"]
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result in results:
            print(f"{result.state:8}{result.test.removeprefix('test_').replace('_', ' ')}")
            for line in result.message.splitlines() if result.state == "failed" else ():
                print(f"          {line}")
            if result.hint:
                print(f"          What to fix: {result.hint}")
        print(f"{len(results) - len(failed)} of {len(results)} fine")
    if failed or not results:
        raise typer.Exit(1)
