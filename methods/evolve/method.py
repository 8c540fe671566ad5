"""Genetic programming on a diverse archive, without a network."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import InputError
from srbench_ext.expression import warm_up
from srbench_ext.method import Candidate, Method, SearchRun
from srbench_ext.search import Archive, Breeder, SubtreeSource, linear_formula, refined_front

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
    """

    name = "evolve"
    version = "1"

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
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.n_initial = n_initial
        self.max_rounds = max_rounds
        self.max_tokens = max_tokens
        self.max_constants = max_constants
        self.max_fit_rows = max_fit_rows
        self.max_final_rows = max_final_rows

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield a linear formula, every new member of the front, and the front refitted and snapped."""
        self._check()
        with run.phase("load"):
            warm_up()
        varying = [index for index in range(X.shape[1]) if np.ptp(X[:, index]) > 0]
        if not varying:
            return
        yield Candidate(linear_formula(X, y, varying), source="linear")
        archive = Archive(
            X,
            y,
            run.rng,
            max_fit_rows=self.max_fit_rows,
            n_starts=1,
            max_constants=self.max_constants,
            max_tokens=self.max_tokens,
        )
        source = SubtreeSource([f"x{index}" for index in varying])
        yield from self._evolve(archive, source, run)
        run.note("cells", archive.n_cells)
        run.count("evaluated", archive.n_evaluated)
        for reason, count in archive.rejected.items():
            run.count(f"rejected: {reason}", count)
        with run.phase("refine"):
            for expression, entry, step in refined_front(
                archive, X, y, run.rng, deadline=run.deadline, max_rows=self.max_final_rows
            ):
                yield Candidate(expression, source=f"{entry.origin}, {step}")

    def _check(self) -> None:
        for name in ("n_initial", "max_tokens", "max_fit_rows", "max_final_rows"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise InputError(
                    f"The {name!r} parameter of Evolve must be an integer of at least 1. "
                    f"Got {value!r} instead."
                )

    def _evolve(self, archive: Archive, source: SubtreeSource, run: SearchRun) -> Iterator[Candidate]:
        """Yield the new members of the front after every batch."""
        rng = random.Random(int(run.rng.integers(2**62)))
        breeder = Breeder(archive, source, rng, max_tokens=self.max_tokens, n_random=self.n_initial)
        reserve = min(0.05 * self.max_seconds, 3.0)
        rounds = 0
        while not breeder.finished and run.remaining > reserve:
            if self.max_rounds is not None and rounds >= self.max_rounds:
                break
            for entry in breeder.step(run.deadline - reserve):
                yield Candidate(entry.expression, source=entry.origin)
            rounds += 1
        run.count("rounds", rounds)
