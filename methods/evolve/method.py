"""Genetic programming on a diverse archive, without a network."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import InputError
from srbench_ext.expression import Expression, fit_constants, simplify, snap_constants, warm_up
from srbench_ext.method import Candidate, Method, SearchRun
from srbench_ext.search import Archive, Entry, SubtreeSource, Tokens, random_edit, shortening_edit

__all__ = ["Evolve"]

FloatArray = npt.NDArray[np.float64]

_BATCH = 50
_POLISHING_ROUNDS = 20  # of shortening once a formula is exact
_MOST_RIDGE_COLUMNS = 30


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
        Most rounds of 50 edits; None for no limit.
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
        yield _linear(X, y, varying, run.deadline)
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
            yield from self._refine(archive, X, y, run)

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
        reserve = min(0.05 * self.max_seconds, 3.0)
        polished = 0
        for batch, origin in self._batches(rng, archive, source):
            deadline = run.deadline - reserve
            fresh = archive.submit(batch, origin, screen=True, deadline=deadline)
            front = {entry.number for entry in archive.front()}
            for entry in fresh:
                if entry.number in front:
                    yield Candidate(entry.expression, source=origin)
            run.count("rounds")
            polished += archive.exact
            if polished > _POLISHING_ROUNDS or time.monotonic() >= deadline:
                return

    def _batches(
        self, rng: random.Random, archive: Archive, source: SubtreeSource
    ) -> Iterator[tuple[list[Tokens], str]]:
        """Yield random trees, then edits of what the archive holds by then."""
        for _ in range(0, self.n_initial, _BATCH):
            yield [source.formula(rng) for _ in range(_BATCH)], "grammar"
        rounds = 0
        while self.max_rounds is None or rounds < self.max_rounds:
            rounds += 1
            exact = [entry for entry in archive.front() if entry.exact]
            if exact:
                yield [shortening_edit(rng, rng.choice(exact).tokens) for _ in range(_BATCH)], "shortening"
            else:
                yield self._children(rng, archive, source), "edit"

    def _children(self, rng: random.Random, archive: Archive, source: SubtreeSource) -> list[Tokens]:
        parents = archive.parents(rng, _BATCH)
        mates = archive.parents(rng, _BATCH)
        if not parents:
            return [source.formula(rng) for _ in range(_BATCH)]
        return [
            random_edit(rng, parent.tokens, source, self.max_tokens, mate.tokens)
            for parent, mate in zip(parents, mates, strict=True)
        ]

    def _refine(self, archive: Archive, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Refit the front on all rows and snap its constants, the best by the archive's order first."""
        rows = np.arange(len(y))
        if len(y) > self.max_final_rows:
            rows = np.sort(run.rng.choice(len(y), self.max_final_rows, replace=False))
        X, y = X[rows], y[rows]
        entries: list[Entry] = sorted(archive.front(), key=lambda entry: entry.score)
        for entry in entries:
            if run.remaining < 0.02:
                return
            fit = fit_constants(entry.expression, X, y, n_starts=1, deadline=run.deadline)
            yield Candidate(fit.expression, source=f"{entry.origin}, refitted")
            if not np.isfinite(fit.loss) or run.remaining < 0.1:
                continue
            snapped = snap_constants(fit.expression, X, y)
            yield Candidate(snapped, source=f"{entry.origin}, snapped")
            yield Candidate(simplify(snapped), source=f"{entry.origin}, simplified")


def _linear(X: FloatArray, y: FloatArray, columns: list[int], deadline: float) -> Candidate:
    """Return the least-squares formula in the columns most correlated with y."""
    if len(columns) > _MOST_RIDGE_COLUMNS:
        centred = X[:, columns] - X[:, columns].mean(axis=0)
        strength = np.abs(centred.T @ (y - y.mean())) / np.linalg.norm(centred, axis=0)
        columns = sorted(columns[i] for i in np.argsort(-strength)[:_MOST_RIDGE_COLUMNS])
    mean, deviation = X[:, columns].mean(axis=0), X[:, columns].std(axis=0)
    size = np.abs(y).max()
    slopes, *_ = np.linalg.lstsq((X[:, columns] - mean) / deviation, (y - y.mean()) / size, rcond=None)
    slopes = slopes * size / deviation
    tokens = ["add"] * len(columns)
    for column in columns:
        tokens += ["mul", "C", f"x{column}"]
    intercept = float(y.mean() - slopes @ mean)
    return Candidate(Expression((*tokens, "C"), (*map(float, slopes), intercept)), source="linear")
