from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from srbench_ext.record import Metrics, ProtocolStamp, Record, RecoveryVerdicts, RunSpec

MakeRecord = Callable[..., Record]
SaveRecords = Callable[[Iterable[Record]], Path]


@pytest.fixture
def make_record() -> MakeRecord:
    """A record of method `alpha` on problem `p1`; keywords replace fields of the spec or of the record."""

    def make(*, r2: float | None = 1.0, recovered: bool | None = True, **changes: Any) -> Record:
        protocol = ProtocolStamp(changes.pop("protocol", "quick"), changes.pop("protocol_hash", "cafe" * 4))
        spec: dict[str, Any] = {
            "method": "alpha",
            "method_version": "1",
            "parameters": {},
            "weights_sha256": None,
            "suite": "strogatz",
            "problem": "p1",
            "source_kind": "cache",
            "noise": 0.0,
            "trial": 0,
            "max_seconds": 10.0,
            "n_rows": 2000,
        }
        spec |= {name: changes.pop(name) for name in list(changes) if name in spec}
        ok = changes.get("status", "ok") == "ok"
        fields: dict[str, Any] = {
            "status": "ok",
            "truth": "x0*x1",
            "metrics": {"test": Metrics(r2, None, None), "train": Metrics(r2, None, None)} if ok else {},
            "recovery": RecoveryVerdicts(recovered, recovered, recovered) if ok else RecoveryVerdicts(),
            "complexity": 3 if ok else None,
            "complexity_simplified": 5 if ok else None,
            "seconds": 2.0,
            "environment": {"commit": "0123456789abcdef", "dirty": False, "cpu": "a processor"},
        }
        return Record(RunSpec(protocol=protocol, **spec), **(fields | changes))

    return make


@pytest.fixture
def save_records(tmp_path: Path) -> SaveRecords:
    """Write records as a run does, and return the folder."""

    def save(records: Iterable[Record]) -> Path:
        folder = tmp_path / "run"
        (folder / "records").mkdir(parents=True, exist_ok=True)
        for record in records:
            (folder / "records" / f"{record.run_id}.json").write_text(record.to_json(), encoding="utf-8")
        return folder

    return save
