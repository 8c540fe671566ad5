"""Scores of a fitted model; outside of the clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from srbench_ext import metrics
from srbench_ext.data import Problem, seed_of
from srbench_ext.expression import Expression, complexity_simplified, recovered
from srbench_ext.method import Candidate, Method
from srbench_ext.method.candidate import predict_quietly
from srbench_ext.record import Accuracy, Metrics, Record, RecoveryVerdicts

__all__ = ["ACCURACY_POINTS", "Rows", "score_accuracy", "score_fit", "score_recovery"]

RECOVERY_SECONDS = 30.0
SIMPLIFICATION_SECONDS = 10.0
ACCURACY_POINTS = 10_000
"""Fresh points for each of the two accuracies, as Biggio et al. (arXiv 2106.06427) drew them."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A table in the problem's column names, (n, d), and its target, (n,)."""

    X: pd.DataFrame
    y: FloatArray


def score_fit(record: Record, method: Method, train: Rows, test: Rows) -> Record:
    """Add R², NMSE and MSE on train and test, and the test R² of every model of front and curve."""
    predicted = {"train": method.predict(train.X), "test": method.predict(test.X)}
    scores = {part: _metrics(rows.y, predicted[part]) for part, rows in (("train", train), ("test", test))}
    notes = dict(record.notes)
    bad = int(np.count_nonzero(~np.isfinite(predicted["test"])))
    if bad:
        notes["non_finite_test_rows"] = bad
    X_test = np.ascontiguousarray(test.X.to_numpy(dtype=np.float64))

    def r2_test(candidate: Candidate) -> float | None:
        return _finite(metrics.r2, test.y, predict_quietly(candidate.model, X_test))

    return replace(
        record,
        metrics=scores,
        notes=notes,
        front=tuple(
            replace(p, r2_test=r2_test(c)) for p, c in zip(record.front, method.result_.front, strict=True)
        ),
        curve=tuple(
            replace(p, r2_test=r2_test(c)) for p, c in zip(record.curve, method.result_.curve, strict=True)
        ),
    )


def score_accuracy(record: Record, method: Method, problem: Problem, test: Rows) -> Record:
    """Add how much of the support, and of the support widened by its own length on both sides, is near.

    Points are uniform on the box of the problem's inputs, or where none is listed on that of the test rows;
    they are the same for every method and trial. Nothing is added where the truth is not known.
    """
    truth = problem.truth()
    if truth is None:
        return record
    lows, highs = _box(problem, test)
    lengths = highs - lows
    rng = np.random.default_rng(seed_of("accuracy", problem.suite, problem.name))
    shares = []
    for low, high in ((lows, highs), (lows - lengths, highs + lengths)):
        X = rng.uniform(low, high, (ACCURACY_POINTS, len(low)))
        with np.errstate(all="ignore"):
            y = np.asarray(truth.evaluate(X), dtype=np.float64)
        predicted = method.predict(pd.DataFrame(X, columns=test.X.columns))
        shares.append(metrics.near_share(y, predicted))
    return replace(record, accuracy=Accuracy(*shares))


def score_recovery(record: Record, expression: Expression | None, problem: Problem, test: Rows) -> Record:
    """Add the recovery verdicts and the simplified complexity; both have time limits of their own."""
    if expression is None:
        return record
    simplified = complexity_simplified(expression, SIMPLIFICATION_SECONDS)
    truth = problem.truth()
    if truth is None:
        return replace(record, complexity_simplified=simplified)
    lows, highs = _box(problem, test)
    r2 = record.metrics["test"].r2 if "test" in record.metrics else None
    rng = np.random.default_rng(seed_of("recovery", problem.suite, problem.name))
    verdicts = recovered(
        expression,
        truth,
        lows,
        highs,
        y_rms=float(np.sqrt(np.mean(test.y**2))),
        rng=rng,
        timeout_seconds=RECOVERY_SECONDS,
        r2_test=r2,
    )
    recovery = RecoveryVerdicts(verdicts.srbench, verdicts.symbolic, verdicts.numeric)
    return replace(record, complexity_simplified=simplified, recovery=recovery)


def _box(problem: Problem, test: Rows) -> tuple[FloatArray, FloatArray]:
    """Return the inputs' box: the listed one, or that of the test rows."""
    if problem.lows is not None and problem.highs is not None:
        return np.asarray(problem.lows, dtype=np.float64), np.asarray(problem.highs, dtype=np.float64)
    X = test.X.to_numpy(dtype=np.float64)
    return X.min(axis=0), X.max(axis=0)


def _metrics(y: FloatArray, predicted: FloatArray) -> Metrics:
    return Metrics(
        r2=_finite(metrics.r2, y, predicted),
        nmse=_finite(metrics.nmse, y, predicted),
        mse=_finite(metrics.mse, y, predicted),
    )


def _finite(
    metric: Callable[[FloatArray, FloatArray], float], y: FloatArray, predicted: FloatArray
) -> float | None:
    """Return the metric, or None where a prediction is not finite or y does not vary."""
    if not np.all(np.isfinite(predicted)) or np.all(y == y[0]):
        return None
    value = float(metric(y, predicted))
    return value if math.isfinite(value) else None
