"""The paper's order of operations: candidates, ranking by fit, refinement of the best, selection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from srbench_ext.expression import Expression, fit_constants_many
from srbench_ext.method import Candidate
from srbench_ext.search import EXACT

from .rounds import RESERVE, Mode, Source
from .whitening import Whitening

__all__ = ["Ranking", "Refining"]

FloatArray = NDArray[np.float64]
Refinement = Literal["model", "random", "none"]
_KEPT = 12


@dataclass(frozen=True, slots=True)
class Refining:
    """How the best of a round are refined.

    Attributes
    ----------
    start : {"model", "random", "none"}
    n_refined : int
        Distinct skeletons of a round, the best by fit first.
    n_starts : int
    closed_form : bool
        Fit an outer scale and offset too, in closed form.
    """

    start: Refinement
    n_refined: int
    n_starts: int
    closed_form: bool


class Ranking:
    """One fit by ranking and refinement.

    Parameters
    ----------
    proposals : Source
        On the table that the network is to see.
    mode : {"numeric", "skeleton"}
    temperature : float
    refining : Refining
    whitening : Whitening or None
        How that table was made from the caller's; formulas are written back.
    max_rounds, fit_rows : int
    """

    def __init__(
        self,
        proposals: Source,
        mode: Mode,
        temperature: float,
        refining: Refining,
        *,
        whitening: Whitening | None,
        max_rounds: int,
        fit_rows: int,
    ) -> None:
        self.proposals, self.mode, self.temperature = proposals, mode, temperature
        self.refining, self.whitening, self.max_rounds = refining, whitening, max_rounds
        self.X, self.y, self.run = proposals.X, proposals.y, proposals.run
        rows = self.run.rng.permutation(len(self.y))[:fit_rows]
        self.few = np.ascontiguousarray(self.X[rows]), self.y[rows]
        self.seen: set[tuple[str, ...]] = set()

    def search(self) -> Iterator[Candidate]:
        """Yield the candidates of every round, and the best of them fitted on all rows."""
        best: list[tuple[float, Expression]] = []
        source = "refined" if self.refining.start != "none" else self.proposals.decoding
        for _ in range(self.max_rounds):
            for loss, expression in self._round():
                yield self._candidate(expression, source)
                best.append((loss, expression))
            best = sorted(best, key=lambda pair: pair[0])[:_KEPT]
            if self.run.remaining < RESERVE or (best and best[0][0] <= EXACT * np.var(self.y)):
                break
        with self.run.phase("refine"):
            yield from self._refit([expression for _, expression in best])

    def _candidate(self, expression: Expression, source: str) -> Candidate:
        if self.whitening is not None:
            expression = self.whitening.in_raw_units(expression)
        return Candidate(expression, source=source)

    def _round(self) -> list[tuple[float, Expression]]:
        """Decode from fresh bags, rank what is new, refine the best."""
        ranked = [
            (
                _mean_squared_error(p.expression, *self.few) if p.mode == "numeric" else -p.log_probability,
                p.expression,
            )
            for p in self.proposals.draw(self.mode, self.temperature)
        ]
        ranked.sort(key=lambda pair: pair[0])
        chosen: list[tuple[float, Expression]] = []
        for rank, expression in ranked:  # of one skeleton, the constants that fit best are refined
            if expression.prefix not in self.seen and len(chosen) < self.refining.n_refined:
                self.seen.add(expression.prefix)
                chosen.append((rank, expression))
        return chosen if self.refining.start == "none" else self._refined([e for _, e in chosen])

    def _refined(self, expressions: list[Expression]) -> list[tuple[float, Expression]]:
        rng = self.run.rng
        if self.refining.start == "random":
            expressions = [e.with_constants(rng.normal(size=e.n_constants)) for e in expressions]
        fits = fit_constants_many(
            expressions,
            *self.few,
            scale_and_offset=self.refining.closed_form,
            n_starts=self.refining.n_starts,
            rng=rng,
            deadline=self.run.deadline - 0.3,
        )
        found = [(fit.loss, fit.expression) for _, fit in fits if np.isfinite(fit.loss)]
        self.run.count("fitted", len(found))
        return sorted(found, key=lambda pair: pair[0])

    def _refit(self, expressions: list[Expression]) -> Iterator[Candidate]:
        """Fit the best on all rows, starting from the constants found on few."""
        if self.refining.start == "none":
            return
        for _, fit in fit_constants_many(
            expressions,
            self.X,
            self.y,
            scale_and_offset=False,
            n_starts=1,
            rng=self.run.rng,
            deadline=self.run.deadline - 0.1,
        ):
            if np.isfinite(fit.loss):
                yield self._candidate(fit.expression, "all rows")


def _mean_squared_error(expression: Expression, X: FloatArray, y: FloatArray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        loss = float(np.mean((expression.evaluate(X) - y) ** 2))
    return loss if np.isfinite(loss) else np.inf
