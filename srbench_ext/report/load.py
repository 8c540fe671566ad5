"""Read the records of a run into one table, one row a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

from srbench_ext.errors import DataError, RecordError, UnknownNameError
from srbench_ext.record import Record
from srbench_ext.registry import describe

__all__ = ["COLUMNS", "load_records"]

COLUMNS = (
    "run_id",
    "method",
    "track",
    "suite",
    "problem",
    "noise",
    "trial",
    "part",
    "protocol",
    "protocol_hash",
    "max_seconds",
    "n_rows",
    "source_kind",
    "status",
    "error",
    "r2_train",
    "r2_test",
    "r2_test_one_se",
    "nmse_test",
    "complexity",
    "complexity_simplified",
    "seconds",
    "has_truth",
    "recovered_srbench",
    "recovered_symbolic",
    "recovered_numeric",
    "choice",
    "commit",
    "dirty",
    "cpu",
    "weights_sha256",
    "formula",
    "truth",
)
"""The columns of :func:`load_records`; None and NaN mean not known.

``r2_test`` is that of the formula that the method chose, ``r2_test_one_se`` of the one that the shared
default rule takes from the same front. ``part`` is empty until a report is split (:mod:`~.split`).
"""


def load_records(folder: Path, *, on_unreadable: Callable[[RecordError], None] | None = None) -> pd.DataFrame:
    """Read every record below a folder.

    Parameters
    ----------
    folder : pathlib.Path
        A folder that a run has written; its records are ``folder/records/*.json``.
    on_unreadable : callable, optional
        Called with the error of each record that cannot be read, which is then left out. Without it, the
        first such record raises.

    Returns
    -------
    pandas.DataFrame
        One row a run with :data:`COLUMNS`, sorted by method, suite, problem, noise and trial. Where the
        folder holds several versions, parameters or weights of one method, ``method`` tells them apart, as in
        ``e2e (beam=10)``: they are never averaged together.

    Raises
    ------
    DataError
        When the folder holds no records.
    RecordError
        When a record cannot be read and ``on_unreadable`` is not given.
    """
    paths = sorted((folder / "records").glob("*.json"))
    if not paths:
        raise DataError(
            f"{folder} holds no records (looked for {folder / 'records' / '*.json'}). "
            "Run: srbench-ext run --method METHOD --suite SUITE --protocol quick --out DIR"
        )
    records = []
    for path in paths:
        try:
            records.append(Record.from_json(path.read_text(encoding="utf-8")))
        except (RecordError, UnicodeDecodeError) as error:
            named = RecordError(
                f"{path}: {error} The run is in no table; run it again to replace the record."
            )
            if on_unreadable is None:
                raise named from error
            on_unreadable(named)
    labels = _labels(records)
    rows = [_row(record, labels[_variant(record)]) for record in records]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.sort_values(["method", "suite", "problem", "noise", "trial", "run_id"], ignore_index=True)


def _row(record: Record, label: str) -> dict[str, object]:
    spec, metrics, environment = record.spec, record.metrics, record.environment
    test = metrics["test"].r2 if "test" in metrics else None
    return {
        "run_id": record.run_id,
        "method": label,
        "track": _track(spec.method),
        "suite": spec.suite,
        "problem": spec.problem,
        "noise": spec.noise,
        "trial": spec.trial,
        "part": "",
        "protocol": spec.protocol.name,
        "protocol_hash": spec.protocol.hash,
        "max_seconds": spec.max_seconds,
        "n_rows": spec.n_rows,
        "source_kind": spec.source_kind,
        "status": record.status,
        "error": record.error,
        "r2_train": metrics["train"].r2 if "train" in metrics else None,
        "r2_test": test,
        "nmse_test": metrics["test"].nmse if "test" in metrics else None,
        "r2_test_one_se": _one_se_r2(record, test),
        "complexity": record.complexity,
        "complexity_simplified": record.complexity_simplified,
        "seconds": record.seconds,
        "has_truth": record.truth is not None,
        "recovered_srbench": record.recovery.srbench,
        "recovered_symbolic": record.recovery.symbolic,
        "recovered_numeric": record.recovery.numeric,
        "choice": record.notes.get("choice"),
        "commit": environment.get("commit"),
        "dirty": environment.get("dirty"),
        "cpu": environment.get("cpu"),
        "weights_sha256": spec.weights_sha256,
        "formula": record.expression.infix if record.expression else None,
        "truth": record.truth,
    }


def _one_se_r2(record: Record, chosen: float | None) -> float | None:
    """Return the test R² of what the default rule takes from the front, which the run notes by complexity."""
    complexity = record.notes.get("one_se_complexity")
    if complexity is None:
        return chosen
    return next((point.r2_test for point in record.front if point.complexity == complexity), None)


@cache
def _track(method: str) -> str | None:
    try:
        return describe(method.partition("@")[0]).track
    except UnknownNameError:
        return None  # records of a method that is not installed here


_Variant = tuple[str, str, str, str]


def _variant(record: Record) -> _Variant:
    spec = record.spec
    parameters = json.dumps(dict(spec.parameters), sort_keys=True)
    return spec.method, spec.method_version, parameters, spec.weights_sha256 or ""


def _labels(records: list[Record]) -> dict[_Variant, str]:
    """Name every variant of a method by what tells it from the others."""
    by_method: dict[str, set[_Variant]] = {}
    for record in records:
        by_method.setdefault(record.spec.method, set()).add(_variant(record))
    labels = {}
    for method, variants in by_method.items():
        for variant in variants:
            labels[variant] = _label(method, variant, variants)
    return labels


def _label(method: str, variant: _Variant, variants: set[_Variant]) -> str:
    _, version, parameters, weights = variant
    parts = []
    if len({other[1] for other in variants}) > 1:
        parts.append(f"version {version}")
    if len({other[2] for other in variants}) > 1:
        settings = json.loads(parameters)
        parts.append(", ".join(f"{key}={value}" for key, value in settings.items()) or "defaults")
    if len({other[3] for other in variants}) > 1:
        parts.append(f"weights {weights[:8] or 'none'}")
    return f"{method} ({', '.join(parts)})" if parts else method
