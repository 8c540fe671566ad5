"""Tables that one run has made or read, kept in a scratch folder for the next runs of the same problem."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from srbench_ext.data import Problem, Table, load_table

__all__ = ["kept_table"]

_MOST_TABLES = 8
_MOST_BYTES = 256 * 2**20


def kept_table(problem: Problem, cache: Path | None, scratch: Path | None) -> Table:
    """Return the rows of a problem as ``load_table`` does, from the scratch folder if they are there.

    Parameters
    ----------
    problem : Problem
        Whose rows.
    cache : Path or None
        The PMLB cache; None regenerates.
    scratch : Path or None
        Where the last few tables lie; None keeps nothing.
    """
    if scratch is None:
        return load_table(problem, cache)
    key = hashlib.sha256(f"{problem.suite}/{problem.name}/{cache}".encode()).hexdigest()[:16]
    path = scratch / f"{key}.table"
    with contextlib.suppress(FileNotFoundError):
        return _read(path)
    table = load_table(problem, cache)
    if table.X.nbytes <= _MOST_BYTES:
        with contextlib.suppress(OSError):  # a full disk costs time, not the run
            _write(table, path)
            _forget_old(scratch)
    return table


def _write(table: Table, path: Path) -> None:
    facts = {
        "shape": table.X.shape,
        "feature_names": table.feature_names,
        "source": table.source,
        "sha256": table.sha256,
    }
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(json.dumps(facts).encode() + b"\n")
            file.write(np.ascontiguousarray(table.X).tobytes())
            file.write(np.ascontiguousarray(table.y).tobytes())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> Table:
    with path.open("rb") as file:
        facts: dict[str, Any] = json.loads(file.readline())
        offset = file.tell()
        n, d = facts["shape"]
        values: npt.NDArray[np.float64] = np.memmap(
            file, dtype=np.float64, mode="r", offset=offset, shape=(n * d + n,)
        )
    X, y = np.asarray(values[: n * d]).reshape(n, d), np.asarray(values[n * d :])
    return Table(X, y, tuple(facts["feature_names"]), facts["source"], facts["sha256"])


def _forget_old(scratch: Path) -> None:
    """Remove the oldest tables; a run that reads one keeps it until it ends."""
    paths = sorted(scratch.glob("*.table"), key=lambda path: path.stat().st_mtime_ns)
    for path in paths[:-_MOST_TABLES]:
        path.unlink(missing_ok=True)
