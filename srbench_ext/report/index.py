"""The rows of a folder of records, read again only where a file is new or has changed.

Reading and checking a record takes a fraction of a millisecond: half a minute for a hundred thousand. A large
folder therefore gets an index, ``.index.sqlite``: the rows of every file, with the size and the time of the
file that they were read from. It holds nothing of its own: it may be deleted at any time, one of an older
layout is built again, and a folder that cannot be written to is read without one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from srbench_ext.errors import RecordError
from srbench_ext.record import SCHEMA, Record
from srbench_ext.report.rows import RAW_COLUMNS, raw_row
from srbench_ext.shards import SUFFIX, read_shard

__all__ = ["INDEX_NAME", "LEAST_INDEXED", "read_records", "read_rows"]

INDEX_NAME = ".index.sqlite"

LEAST_INDEXED = 1000
"""Records that have to be read before it pays to write an index."""

_LAYOUT = int.from_bytes(hashlib.sha256(f"1 {SCHEMA} {RAW_COLUMNS}".encode()).digest()[:4], "big") >> 1
_RUN_ID = re.compile(r'\{\s*"schema":\s*\d+,\s*"run_id":\s*"(\w+)"')  # how every record begins
_WAIT_SECONDS = 10.0  # for another report on the same folder

Facts = tuple[int, int]
Complain = Callable[[RecordError], None]


def read_rows(folder: Path, complain: Complain) -> list[list[object]]:
    """Return one row a run, as :func:`~srbench_ext.report.rows.raw_row` makes it.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``records/``, with files of one record and shards (:mod:`srbench_ext.shards`). A record in a
        file of its own replaces a packed one of the same run.
    complain : callable
        Called with the error of every record or shard that cannot be read; what it holds is left out.
    """
    files = _files(folder / "records")
    kept, texts = _from_index(folder / INDEX_NAME, files)
    read: dict[str, list[list[object]]] = {}
    indexed: dict[str, tuple[Facts, list[list[object]]]] = {}
    for name in [name for name in files if name not in kept]:
        errors: list[RecordError] = []
        read[name] = list(_rows_of(folder / "records" / name, errors.append))
        for error in errors:
            complain(error)
        if not errors:
            indexed[name] = (files[name], read[name])
    if indexed and (kept or sum(map(len, read.values())) >= LEAST_INDEXED):
        _write_index(folder / INDEX_NAME, files, indexed)
    by_run: dict[object, list[object]] = {}
    for packed in (True, False):  # a file of its own comes last and wins
        known = (row for name, text in texts if name.endswith(SUFFIX) is packed for row in json.loads(text))
        new = (row for name, rows in read.items() if name.endswith(SUFFIX) is packed for row in rows)
        for row in (*known, *new):
            by_run[row[0]] = row
    return list(by_run.values())


def read_records(folder: Path, run_ids: Collection[str]) -> Iterator[Record]:
    """Yield whole records; those that cannot be read are left out, and a run may come twice.

    Parameters
    ----------
    folder : pathlib.Path
        As for :func:`read_rows`.
    run_ids : collection of str
        Which runs; only their records are parsed. Of a run that is there twice, the last one counts.
    """
    records = folder / "records"
    names = sorted(_files(records), key=lambda name: not name.endswith(SUFFIX))  # its own file comes last
    for name in names:
        if name.endswith(SUFFIX) or name.removesuffix(".json") in run_ids:
            yield from _records_of(records / name, lambda _: None, run_ids)


def _files(records: Path) -> dict[str, Facts]:
    """Return the files that hold records, with size and time of change in nanoseconds."""
    if not records.is_dir():
        return {}
    files = {}
    with os.scandir(records) as entries:
        for entry in entries:
            if entry.name.endswith((".json", SUFFIX)) and not entry.name.startswith("."):
                facts = entry.stat()
                files[entry.name] = (facts.st_size, facts.st_mtime_ns)
    return dict(sorted(files.items()))


def _rows_of(path: Path, complain: Complain) -> Iterator[list[object]]:
    """Yield the rows of a file, and complain about each record that cannot be read."""
    return map(raw_row, _records_of(path, complain))


def _records_of(path: Path, complain: Complain, run_ids: Collection[str] | None = None) -> Iterator[Record]:
    try:
        packed = path.name.endswith(SUFFIX)
        for text in read_shard(path) if packed else [path.read_text(encoding="utf-8")]:
            named = _RUN_ID.match(text) if run_ids is not None else None
            if named is not None and run_ids is not None and named[1] not in run_ids:
                continue
            try:
                yield Record.from_json(text)
            except RecordError as error:
                complain(_left_out(path, error))
    except (RecordError, UnicodeDecodeError) as error:
        complain(_left_out(path, error))


def _left_out(path: Path, error: Exception) -> RecordError:
    return RecordError(f"{path}: {error} The run is in no table; run it again to replace the record.")


def _from_index(path: Path, files: dict[str, Facts]) -> tuple[set[str], list[tuple[str, str]]]:
    """Return the names of the files that the index holds as they are now, and their rows as JSON text."""
    if not path.is_file():
        return set(), []
    try:
        with contextlib.closing(_connect(path)) as index:
            if index.execute("PRAGMA user_version").fetchone()[0] != _LAYOUT:
                return set(), []
            found = [
                (name, rows)
                for name, size, changed, rows in index.execute("SELECT name, size, changed, rows FROM files")
                if files.get(name) == (size, changed)
            ]
    except sqlite3.DatabaseError:  # locked for long, or damaged: it is only a copy
        return set(), []
    return {name for name, _ in found}, found


def _write_index(
    path: Path, files: dict[str, Facts], new: dict[str, tuple[Facts, list[list[object]]]]
) -> None:
    lines = ((name, *facts, json.dumps(rows, separators=(",", ":"))) for name, (facts, rows) in new.items())
    try:
        with contextlib.closing(_connect(path)) as index, index:
            if index.execute("PRAGMA user_version").fetchone()[0] != _LAYOUT:
                index.execute("DROP TABLE IF EXISTS files")
                index.execute(f"PRAGMA user_version = {_LAYOUT}")
            index.execute(
                "CREATE TABLE IF NOT EXISTS files "
                "(name TEXT PRIMARY KEY, size INTEGER, changed INTEGER, rows TEXT) WITHOUT ROWID"
            )
            _forget(index, files)
            index.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", lines)
    except sqlite3.OperationalError:
        pass  # a folder that cannot be written to, or another report is writing the same
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)  # damaged; the next report builds it again


def _forget(index: sqlite3.Connection, files: Iterable[str]) -> None:
    present = set(files)
    gone = [(name,) for (name,) in index.execute("SELECT name FROM files") if name not in present]
    index.executemany("DELETE FROM files WHERE name = ?", gone)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_WAIT_SECONDS)
