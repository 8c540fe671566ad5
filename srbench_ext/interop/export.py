"""Records as SRBench's result files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srbench_ext.errors import RecordError
from srbench_ext.expression import to_sympy
from srbench_ext.record import Record
from srbench_ext.registry import SRBENCH_PREFIX

__all__ = ["LOST", "Exported", "export_results", "result_of"]

LOST = (
    "front", "curve", "recovery verdicts", "counts", "notes", "seconds by phase", "method version", "weights",
    "protocol", "data hash", "environment",
)  # fmt: skip
"""What a result file of SRBench has no place for."""

_LISTED = ("run_id", "method", "suite", "problem", "noise", "trial", "status", "why")


@dataclass
class Exported:
    """What became of the records.

    Attributes
    ----------
    files : list of Path
        One a run that came to an end.
    left_out : list of (Record, str)
        Runs that a result file cannot say, with the reason; also in ``not-exported.csv``.
    """

    files: list[Path] = field(default_factory=list)
    left_out: list[tuple[Record, str]] = field(default_factory=list)


def export_results(records: Iterable[Record], out: Path) -> Exported:
    """Write a result file for every run that came to an end.

    Parameters
    ----------
    records : iterable of Record
        The runs.
    out : Path
        A folder; made, and the files in it replaced.
    """
    out.mkdir(parents=True, exist_ok=True)
    exported = Exported()
    written: dict[str, str] = {}
    for record in records:
        name = _file_name(record)
        if record.status != "ok":
            why = f"SRBench has no result of a run that ended as {record.status}"
        elif name in written:
            why = f"the same method, problem, noise and seed as run {written[name]}: one file name for both"
        else:
            written[name] = record.run_id
            exported.files.append(out / name)
            text = json.dumps(result_of(record), indent=4, ensure_ascii=False, allow_nan=False)
            exported.files[-1].write_text(text + "\n", encoding="utf-8")
            continue
        exported.left_out.append((record, why))
    _list_left_out(exported, out / "not-exported.csv")
    return exported


def result_of(record: Record) -> dict[str, Any]:
    """Return a record with SRBench's fields; null where it is not known, as the mean absolute error always.

    The simplicity is that of SRBench's competition of 2022, ``-round(log5(nodes), 1)``, over the nodes after
    simplification. A record that came from SRBench gives back what it came with.
    """
    train, test = record.metrics.get("train"), record.metrics.get("test")
    spec = record.spec
    nodes = record.complexity_simplified
    result: dict[str, Any] = {
        "dataset": spec.problem,
        "algorithm": spec.method.removeprefix(SRBENCH_PREFIX),
        "params": dict(spec.parameters),
        "random_state": _seed(record),
        "time_time": record.seconds,
        "symbolic_model": "not implemented" if record.expression is None else record.expression.infix,
        "mse_train": train.mse if train else None,
        "mae_train": None,
        "r2_train": train.r2 if train else None,
        "mse_test": test.mse if test else None,
        "mae_test": None,
        "r2_test": test.r2 if test else None,
        "simplicity": None if not nodes else -round(math.log(nodes, 5), 1),
        "complexity_function": "nodes of sympy's tree",
        "model_size": _size(record),
        "target_noise": spec.noise,
        "feature_noise": spec.parameters.get("feature_noise", 0.0),
    }
    if record.truth is not None:
        result["true_model"] = record.truth
    kept = record.notes.get("srbench")
    if not isinstance(kept, dict):
        return result
    if nodes is not None:
        result["simplified_complexity"] = nodes
    made_up = {
        "params",
        "symbolic_model",
        "mae_train",
        "mae_test",
        "simplicity",
        "complexity_function",
        "model_size",
    }
    return {key: value for key, value in result.items() if key not in made_up} | kept


def _seed(record: Record) -> int:
    """Return the seed of the split where the protocol lists one, and else the number of the trial."""
    seeds = record.spec.protocol.values.get("split_seeds") or ()
    return int(seeds[record.spec.trial]) if record.spec.trial < len(seeds) else record.spec.trial


def _size(record: Record) -> int | None:
    """Count the nodes of the formula as sympy reads it, without simplification, as SRBench 2025 does."""
    if record.expression is None:
        return None
    import sympy

    try:
        tree = to_sympy(record.expression.expression())
    except RecordError:
        return None
    return sum(1 for _ in sympy.preorder_traversal(tree))


def _file_name(record: Record) -> str:
    spec = record.spec
    noise = f"_target-noise{spec.noise:g}" if spec.noise else ""
    feature_noise = spec.parameters.get("feature_noise")
    noise += f"_feature-noise{feature_noise:g}" if feature_noise else ""
    method = spec.method.removeprefix(SRBENCH_PREFIX)
    return f"{spec.problem}_{method}_{_seed(record)}{noise}.json"


def _list_left_out(exported: Exported, path: Path) -> None:
    path.unlink(missing_ok=True)
    if not exported.left_out:
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(_LISTED)
        for record, why in exported.left_out:
            spec = record.spec
            rows.writerow(
                (
                    record.run_id,
                    spec.method,
                    spec.suite,
                    spec.problem,
                    spec.noise,
                    spec.trial,
                    record.status,
                    why,
                )
            )
