"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AsJson", "DryRun", "Jobs", "Only", "PmlbCache", "Settings", "Trials"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PmlbCache = Annotated[Path | None, typer.Option(help="A folder of PMLB tables.")]
DryRun = Annotated[bool, typer.Option(help="Print the plan and stop.")]
Jobs = Annotated[int, typer.Option(help="Runs at a time, one thread each.", min=1)]
Only = Annotated[str | None, typer.Option(help="Only problems whose name matches, as in 'feynman_I_*'.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="A parameter, as in beam=10.")]
Trials = Annotated[int | None, typer.Option(help="Repetitions (default: protocol's).")]
