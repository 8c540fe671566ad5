"""``srbench-ext pack``: the records of a run in few files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from srbench_ext.errors import DataError

__all__ = ["pack"]


def pack(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `run` has written.")],
    undo: Annotated[bool, typer.Option("--undo", help="Write one file a record again.")] = False,
) -> None:
    """Move the records of a finished run into a few compressed files; reports and `run` read them too."""
    from srbench_ext import shards

    if not (folder / "records").is_dir():
        raise DataError(
            f"{folder} holds no records (looked for {folder / 'records'}). Give a folder of `run`."
        )
    if undo:
        print(f"{shards.unpack(folder)} records unpacked")
        return
    packed = shards.pack(folder)
    for message in packed.left:
        print(f"Left as it is: {message}", file=sys.stderr)
    print(packed)
