"""The formulas of every benchmark problem, for the contamination audit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from srbench_ext.corpus.audit import Audit
from srbench_ext.data import suites
from srbench_ext.errors import WeightsError
from srbench_ext.expression.operators import CONSTANT

__all__ = ["CARD_KEY", "benchmark_audit", "seen_problems"]

CARD_KEY = "benchmark_truths_met"
"""Where the card of a weights file holds the counts of :attr:`Audit.hits`, by problem name."""


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


_shared_audit = cache(benchmark_audit)  # its counts are never touched


def seen_problems(card: Mapping[str, Any]) -> frozenset[str]:
    """Return the benchmark problems whose truth was among the training examples of some weights.

    Parameters
    ----------
    card : mapping
        The card of the weights. Its key ``benchmark_truths_met`` counts draws by problem name, as in
        ``problems.csv`` of a suite.

    Returns
    -------
    frozenset of str
        Names of problems, all those that share a law up to constants, signs and the names of
        variables (many are the product of two variables). Truths of more than
        eight tokens are never among them.

    Raises
    ------
    WeightsError
        If the card has no such counts: what these weights have seen is unknown.
    """
    met = card.get(CARD_KEY)
    if not isinstance(met, Mapping):
        raise WeightsError(
            f"The card has no counts of benchmark truths under {CARD_KEY!r}; got {met!r}. "
            "Use the card that training wrote beside the weights."
        )
    return _shared_audit().seen_problems(met)
