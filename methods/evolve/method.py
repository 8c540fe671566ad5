"""Genetic programming on a diverse archive, without a network."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from srbench_ext.expression import warm_up
from srbench_ext.method import Candidate, Limits, Method, SearchRun
from srbench_ext.search import (
    EXACT,
    Island,
    Reduction,
    closed_forms,
    linear_formula,
    reduce_table,
    related,
    split_for_search,
)

__all__ = ["Evolve"]

FloatArray = npt.NDArray[np.float64]


class Evolve(Method):
    """Random trees of the corpus grammar, then edits of the archive's best of every size and kind.

    It stops at the deadline, after ``max_rounds``, or soon after a formula is exact.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take.
    random_state : int
        Seed; with ``max_rounds`` reached before the deadline equal seeds give equal results.
    n_initial : int
        Random trees to begin with.
    max_rounds : int or None
        Most batches of 50 formulas, the random ones included; None for no limit.
    max_tokens, max_constants : int
        Largest formula, without its outer scale and offset.
    max_fit_rows : int
        Rows to fit constants on during the search; the front is refitted on up to ``max_final_rows``.
    max_final_rows : int
        See ``max_fit_rows``.
    probes : bool
        Probe the table for columns that enter only together, and search the reduced table as well.
    relations : bool
        Try formulas linear in two or three small features in closed form first.
    stepwise : bool
        Add up small features, one more at a time, where no formula is exact yet.
    """

    name = "evolve"
    version = "2"
    limits: ClassVar[Limits] = {
        "n_initial": (1, None),
        "max_rounds": (0, None),
        "max_tokens": (1, None),
        "max_constants": (0, None),
        "max_fit_rows": (1, None),
        "max_final_rows": (1, None),
    }

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        n_initial: int = 1000,
        max_rounds: int | None = None,
        max_tokens: int = 40,
        max_constants: int = 6,
        max_fit_rows: int = 300,
        max_final_rows: int = 10_000,
        probes: bool = False,
        relations: bool = False,
        stepwise: bool = False,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.n_initial = n_initial
        self.max_rounds = max_rounds
        self.max_tokens = max_tokens
        self.max_constants = max_constants
        self.max_fit_rows = max_fit_rows
        self.max_final_rows = max_final_rows
        self.probes = probes
        self.relations = relations
        self.stepwise = stepwise

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield a linear formula, every new member of the front, and the front refitted and snapped."""
        with run.phase("load"):
            warm_up()
        varying = [index for index in range(X.shape[1]) if np.ptp(X[:, index]) > 0]
        if not varying:
            return
        yield Candidate(linear_formula(X, y, varying), source="linear")
        reduction = reduce_table(X, y, run.rng) if self.probes else Reduction.whole(X.shape[1])
        run.note("reduction", list(reduction.steps))
        if not reduction.columns:
            for law, step in closed_forms(reduction, X, y, run.deadline):
                yield Candidate(law, source=step)
            if np.mean((law.evaluate(X) - y) ** 2) <= EXACT * np.var(y):
                return
            reduction = Reduction.whole(X.shape[1])
        build = self._builder(X, y, run)
        tables = [reduction, Reduction.whole(X.shape[1])] if reduction.steps else [reduction]
        islands = [build(table) for table in tables]
        if self.relations:
            yield from self._relate(islands, build, run)
        if self.stepwise and not any(island.archive.exact for island in islands):
            for expression, entry in islands[-1].accumulate(run.deadline):
                yield Candidate(expression, source=entry.origin)
        yield from self._evolve(islands, run)
        run.note("cells", sum(island.archive.n_cells for island in islands))
        run.count("evaluated", sum(island.archive.n_evaluated for island in islands))
        for reason, count in sum((island.archive.rejected for island in islands), Counter()).items():
            run.count(f"rejected: {reason}", count)
        with run.phase("refine"):
            for island in sorted(islands, key=lambda island: not island.finished):
                for expression, entry, step in island.refined(run.deadline, max_rows=self.max_final_rows):
                    yield Candidate(expression, source=f"{entry.origin}, {step}")

    def _relate(
        self, islands: list[Island], build: Callable[[Reduction], Island], run: SearchRun
    ) -> Iterator[Candidate]:
        """Yield what small sums of features give; an exact one ends the search."""
        until = min(time.monotonic() + 0.3 * self.max_seconds, run.deadline)
        for island, expression, entry in related(islands, build, until):
            yield Candidate(expression, source=entry.origin)
            if island.archive.exact and island not in islands:
                islands.append(island)

    def _builder(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Callable[[Reduction], Island]:
        """Return what makes the island of a table, all with the same rows and draws."""
        rows = split_for_search(
            len(y), run.rng, validation_share=0.2, max_fit_rows=self.max_fit_rows, screen_rows=100
        )
        choice = random.Random(int(run.rng.integers(2**62)))

        def build(table: Reduction) -> Island:
            return Island(
                X,
                y,
                table,
                rows,
                run.rng,
                choice,
                n_random=self.n_initial,
                max_tokens=self.max_tokens,
                max_constants=self.max_constants,
            )

        return build

    def _evolve(self, islands: list[Island], run: SearchRun) -> Iterator[Candidate]:
        """Yield the new members of the fronts after every batch; two of three go to the reduced table."""
        reserve = min(0.05 * self.max_seconds, 3.0)
        rounds = 0
        while not any(island.finished for island in islands) and run.remaining > reserve:
            if self.max_rounds is not None and rounds >= self.max_rounds:
                break
            exact = next((island for island in islands if island.archive.exact), None)
            island = exact or (islands[-1] if rounds % 3 == 2 else islands[0])
            for expression, entry in island.step(run.deadline - reserve):
                yield Candidate(expression, source=entry.origin)
            rounds += 1
        run.count("rounds", rounds)
