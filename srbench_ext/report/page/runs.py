"""Runs as the page shows them, with what many of them share written once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from srbench_ext.data import load_suite
from srbench_ext.errors import ExpressionError, RecordError, UnknownNameError
from srbench_ext.expression import Expression
from srbench_ext.record import FormulaText, FrontPoint, Record
from srbench_ext.report.page.predictions import Predictions
from srbench_ext.report.page.typesetting import to_mathml
from srbench_ext.report.page.values import plain

__all__ = ["Notebook"]

_MOST_TOKENS = 150  # a longer formula is shown as text only: nobody reads it typeset
_MOST_CHARACTERS = 4000  # of an error


class Notebook:
    """Collects runs.

    Parameters
    ----------
    predicted : mapping
        As :func:`~.predictions.predictions` returns it.
    """

    def __init__(self, predicted: Mapping[str, Predictions]) -> None:
        self._predicted = predicted
        self._runs: list[dict[str, Any]] = []
        self._laws: dict[str, dict[str, Any]] = {}
        self._names: dict[str, tuple[str, ...] | None] = {}
        self._shared: dict[str, dict[str, int]] = {"rows": {}, "environments": {}, "protocols": {}}

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, record: Record, *, label: str, table: int) -> None:
        """Add a run under the name that its method has in the tables, and the number of its table."""
        spec, test, train = record.spec, record.metrics.get("test"), record.metrics.get("train")
        names = self._law(record)
        protocol = {"name": spec.protocol.name, "hash": spec.protocol.hash, **spec.protocol.values}
        self._runs.append(
            {
                "id": record.run_id,
                "table": table,
                "method": label,
                "suite": spec.suite,
                "problem": spec.problem,
                "noise": plain(spec.noise),
                "trial": spec.trial,
                "status": record.status,
                "error": record.error[-_MOST_CHARACTERS:] if record.error else None,
                "r2": plain(test.r2) if test else None,
                "r2_train": plain(train.r2) if train else None,
                "nmse": plain(test.nmse) if test else None,
                "complexity": record.complexity,
                "complexity_simplified": record.complexity_simplified,
                "seconds": plain(record.seconds),
                "recovery": asdict(record.recovery),
                "near": asdict(record.accuracy) if record.accuracy else None,
                "formula": _formula(record.expression, names),
                "front": [_point(point, names) for point in record.front],
                "curve": _curve(record),
                "prediction": self._prediction(record),
                "facts": _facts(record),
                "environment": self._number("environments", dict(record.environment)),
                "protocol": self._number("protocols", protocol),
            }
        )

    def content(self) -> dict[str, Any]:
        """Return ``runs``, ``laws`` by ``suite/problem``, ``rows``, ``environments`` and ``protocols``."""
        shared = {name: [json.loads(text) for text in found] for name, found in self._shared.items()}
        return {"runs": self._runs, "laws": self._laws, **shared}

    def _number(self, kind: str, value: object) -> int:
        """Return the place of a value in a list of what runs share."""
        found = self._shared[kind]
        return found.setdefault(json.dumps(value, sort_keys=True), len(found))

    def _law(self, record: Record) -> tuple[str, ...] | None:
        """Note the truth of the run's problem, and return the names of its columns where they are known."""
        key = f"{record.spec.suite}/{record.spec.problem}"
        if key not in self._laws:
            names, truth = _facts_of_problem(record)
            self._names[key] = names
            math = to_mathml(truth) if truth is not None and truth.complexity <= _MOST_TOKENS else None
            self._laws[key] = {"text": record.truth, "math": math, "columns": list(names or ())}
        return self._names[key]

    def _prediction(self, record: Record) -> dict[str, Any] | None:
        found = self._predicted.get(record.run_id)
        if found is None:
            return None
        if found.missing:
            return {"missing": found.missing}
        finite = np.isfinite(found.predicted)
        return {
            "rows": self._number("rows", [_short(value) for value in found.truth]),
            "predicted": [_short(v) if ok else None for v, ok in zip(found.predicted, finite, strict=True)],
        }


def _facts_of_problem(record: Record) -> tuple[tuple[str, ...] | None, Expression | None]:
    """Return the names of a problem's columns and its truth; None where they are not known here."""
    try:
        problems = {problem.name: problem for problem in load_suite(record.spec.suite).problems}
    except UnknownNameError:  # records of a suite that is not installed here
        return None, None
    problem = problems.get(record.spec.problem)
    if problem is None:
        return None, None
    return problem.feature_names or None, problem.truth() if record.truth is not None else None


def _formula(formula: FormulaText | None, names: Sequence[str] | None) -> dict[str, Any] | None:
    if formula is None:
        return None
    text: dict[str, Any] = {"text": formula.infix}
    if formula.prefix.count(" ") < _MOST_TOKENS:
        try:
            text["math"] = to_mathml(formula.expression(tuple(names) if names is not None else None))
        except (RecordError, ExpressionError):  # of other columns than the suite lists today
            text["math"] = None
    return text


def _point(point: FrontPoint, names: Sequence[str] | None) -> dict[str, Any]:
    return {
        "complexity": point.complexity,
        "loss": plain(point.loss),
        "r2": plain(point.r2_test),
        "seconds": plain(point.seconds),
        "source": point.source,
        "formula": _formula(point.formula, names),
    }


def _curve(record: Record) -> list[list[object]]:
    return [
        [plain(point.seconds), plain(point.r2_test)] for point in record.curve if point.seconds is not None
    ]


def _facts(record: Record) -> dict[str, Any]:
    """Return what is listed under provenance."""
    spec = record.spec
    return {
        "version": spec.method_version,
        "parameters": dict(spec.parameters),
        "weights": spec.weights_sha256,
        "source": spec.source_kind,
        "data_sha256": record.data_sha256,
        "seconds allowed": plain(spec.max_seconds),
        "rows allowed": spec.n_rows,
        "timings": {name: plain(seconds) for name, seconds in record.timings.items()},
        "counts": dict(record.counts),
        "notes": dict(record.notes),
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")
