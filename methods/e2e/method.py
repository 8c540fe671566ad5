"""E2E: bags of rows, formulas with their constants, refinement of the best.

The order of operations follows Kamienny et al. (arXiv 2204.10532): candidates for each bag, ranking
by fit, distinct skeletons, refinement from the predicted constants. The network is small, its inputs
are scaled and not shifted, and rounds go on until the time is up.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from srbench_ext.errors import InputError
from srbench_ext.expression import Expression, fit_constants_many
from srbench_ext.method import Candidate, Method, SearchRun
from srbench_ext.models.checkpoint import FOUNDATION_WEIGHTS, load_foundation, read_card
from srbench_ext.models.decoding import Decoded
from srbench_ext.models.foundation import Foundation
from srbench_ext.models.precision import one_thread
from srbench_ext.models.proposals import Proposer, expression_of
from srbench_ext.models.tokens import MAX_VARIABLES

__all__ = ["E2E"]

FloatArray = NDArray[np.float64]
EXACT = 1e-14
"""A squared error of this share of the variance ends the search: nothing can fit better."""


class E2E(Method):
    """Transformer that writes the whole formula, refined by least squares.

    Parameters
    ----------
    max_seconds, random_state
        As for every method.
    mode : {"numeric", "skeleton"}
        Whether the network writes the constants or placeholders for them.
    decoding : {"sampling", "beam"}
    n_bags, bag_size : int
        Bags of rows in a round, and rows in a bag.
    n_candidates : int
        Samples for each bag, or the beam size.
    temperature : float
        Of sampling.
    n_refined : int
        Distinct skeletons refined in a round, the best by fit first.
    refinement : {"model", "random", "none"}
        Where refinement starts: at the predicted constants, at random ones, or not at all.
    n_starts : int
        Starts of a refinement; those after the first are random.
    fit_rows : int
        Rows used for ranking and refinement.
    max_rounds : int
        Rounds of candidates; the time is up earlier, as a rule.
    weights : str or None
        Another weights file than the one that ships.
    """

    name = "e2e"
    version = "1"
    max_features = MAX_VARIABLES

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        mode: Literal["numeric", "skeleton"] = "numeric",
        decoding: Literal["sampling", "beam"] = "sampling",
        n_bags: int = 8,
        bag_size: int = 64,
        n_candidates: int = 16,
        temperature: float = 1.0,
        n_refined: int = 60,
        refinement: Literal["model", "random", "none"] = "model",
        n_starts: int = 2,
        fit_rows: int = 500,
        max_rounds: int = 1000,
        weights: str | None = None,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.mode = mode
        self.decoding = decoding
        self.n_bags = n_bags
        self.bag_size = bag_size
        self.n_candidates = n_candidates
        self.temperature = temperature
        self.n_refined = n_refined
        self.refinement = refinement
        self.n_starts = n_starts
        self.fit_rows = fit_rows
        self.max_rounds = max_rounds
        self.weights = weights

    @property
    def weights_sha256(self) -> str | None:
        """The sha256 of the foundation weights."""
        return str(read_card(self._weights_path)["sha256"])

    @property
    def _weights_path(self) -> Path:
        return FOUNDATION_WEIGHTS if self.weights is None else Path(self.weights)

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield refined candidates, round by round, and the best of them fitted on all rows."""
        self._check()
        with one_thread():
            yield from self._search(X, y, run)

    def _search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        with run.phase("load"):
            model, card = load_foundation(self._weights_path)
        run.note("weights_examples", card["examples"])
        rows = run.rng.permutation(len(y))[: self.fit_rows]
        few = (np.ascontiguousarray(X[rows]), y[rows])
        seen: set[tuple[str, ...]] = set()
        best: list[tuple[float, Expression]] = []
        for _ in range(self.max_rounds):
            fresh = self._round(model, X, y, few, seen, run)
            for loss, expression in fresh:
                yield Candidate(expression, source="refined" if self.refinement != "none" else self.decoding)
                best.append((loss, expression))
            best = sorted(best, key=lambda pair: pair[0])[:12]
            if run.remaining < 0.5 or (best and best[0][0] <= EXACT * np.var(y)):
                break
        with run.phase("refine"):
            yield from self._refit(best, X, y, run)

    def _check(self) -> None:
        allowed = {
            "mode": ("numeric", "skeleton"),
            "decoding": ("sampling", "beam"),
            "refinement": ("model", "random", "none"),
        }
        for parameter, values in allowed.items():
            if getattr(self, parameter) not in values:
                raise InputError(
                    f"The {parameter!r} parameter of E2E must be one of {values}. "
                    f"Got {getattr(self, parameter)!r} instead."
                )

    def _round(
        self,
        model: Foundation,
        X: FloatArray,
        y: FloatArray,
        few: tuple[FloatArray, FloatArray],
        seen: set[tuple[str, ...]],
        run: SearchRun,
    ) -> list[tuple[float, Expression]]:
        """Decode from fresh bags, rank what is new, refine the best."""
        proposer = Proposer(model, X, y, run.rng, n_bags=self.n_bags, bag_size=self.bag_size)
        ranked: list[tuple[float, Expression]] = []
        for decoded in self._decode(proposer, run):
            expression = expression_of(model, decoded)
            if expression is None:
                run.count("invalid")
                continue
            rank = (
                _mean_squared_error(expression, *few) if self.mode == "numeric" else -decoded.log_probability
            )
            ranked.append((rank, expression))
        ranked.sort(key=lambda pair: pair[0])
        run.count("proposed", len(ranked))
        chosen: list[tuple[float, Expression]] = []
        for rank, expression in ranked:  # of one skeleton, the constants that fit best are refined
            if expression.prefix not in seen and len(chosen) < self.n_refined:
                seen.add(expression.prefix)
                chosen.append((rank, expression))
        return chosen if self.refinement == "none" else self._refined([e for _, e in chosen], few, run)

    def _decode(self, proposer: Proposer, run: SearchRun) -> list[Decoded]:
        mode = f"<{self.mode}>"
        if self.decoding == "sampling":
            return proposer.sample(
                mode, self.n_candidates, temperature=self.temperature, deadline=run.deadline - 0.5
            )
        found: list[Decoded] = []
        for row in range(self.n_bags):
            if run.remaining < 0.5:
                break
            memory = proposer.memory[row : row + 1]
            found += proposer.beam(mode, self.n_candidates, memory, deadline=run.deadline - 0.5)
        return found

    def _refined(
        self, expressions: list[Expression], few: tuple[FloatArray, FloatArray], run: SearchRun
    ) -> list[tuple[float, Expression]]:
        if self.refinement == "random":
            expressions = [e.with_constants(run.rng.normal(size=e.n_constants)) for e in expressions]
        fits = fit_constants_many(
            expressions, *few, n_starts=self.n_starts, rng=run.rng, deadline=run.deadline - 0.3
        )
        found = [(fit.loss, fit.expression) for _, fit in fits if np.isfinite(fit.loss)]
        run.count("fitted", len(found))
        return sorted(found, key=lambda pair: pair[0])

    def _refit(
        self, best: list[tuple[float, Expression]], X: FloatArray, y: FloatArray, run: SearchRun
    ) -> Iterator[Candidate]:
        """Fit the best on all rows, starting from the constants found on few."""
        if self.refinement == "none":
            return
        expressions = [expression for _, expression in best]
        for _, fit in fit_constants_many(
            expressions, X, y, scale_and_offset=False, n_starts=1, rng=run.rng, deadline=run.deadline - 0.1
        ):
            if np.isfinite(fit.loss):
                yield Candidate(fit.expression, source="all rows")


def _mean_squared_error(expression: Expression, X: FloatArray, y: FloatArray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        loss = float(np.mean((expression.evaluate(X) - y) ** 2))
    return loss if np.isfinite(loss) else np.inf
