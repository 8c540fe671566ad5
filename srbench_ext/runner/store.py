"""The results folder: one file a run, written whole and renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from srbench_ext.errors import RecordError
from srbench_ext.record import Record, RunSpec

__all__ = ["SetAside", "Store"]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that could not be read, and where it lies now."""

    path: Path
    moved_to: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason} Moved to {self.moved_to}; the run is repeated."


class Store:
    """The records below a folder.

    Parameters
    ----------
    out : Path
        The results folder; made when the first record is saved.
    """

    def __init__(self, out: Path) -> None:
        self.out = Path(out)
        self.records = self.out / "records"
        self.aside = self.out / "set-aside"
        self.logs = self.out / "logs"

    def path(self, run_id: str) -> Path:
        """Return where the record of a run lies."""
        return self.records / f"{run_id}.json"

    def log_path(self, run_id: str) -> Path:
        """Return where the output of a run goes."""
        return self.logs / f"{run_id}.log"

    def save(self, record: Record) -> Path:
        """Write a record: to a temporary file first, renamed when it is whole and on the disk."""
        text = record.to_json()
        self.records.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{record.run_id}-", suffix=".tmp", dir=self.records)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, self.path(record.run_id))
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return self.path(record.run_id)

    def load(self, run_id: str) -> Record:
        """Read the record of a run.

        Raises
        ------
        RecordError
            If it is corrupt, half-written, of another schema, or of another run.
        """
        record = Record.from_json(self.path(run_id).read_bytes())
        if record.run_id != run_id:
            raise RecordError(f"The file is named {run_id}, but holds the record of run {record.run_id}.")
        return record

    def missing(self, specs: Iterable[RunSpec]) -> tuple[list[RunSpec], list[SetAside]]:
        """Return what is still to be run, and the unreadable records that were moved away.

        Parameters
        ----------
        specs : iterable of RunSpec
            The plan.
        """
        to_run, moved = [], []
        for spec in specs:
            if not self.path(spec.run_id).exists():
                to_run.append(spec)
                continue
            try:
                self.load(spec.run_id)
            except RecordError as error:
                moved.append(self._set_aside(spec.run_id, str(error)))
                to_run.append(spec)
        return to_run, moved

    def _set_aside(self, run_id: str, reason: str) -> SetAside:
        self.aside.mkdir(parents=True, exist_ok=True)
        path = self.path(run_id)
        target = self.aside / path.name
        number = 1
        while target.exists():
            number += 1
            target = self.aside / f"{run_id}-{number}.json"
        os.replace(path, target)
        return SetAside(path, target, reason)
