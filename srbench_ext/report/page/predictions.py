"""Predictions against the truth, computed again from recorded formulas on the rows they were scored on.

Records hold scores and no predictions. The test rows follow from the record (table, split, scaling), so that
they can be had again where the table is at hand. Nothing is shown that does not agree with the record: the
table has to have the recorded hash, and the formula to reach the recorded R² on the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from srbench_ext.data import Table, load_suite, load_table, split_rows, stream
from srbench_ext.errors import DataError, ExpressionError, RecordError, UnknownNameError
from srbench_ext.metrics import r2
from srbench_ext.record import Record, RunSpec

__all__ = ["SHOWN_ROWS", "Predictions", "predictions", "scored_rows"]

SHOWN_ROWS = 100
"""Most rows whose prediction is shown; the first ones of the test, which is in random order."""

_TOLERANCE = 1e-6  # of R², for another processor's rounding

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What a recorded formula predicts.

    Attributes
    ----------
    truth, predicted : ndarray of shape (n,)
        On at most :data:`SHOWN_ROWS` test rows; both empty where ``missing`` says why.
    missing : str
        Why there are none, else empty.
    """

    truth: FloatArray
    predicted: FloatArray
    missing: str = ""


def predictions(records: Iterable[Record], cache: Path | None) -> dict[str, Predictions]:
    """Compute the predictions of recorded formulas.

    Parameters
    ----------
    records : iterable of Record
        In any order; the table of a problem is loaded once.
    cache : pathlib.Path or None
        A PMLB cache, for rows that came from one.

    Returns
    -------
    dict
        By run id, of every record that is ``ok``.
    """
    by_table: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        if record.status == "ok":
            key = (record.spec.suite, record.spec.problem, record.spec.source_kind)
            by_table.setdefault(key, []).append(record)
    found: dict[str, Predictions] = {}
    for group in by_table.values():
        table = _table(group[0].spec, cache) if any(record.expression for record in group) else ""
        rows: dict[
            tuple[object, ...], tuple[FloatArray, FloatArray]
        ] = {}  # shared by methods and noise levels
        for record in group:
            found[record.run_id] = _predict(record, table, rows)
    return found


def scored_rows(spec: RunSpec, table: Table, *, has_truth: bool) -> tuple[FloatArray, FloatArray]:
    """Return the rows that a run was scored on, as the runner makes them.

    Parameters
    ----------
    spec : RunSpec
        Of the run; its protocol's values say how a table is split and scaled.
    table : Table
        The rows of its problem.
    has_truth : bool
        Whether the problem has a known formula.

    Returns
    -------
    X : ndarray of shape (n, d)
    y : ndarray of shape (n,)
    """
    rules = spec.protocol.values
    seeds = rules.get("split_seeds", ())
    source = seeds[spec.trial] if seeds else stream("split", spec.suite, spec.problem, spec.noise, spec.trial)
    train, test = split_rows(
        len(table.y),
        spec.n_rows,
        source,
        replace=bool(rules.get("replacement", False)),
        max_test_rows=rules.get("max_test_rows"),
    )
    X, y = table.X[test], table.y[test]
    if rules.get("standardise_without_truth") and not has_truth:
        return _scaled(X, table.X[train]), _scaled(y, table.y[train])
    return X, y


def _scaled(values: FloatArray, train: FloatArray) -> FloatArray:
    deviation = train.std(axis=0)
    scaled: FloatArray = (values - train.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return scaled


def _table(spec: RunSpec, cache: Path | None) -> Table | str:
    """Return the table of a problem, or why it is not at hand."""
    try:
        problem = next(p for p in load_suite(spec.suite).problems if p.name == spec.problem)
        table = load_table(problem, cache if spec.source_kind == "cache" else None)
    except (UnknownNameError, StopIteration):
        return f"the problem {spec.suite}/{spec.problem} is not installed here"
    except DataError:
        return f"the table is not at hand, or not the listed one (srbench-ext data fetch {spec.suite})"
    if table.source != spec.source_kind:
        return "the run was on PMLB's own table, which is not in a cache here (srbench-ext data fetch)"
    return table


def _predict(
    record: Record, table: Table | str, rows: dict[tuple[object, ...], tuple[FloatArray, FloatArray]]
) -> Predictions:
    if record.expression is None:
        return _none("the model is opaque: a record holds no formula to compute it from")
    if isinstance(table, str):
        return _none(table)
    if record.data_sha256 is not None and table.sha256 != record.data_sha256:
        return _none("the table at hand is not the one of the run (another sha256)")
    spec = record.spec
    key = (spec.protocol.hash, spec.n_rows, spec.trial, record.truth is not None)
    if key not in rows:
        rows[key] = scored_rows(spec, table, has_truth=record.truth is not None)
    X, y = rows[key]
    try:
        predicted = record.expression.expression().evaluate(X)
    except (RecordError, ExpressionError) as error:
        return _none(str(error))
    recorded = record.metrics["test"].r2 if "test" in record.metrics else None
    if recorded is not None and not (
        np.all(np.isfinite(predicted))
        and abs(r2(y, predicted) - recorded) <= _TOLERANCE * (1 + abs(recorded))
    ):
        return _none("the formula does not reach the recorded R² on the rows at hand")
    return Predictions(y[:SHOWN_ROWS], predicted[:SHOWN_ROWS])


def _none(why: str) -> Predictions:
    return Predictions(np.empty(0), np.empty(0), why)
