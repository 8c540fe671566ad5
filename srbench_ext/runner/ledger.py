"""The ledger of a results folder: which record files have been read or written whole, and their status.

Resuming asks a million times whether a record is there and good; reading them all would take minutes. A
ledger line says that a file of this size and time of change was good. Lines are only ever added, each process
to a file of its own; whatever has no line that fits is read. Deleting the folder costs time and nothing else.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path

__all__ = ["FileFacts", "Ledger"]

FileFacts = tuple[int, int]
"""Size in bytes and time of change in nanoseconds."""


class Ledger:
    """The lines below a folder; safe to add to from several threads.

    Parameters
    ----------
    folder : Path
        Made with the first line.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._owner: int | None = None

    def add(self, run_id: str, facts: FileFacts, status: str) -> None:
        """Note that the record of a run is good as long as its file has these facts."""
        line = f"{run_id} {facts[0]} {facts[1]} {status}\n".encode()
        with self._lock:
            if self._descriptor is None or self._owner != os.getpid():
                self._descriptor, self._owner = self._open(), os.getpid()
            os.write(self._descriptor, line)

    def read(self) -> Mapping[str, str]:
        """Return ``"SIZE TIME STATUS"`` by run id; of several lines the last one read counts."""
        lines: dict[str, str] = {}
        if not self._folder.is_dir():
            return lines
        for path in sorted(self._folder.glob("*.txt"), key=lambda path: path.stat().st_mtime_ns):
            with path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    run_id, _, facts = line.partition(" ")
                    if facts.endswith("\n"):  # the last line of a process that was killed may be cut short
                        lines[run_id] = facts[:-1]
        return lines

    def close(self) -> None:
        """Close the file of this process; a later line opens another."""
        with self._lock:
            if self._descriptor is not None and self._owner == os.getpid():
                os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{uuid.uuid4().hex}.txt"
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)


def status_of(line: str | None, facts: FileFacts) -> str | None:
    """Return the status that a ledger line gives a file with these facts; None when it does not fit."""
    if line is None:
        return None
    size, _, rest = line.partition(" ")
    changed, _, status = rest.partition(" ")
    return status if (size, changed) == (str(facts[0]), str(facts[1])) else None
