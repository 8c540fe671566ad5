"""SRBench's result files, one JSON object a run, as records.

What a file holds and a record has no place for stays in ``notes["srbench"]``, word for word, so that
exporting gives it back.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from srbench_ext.data import Problem, suites
from srbench_ext.errors import DataError, ExpressionError, RecordError
from srbench_ext.interop.formula import readings
from srbench_ext.record import FormulaText, Metrics, ProtocolStamp, Record, RecoveryVerdicts, RunSpec
from srbench_ext.registry import SRBENCH_PREFIX
from srbench_ext.shards import packed_records

__all__ = ["FORMAT_NAMES", "MAPPED", "Imported", "import_results", "record_of", "records_of"]

FORMAT_NAMES = ("srbench",)
"""The formats that runs can be imported from and exported to."""

MAPPED = (
    "dataset", "algorithm", "random_state", "target_noise", "feature_noise", "time_time", "true_model",
    "mse_train", "mse_test", "r2_train", "r2_test", "simplified_complexity",
)  # fmt: skip
"""Fields of a result file that a record has a place for; all others are kept in its notes."""

_REQUIRED = ("dataset", "algorithm", "random_state", "r2_test")
_VERDICT = ("symbolic_error_is_zero", "symbolic_error_is_constant", "symbolic_fraction_is_constant")
_LIMITS = {"2021": (32_400.0, 172_800.0), "2025": (3_600.0, 3_600.0)}
"""Seconds by edition: with a true formula, and without (SRBench v2.0: 9 and 48 hours; 2025: one hour)."""

_NOT_A_FORMULA = ("", "not implemented", "nan", "None")


@dataclass
class Imported:
    """What became of the files.

    Attributes
    ----------
    records : list of Record
        One a file.
    left_out : list of str
        Files that are no result, or hold a run that another file holds too, with the reason.
    formulas_not_read : list of str
        Runs whose formula is kept as text only, with the reason.
    kept_as_notes : set of str
        Fields that a record has no place for.
    """

    records: list[Record] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    formulas_not_read: list[str] = field(default_factory=list)
    kept_as_notes: set[str] = field(default_factory=set)


def import_results(path: Path) -> Imported:
    """Read a result file, or all below a folder.

    Parameters
    ----------
    path : Path
        ``*.json``; where SRBench's assessment has written ``*.json.updated`` beside it, that one.

    Raises
    ------
    DataError
        If there is no such file.
    """
    imported = Imported()
    taken: dict[str, Path] = {}
    for file in _files(path):
        try:
            content = json.loads(file.read_bytes(), parse_constant=lambda name: None)
            record = record_of(content)
        except (ValueError, RecordError) as error:
            imported.left_out.append(f"{file}: {error}")
            continue
        if record.run_id in taken:
            imported.left_out.append(f"{file}: the run of {taken[record.run_id]} again")
            continue
        taken[record.run_id] = file
        imported.records.append(record)
        imported.kept_as_notes |= set(record.notes["srbench"])
        if "formula_not_read" in record.notes:
            imported.formulas_not_read.append(f"{file}: {record.notes['formula_not_read']}")
    return imported


def record_of(content: Any) -> Record:
    """Return the record of one result.

    The method becomes ``srbench:ALGORITHM`` and the trial the random state; the limit of seconds is that of
    the edition, which the fields tell. A file says nothing of versions, hosts and data: these stay unknown.

    Raises
    ------
    RecordError
        If a field that makes a result is missing or of another type.
    """
    if not isinstance(content, dict) or not all(key in content for key in _REQUIRED):
        raise RecordError(f"It is no result of SRBench, which has {', '.join(_REQUIRED)}.")
    spec, problem = _spec(content)
    expression, reason = _formula(content.get("symbolic_model"), problem)
    notes: dict[str, Any] = {
        "srbench": {key: _plain(value) for key, value in content.items() if key not in MAPPED}
    }
    if reason is not None:
        notes["formula_not_read"] = reason
    simplified = _number(content, "simplified_complexity")
    return Record(
        spec,
        "ok",
        expression=expression,
        truth=_text(content, "true_model"),
        metrics={part: _metrics(content, part) for part in ("train", "test")},
        recovery=RecoveryVerdicts(srbench=_verdict(content)),
        complexity=None if expression is None else len(expression.prefix.split()),
        complexity_simplified=None if simplified is None else int(simplified),
        seconds=_number(content, "time_time"),
        notes=notes,
    )


def records_of(folder: Path) -> Iterator[Record]:
    """Yield the records of a results folder, loose ones before packed ones.

    Raises
    ------
    DataError
        If there are none.
    RecordError
        If one cannot be read.
    """
    seen = set()
    for path in sorted((folder / "records").glob("*.json")):
        record = Record.from_json(path.read_bytes())
        seen.add(record.run_id)
        yield record
    for content in packed_records(folder / "records"):
        if content["run_id"] not in seen:
            seen.add(content["run_id"])
            yield Record.from_json(json.dumps(content))
    if not seen:
        raise DataError(
            f"{folder} holds no records (looked for {folder / 'records'}). Give a folder of `run`."
        )


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = {file for pattern in ("*.json", "*.json.updated") for file in path.rglob(pattern)}
    assessed = {file.with_suffix("") for file in found if file.suffix == ".updated"}
    if not found:
        raise DataError(f"{path} holds no *.json. Give a result file of SRBench, or a folder of them.")
    return sorted(found - assessed)


def _spec(content: Mapping[str, Any]) -> tuple[RunSpec, Problem | None]:
    dataset, algorithm = _text(content, "dataset"), _text(content, "algorithm")
    seed = content["random_state"]
    if not dataset or not algorithm or not isinstance(seed, int) or isinstance(seed, bool):
        raise RecordError("dataset and algorithm must be text, random_state an integer.")
    edition = "2021" if "process_time" in content else "2025"
    problem = _problems().get(dataset)
    known = _text(content, "true_model") is not None or (problem is not None and problem.formula is not None)
    name = f"srbench-{edition}-imported"
    stamp = ProtocolStamp(name, hashlib.sha256(name.encode()).hexdigest()[:16], {"edition": edition})
    feature_noise = _number(content, "feature_noise") or 0.0
    spec = RunSpec(
        method=f"{SRBENCH_PREFIX}{algorithm}",
        method_version=f"a result of SRBench {edition}",
        parameters={"feature_noise": feature_noise} if feature_noise else {},
        weights_sha256=None,
        suite="unknown" if problem is None else problem.suite,
        problem=dataset,
        source_kind="cache",
        noise=_number(content, "target_noise") or 0.0,
        trial=seed,
        protocol=stamp,
        max_seconds=_LIMITS[edition][0 if known else 1],
        n_rows=None,
    )
    return spec, problem


@cache
def _problems() -> dict[str, Problem]:
    """Return every problem by name, as the suite that defines it has it."""
    return {problem.name: problem for suite in suites().values() for problem in suite.problems}


def _formula(text: object, problem: Problem | None) -> tuple[FormulaText | None, str | None]:
    """Read a formula; without the table nothing tells whether columns count from 0 or from 1."""
    if not isinstance(text, str) or text in _NOT_A_FORMULA:
        return None, None
    names = problem.feature_names if problem is not None and problem.feature_names else None
    width = 1000 if problem is None else problem.n_features
    try:
        found = next(readings(text, width, names))
    except ExpressionError as error:
        return None, str(error)
    return FormulaText.of(found if names is None else found.with_names(names)), None


def _metrics(content: Mapping[str, Any], part: str) -> Metrics:
    r2 = _number(content, f"r2_{part}")
    return Metrics(r2, None if r2 is None else 1.0 - r2, _number(content, f"mse_{part}"))


def _verdict(content: Mapping[str, Any]) -> bool | None:
    flags = [content.get(key) for key in _VERDICT]
    return any(flags) if all(isinstance(flag, bool) for flag in flags) else None


def _text(content: Mapping[str, Any], key: str) -> str | None:
    value = content.get(key)
    return value if isinstance(value, str) else None


def _number(content: Mapping[str, Any], key: str) -> float | None:
    value = content.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value)


def _plain(value: Any) -> Any:
    """Return a value of a JSON file without infinities, which Python's reader lets pass as ``1e999``."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
