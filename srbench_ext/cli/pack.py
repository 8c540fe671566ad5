"""``srbench-ext pack``: the records of a run in few files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from srbench_ext.cli.options import AsJson
from srbench_ext.cli.printing import print_json
from srbench_ext.errors import DataError

__all__ = ["pack"]


def pack(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `run` has written.")],
    undo: Annotated[bool, typer.Option("--undo", help="Write one file a record again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move the records of a finished run into a few compressed files; reports and `run` read them too."""
    from srbench_ext import shards

    if not (folder / "records").is_dir():
        raise DataError(
            f"{folder} holds no records (looked for {folder / 'records'}). Give a folder of `run`."
        )
    if undo:
        unpacked = shards.unpack(folder)
        if as_json:
            print_json({"unpacked": unpacked})
        else:
            print(f"{unpacked} records unpacked")
        return
    packed = shards.pack(folder)
    if as_json:
        files = [str(path) for path in packed.shards]
        counts = {"records": packed.n_records, "bytes": packed.n_bytes}
        print_json({**counts, "files": files, "left": list(packed.left)})
        return
    for message in packed.left:
        print(f"Left as it is: {message}", file=sys.stderr)
    print(packed)
