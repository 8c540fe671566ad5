"""The results folder: one file a run, written whole and renamed; old ones may lie packed beside them."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from srbench_ext.errors import RecordError
from srbench_ext.record import Record, RunSpec
from srbench_ext.runner.ledger import FileFacts, Ledger, status_of
from srbench_ext.shards import packed_record, packed_records

__all__ = ["Missing", "SetAside", "Store"]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record that could not be read, and where it lies now."""

    path: Path
    moved_to: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason} Moved to {self.moved_to}; the run is repeated."


@dataclass(frozen=True, slots=True)
class Missing:
    """What a plan still lacks.

    Attributes
    ----------
    to_run : list of RunSpec
        Runs without a record, and those of ``again`` and ``set_aside``, in the order of the plan.
    again : frozenset of str
        Ids of those whose record says ``unsupported``, which is no result.
    set_aside : list of SetAside
        Unreadable records that were moved away.
    """

    to_run: list[RunSpec]
    again: frozenset[str]
    set_aside: list[SetAside]


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
        self.claims = self.out / "claims"
        self._ledger = Ledger(self.out / "ledger")

    def path(self, run_id: str) -> Path:
        """Return where the record of a run lies."""
        return self.records / f"{run_id}.json"

    def log_path(self, run_id: str) -> Path:
        """Return where the output of a run goes."""
        return self.logs / f"{run_id}.log"

    def save(self, record: Record, *, durable: bool = True) -> Path:
        """Write a record: to a temporary file first, renamed when it is whole.

        Parameters
        ----------
        record : Record
            Of a run that is over.
        durable : bool
            Whether to wait until it is on the disk. Without, a failure of the whole machine may cost the
            records of the last seconds; their runs are done again then.
        """
        text = record.to_json()
        self.records.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{record.run_id}-", suffix=".tmp", dir=self.records)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                if durable:
                    os.fsync(file.fileno())
                facts = _facts(os.fstat(file.fileno()))
            os.replace(temporary, self.path(record.run_id))
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._ledger.add(record.run_id, facts, record.status)
        return self.path(record.run_id)

    def holds(self, run_id: str) -> bool:
        """Whether there is a record of a run, as every machine that shares the folder sees it now."""
        with contextlib.suppress(OSError):  # opening it refreshes what a network file system knows
            os.close(os.open(self.records, os.O_RDONLY))
        return self.path(run_id).exists()

    def load(self, run_id: str) -> Record:
        """Read the record of a run: its own file, or the packed one.

        Raises
        ------
        RecordError
            If it is corrupt, half-written, of another schema, or of another run.
        """
        path = self.path(run_id)
        packed = None if path.exists() else packed_record(self.records, run_id)
        record = packed or Record.from_json(path.read_bytes())
        if record.run_id != run_id:
            raise RecordError(f"The file is named {run_id}, but holds the record of run {record.run_id}.")
        return record

    def missing(
        self, specs: Iterable[RunSpec], can_run: Callable[[RunSpec], bool] = lambda spec: False
    ) -> Missing:
        """Return what is still to be run.

        Parameters
        ----------
        specs : iterable of RunSpec
            The plan.
        can_run : callable
            Whether a run whose record says ``unsupported`` is worth trying again here and now.
        """
        statuses = self._statuses()
        to_run: list[RunSpec] = []
        again: set[str] = set()
        moved: list[SetAside] = []
        for spec in specs:
            run_id = spec.run_id
            if run_id not in statuses:
                to_run.append(spec)
                continue
            try:
                status = statuses[run_id] or self._check(run_id)
            except RecordError as error:
                moved.append(self._set_aside(run_id, str(error)))
                to_run.append(spec)
                continue
            if status == "unsupported" and can_run(spec):
                again.add(run_id)
                to_run.append(spec)
        return Missing(to_run, frozenset(again), moved)

    def close(self) -> None:
        """Close what saving keeps open."""
        self._ledger.close()

    def _statuses(self) -> dict[str, str | None]:
        """Return the status of every stored run; None where the file has to be read for it."""
        if not self.records.is_dir():
            return {}
        lines = self._ledger.read()
        # packed ones were checked when they were packed; a file of its own replaces one
        statuses: dict[str, str | None] = {
            sys.intern(record["run_id"]): sys.intern(record["status"])
            for record in packed_records(self.records)
        }
        with os.scandir(self.records) as entries:
            for entry in entries:
                run_id, _, suffix = entry.name.partition(".")
                if run_id and suffix == "json":
                    status = status_of(lines.get(run_id), _facts(entry.stat()))
                    statuses[run_id] = None if status is None else sys.intern(status)
        return statuses

    def _check(self, run_id: str) -> str:
        """Read a record and note in the ledger that it is good."""
        facts = _facts(self.path(run_id).stat())
        record = self.load(run_id)
        self._ledger.add(run_id, facts, record.status)
        return record.status

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


def _facts(entry: os.stat_result) -> FileFacts:
    return entry.st_size, entry.st_mtime_ns
