"""The formulas of every benchmark problem, for the contamination audit."""

from __future__ import annotations

from srbench_ext.corpus.audit import Audit
from srbench_ext.data import suites
from srbench_ext.expression.operators import CONSTANT

__all__ = ["benchmark_audit"]


def benchmark_audit() -> Audit:
    """Return an audit that knows the truth of every problem of every suite that has one."""
    truths: dict[str, list[str | float]] = {}
    for suite in suites().values():
        for problem in suite.problems:
            truth = problem.truth() if problem.name not in truths else None
            if truth is not None:
                constants = iter(truth.constants)
                truths[problem.name] = [next(constants) if t == CONSTANT else t for t in truth.prefix]
    return Audit(truths.items())
