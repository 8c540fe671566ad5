"""One record as one row: what a report needs of it, as values that JSON has."""

from __future__ import annotations

import json

from srbench_ext.record import Record

__all__ = ["RAW_COLUMNS", "raw_row"]

RAW_COLUMNS = (
    "run_id",
    "method",
    "method_version",
    "parameters",
    "weights_sha256",
    "suite",
    "problem",
    "noise",
    "trial",
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
    "formula",
    "truth",
    "curve",
    "near_iid",
    "near_ood",
    "decoded",
    "ended",
)
"""The columns of :func:`raw_row`.

``parameters`` and ``curve`` are JSON text, ``near_iid`` and ``near_ood`` the shares of points of
:class:`~srbench_ext.record.Accuracy`; ``decoded`` counts the points that a search of a latent space
decoded, and ``ended`` says what ended it.
"""


def raw_row(record: Record) -> list[object]:
    """Return the values of :data:`RAW_COLUMNS`; None where nothing is known.

    ``curve`` holds ``[seconds, test R²]`` of every incumbent, in order of time.
    """
    spec, metrics, environment = record.spec, record.metrics, record.environment
    train, test = metrics.get("train"), metrics.get("test")
    r2_test = test.r2 if test else None
    return [
        record.run_id,
        spec.method,
        spec.method_version,
        json.dumps(dict(spec.parameters), sort_keys=True),
        spec.weights_sha256,
        spec.suite,
        spec.problem,
        spec.noise,
        spec.trial,
        spec.protocol.name,
        spec.protocol.hash,
        spec.max_seconds,
        spec.n_rows,
        spec.source_kind,
        record.status,
        record.error,
        train.r2 if train else None,
        r2_test,
        _one_se_r2(record, r2_test),
        test.nmse if test else None,
        record.complexity,
        record.complexity_simplified,
        record.seconds,
        record.truth is not None,
        record.recovery.srbench,
        record.recovery.symbolic,
        record.recovery.numeric,
        record.notes.get("choice"),
        environment.get("commit"),
        environment.get("dirty"),
        environment.get("cpu"),
        record.expression.infix if record.expression else None,
        record.truth,
        _curve(record),
        record.accuracy.iid if record.accuracy else None,
        record.accuracy.ood if record.accuracy else None,
        record.counts.get("decoded"),
        record.notes.get("ended"),
    ]


def _one_se_r2(record: Record, chosen: float | None) -> float | None:
    """Return the test R² of what the default rule takes from the front, which the run notes by complexity."""
    complexity = record.notes.get("one_se_complexity")
    if complexity is None:
        return chosen
    return next((point.r2_test for point in record.front if point.complexity == complexity), None)


def _curve(record: Record) -> str:
    points = [[round(p.seconds, 4), p.r2_test] for p in record.curve if p.seconds is not None]
    return json.dumps(points, separators=(",", ":"))
