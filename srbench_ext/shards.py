"""Records packed into a few compressed files, so that a large run can be kept in version control.

A shard is ``records/<method>[-<weights>].jsonl.xz``: one record a line as compact JSON, sorted by run id. The
same records give the same bytes. A record that lies beside the shards as a file of its own counts in place of
a packed one of the same run.
"""

from __future__ import annotations

import json
import lzma
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srbench_ext.errors import RecordError
from srbench_ext.record import Record

__all__ = ["SUFFIX", "Packed", "pack", "packed_record", "packed_records", "read_shard", "shards", "unpack"]

SUFFIX = ".jsonl.xz"

_PRESET = 6 | lzma.PRESET_EXTREME


@dataclass(frozen=True, slots=True)
class Packed:
    """What :func:`pack` did.

    Attributes
    ----------
    shards : tuple of Path
        The files written.
    n_records : int
        Records in them.
    n_bytes : int
        Their size.
    left : tuple of str
        Why a record was left as it is, one message a file: it cannot be read.
    """

    shards: tuple[Path, ...]
    n_records: int
    n_bytes: int
    left: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.n_records} records in {len(self.shards)} files, {self.n_bytes / 1e6:.2f} MB"


def shards(records: Path) -> list[Path]:
    """Return the shards of a folder of records, sorted by name."""
    return sorted(records.glob(f"*{SUFFIX}"))


def read_shard(path: Path) -> Iterator[str]:
    """Yield the records of a shard as JSON text.

    Raises
    ------
    RecordError
        If the file is cut short or no shard.
    """
    try:
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield line.rstrip("\n")
    except (lzma.LZMAError, EOFError, UnicodeDecodeError) as error:
        raise RecordError(
            f"The shard {path} cannot be read: {error}. Restore it (git checkout), or delete it to run its "
            "records again."
        ) from error


def packed_records(records: Path) -> Iterator[Mapping[str, Any]]:
    """Yield every packed record below a folder of records as a mapping, unchecked beyond being one.

    Raises
    ------
    RecordError
        If a shard cannot be read.
    """
    for path in shards(records):
        for line in read_shard(path):
            try:
                content = json.loads(line)
                content["run_id"], content["status"]
            except (ValueError, KeyError, TypeError) as error:
                raise RecordError(f"The shard {path} holds a line that is no record: {error}.") from error
            yield content


def packed_record(records: Path, run_id: str) -> Record | None:
    """Return a packed record, or None where there is none of this run.

    Raises
    ------
    RecordError
        If a shard, or the record, cannot be read.
    """
    for path in shards(records):
        for line in read_shard(path):
            if f'"{run_id}"' in line and json.loads(line)["run_id"] == run_id:
                return Record.from_json(line)
    return None


def pack(out: Path) -> Packed:
    """Move the record files of a results folder into shards; what is packed already stays or is replaced.

    A shard is whole on the disk before the files that it holds are deleted, so an interruption loses nothing.

    Parameters
    ----------
    out : Path
        The results folder, with no run going on in it.

    Raises
    ------
    RecordError
        If a shard that is there cannot be read.
    """
    folder = out / "records"
    loose, left = _readable(folder)
    contents = {record["run_id"]: record for record in packed_records(folder)}
    contents |= {run_id: content for run_id, (_, content) in loose.items()}
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for content in contents.values():
        by_name.setdefault(_name(content["spec"]), []).append(content)
    written = [_write(folder / name, members) for name, members in sorted(by_name.items())]
    for path in set(shards(folder)) - set(written):
        path.unlink()
    for path, _ in loose.values():
        path.unlink()
    n_bytes = sum(path.stat().st_size for path in written)
    return Packed(tuple(written), len(contents), n_bytes, tuple(left))


def unpack(out: Path) -> int:
    """Write every packed record as a file of its own again, delete the shards and return how many.

    Raises
    ------
    RecordError
        If a shard, or a record in it, cannot be read; then nothing is written or deleted.
    """
    folder = out / "records"
    found = shards(folder)
    records = [Record.from_json(line) for shard in found for line in read_shard(shard)]
    for record in records:
        path = folder / f"{record.run_id}.json"
        if not path.exists():
            _replace(path, record.to_json().encode())
    for shard in found:
        shard.unlink()
    return len(records)


def _readable(folder: Path) -> tuple[dict[str, tuple[Path, Mapping[str, Any]]], list[str]]:
    """Return the record files that can be read, by run id, and why the others cannot."""
    loose: dict[str, tuple[Path, Mapping[str, Any]]] = {}
    left = []
    for path in sorted(folder.glob("*.json")):
        text = path.read_bytes()
        try:
            run_id = Record.from_json(text).run_id
        except RecordError as error:
            left.append(f"{path}: {error}")
            continue
        if run_id == path.stem:
            loose[run_id] = (path, json.loads(text))
        else:
            left.append(f"{path}: it holds the record of run {run_id}.")
    return loose, left


def _name(spec: Mapping[str, Any]) -> str:
    weights = spec["weights_sha256"]
    name = f"{spec['method']}-{weights[:8]}" if weights else str(spec["method"])
    return re.sub(r"[^A-Za-z0-9.+_-]+", "-", name) + SUFFIX


def _write(path: Path, contents: Iterable[Mapping[str, Any]]) -> Path:
    lines = (
        json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        for content in sorted(contents, key=lambda content: str(content["run_id"]))
    )
    text = "".join(f"{line}\n" for line in lines).encode()
    # one stream with a fixed check and preset, and no time in it: the same bytes every time
    _replace(path, lzma.compress(text, check=lzma.CHECK_CRC64, preset=_PRESET))
    return path


def _replace(path: Path, content: bytes) -> None:
    """Write a file to a temporary name first, and rename it when it is on the disk."""
    if path.exists() and path.read_bytes() == content:
        return
    handle, temporary = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
