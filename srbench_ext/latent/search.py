"""The search of a table's latent space: localise, then generations of an optimiser, with restarts."""

from __future__ import annotations

import random
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from srbench_ext.latent.optimisers import (
    CovarianceStrategy,
    DiagonalStrategy,
    Optimiser,
    RandomSearch,
    prior_shape,
)
from srbench_ext.latent.scoring import Duplicates, Fitness, Scorer
from srbench_ext.latent.space import Formula, LatentSpace, Start, draw_bags, localise
from srbench_ext.latent.wolves import GreyWolves
from srbench_ext.method import SearchRun
from srbench_ext.search import Archive, Entry, Sums

__all__ = ["LatentSearch", "OptimiserName", "Scale", "Settings"]

FloatArray = NDArray[np.float64]
OptimiserName = Literal["separable-cma", "cma", "grey-wolf", "official-es", "random", "none"]
Scale = Literal["prior", "unit"]

MOVABLE: tuple[OptimiserName, ...] = ("separable-cma", "cma", "random")
"""Those that go on from one point, wherever it comes from; the others keep a population of their own."""
ADD_UP = 4
"""Generations between two sums of what was decoded."""
OWN = ("direct", "localised", "search")
"""Origins of the formulas that points decoded to."""
EARLY_R2 = 0.99
"""R² that ends the released search in its first generations, where ``stop_r2`` does not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Parameters of the search, as in :class:`srbench_ext.latent.method.LatentMethod`."""

    optimiser: OptimiserName
    population: int
    parents: int
    step_size: float
    scale: Scale
    kept_dimensions: int | None
    cooling: int
    bag_size: int
    n_bags: int
    n_noisy: int
    n_perturbed: int
    n_fresh: int
    n_samples: int
    temperature: float
    fitness: Fitness
    duplicates: Duplicates
    tokens_per_unit: float
    constants: bool
    sums: bool
    patience: int
    max_generations: int | None
    max_decodes: int | None
    stop_r2: float | None
    stop_generation: int


class LatentSearch:
    """Searches the latent space for one table.

    Parameters
    ----------
    settings : Settings
    space : LatentSpace
    archive : Archive
        Receives every formula.
    table : tuple of ndarray
        X (n, d) and y (n,).
    run : SearchRun
        Its generator is the only source of randomness; it receives the counts.
    deadline : float
        A ``time.monotonic()`` at which the search ends.
    """

    def __init__(
        self,
        settings: Settings,
        space: LatentSpace,
        archive: Archive,
        table: tuple[FloatArray, FloatArray],
        run: SearchRun,
        deadline: float,
    ) -> None:
        self.settings, self.space, self.archive, self.run = settings, space, archive, run
        self.table, self.deadline = table, deadline
        self.scorer = Scorer(
            archive,
            fitness=settings.fitness,
            duplicates=settings.duplicates,
            tokens_per_unit=settings.tokens_per_unit,
            constants=settings.constants,
        )
        self.generation = self.decoded = self.idle = 0
        self.sums: Sums | None = None
        if settings.sums:
            self.sums = Sums(archive, *table, random.Random(int(run.rng.integers(2**62))))
        self._reported: Entry | None = None

    def generations(self) -> Generator[Entry, None, None]:
        """Yield every better formula, and every sum on the front, until :attr:`finished`."""
        direct = self.settings.optimiser == "none"
        while not self.finished:
            start = self._localise()
            yield from self._try(start.points[:1], "direct", remember=False)
            first = start.points[: start.n_direct] if direct else start.points
            scores = yield from self._try(first, "localised", remember=False)
            self.run.count("starts")
            if direct:
                self.generation += 1
                if self.generation % ADD_UP == 0:
                    yield from self._add_up()
                continue
            yield from self._add_up()
            yield from self._climb(self._optimiser(start, scores), start, float(scores.min()))
        yield from self._add_up()

    def _climb(self, optimiser: Optimiser, start: Start, best: float) -> Generator[Entry, None, None]:
        """Go on until the optimiser has converged or patience is out, from a fresh bag where it is better.

        ``best`` is the least score of the first population.
        """
        settings = self.settings
        n_fresh = settings.n_fresh if settings.optimiser in MOVABLE else 0
        self.idle = 0
        while not (self.finished or optimiser.finished or 0 < settings.patience <= self.idle):
            points = optimiser.ask()
            fresh = self._fresh(n_fresh)
            scores = yield from self._try(np.vstack([points, fresh]), "search")
            asked, of_fresh = np.split(scores, [len(points)])
            optimiser.tell(points, asked)
            self.generation += 1
            if self.generation % ADD_UP == 0:
                yield from self._add_up()
            best = min(best, float(asked.min()))
            if n_fresh and of_fresh.min() < best:
                best = float(of_fresh.min())
                optimiser = self._around(fresh[int(np.argmin(of_fresh))], start.deviation)

    @property
    def finished(self) -> bool:
        """Whether the time, the budget or what there is to find has run out."""
        return self._ending() is not None

    def _ending(self) -> str | None:
        """Return what ends the search, None while nothing does."""
        settings = self.settings
        if self.archive.exact:
            return "exact"
        limits = (
            ("generations", settings.max_generations, self.generation),
            ("decodes", settings.max_decodes, self.decoded),
        )
        for name, limit, reached in limits:
            if limit is not None and reached >= limit:
                return name
        if time.monotonic() >= self.deadline:
            return "time"
        return "r2" if self._is_good_enough() else None

    def _is_good_enough(self) -> bool:
        settings = self.settings
        found = (self.scorer.best, None if self.sums is None else self.archive.best())
        best = [entry for entry in found if entry is not None]
        if settings.stop_r2 is None or not best:
            return False
        needed = settings.stop_r2 if self.generation >= settings.stop_generation else EARLY_R2
        return 1.0 - min(entry.nmse_fit for entry in best) > needed

    def conclude(self) -> None:
        """Keep the counts of the search, and how good the direct decode was beside the best."""
        run = self.run
        run.count("generations", self.generation)
        run.count("decoded", self.decoded)
        run.count("evaluated", self.archive.n_evaluated)
        for reason, count in self.archive.rejected.items():
            run.count(f"rejected: {reason}", count)
        run.note("ended", self._ending())
        direct, best = self.archive.best(["direct"]), self.archive.best()
        if direct is not None:
            run.note("direct_score", direct.score)
        if best is not None:
            run.note("best_score", best.score)
            run.note("best_origin", best.origin)

    def _localise(self) -> Start:
        settings = self.settings
        return localise(
            self.space,
            *self.table,
            self.run.rng,
            bag_size=settings.bag_size,
            n_bags=settings.n_bags,
            n_noisy=settings.n_noisy,
            n_perturbed=settings.n_perturbed,
            unit=settings.scale == "unit",
        )

    def _fresh(self, count: int, y: FloatArray | None = None) -> FloatArray:
        """Return the prior means (count, L) of new bags, of another target if one is given."""
        if not count:
            return np.empty((0, self.space.dimension))
        X, target = self.table
        bags = draw_bags(X, target if y is None else y, self.run.rng, self.settings.bag_size, count)
        return self.space.encode(bags)[0]

    def _add_up(self) -> Generator[Entry, None, None]:
        """Add up terms of what was decoded, after a look at what the best sum leaves."""
        if self.sums is None or self.archive.exact or time.monotonic() >= self.deadline:
            return
        rest = None if self.finished else self.sums.rest()
        if rest is not None:  # what is decoded for it is a term, not a formula of the table
            self._decode(self._fresh(self.settings.n_bags, rest))
        yield from self.sums.submit(self.deadline)

    def _optimiser(self, start: Start, scores: FloatArray) -> Optimiser:
        """Return the optimiser, which starts at the best of the first population or with all of it."""
        settings, rng = self.settings, self.run.rng
        if settings.optimiser == "official-es":
            shape = prior_shape(start.log_variances, scores, settings.parents)
            released = DiagonalStrategy(
                start.mean,
                shape,
                settings.population,
                settings.parents,
                settings.step_size,
                rng,
                settings.kept_dimensions,
            )
            released.tell(start.points, scores)
            return released
        if settings.optimiser == "grey-wolf":
            return GreyWolves(start.points, scores, settings.population, settings.cooling, rng)
        return self._around(start.points[int(np.argmin(scores))], start.deviation)

    def _around(self, centre: FloatArray, deviation: FloatArray) -> Optimiser:
        """Return an optimiser that starts at one point."""
        settings, rng = self.settings, self.run.rng
        if settings.optimiser == "random":
            return RandomSearch(centre, settings.step_size * deviation, settings.population, rng)
        return CovarianceStrategy(
            centre,
            deviation,
            settings.population,
            settings.step_size,
            rng,
            separable=settings.optimiser == "separable-cma",
        )

    def _try(
        self, points: FloatArray, origin: str, *, remember: bool = True
    ) -> Generator[Entry, None, FloatArray]:
        """Decode and score points (P, L), yield the best formula if it is new, return the scores (P,)."""
        scores = np.full(len(points), np.inf)
        decoded = self._decode(points)
        scores[: len(decoded)] = self.scorer.score(decoded, origin, deadline=self.deadline, remember=remember)
        best = self.archive.best(OWN)
        self.idle += 1
        if best is not None and best is not self._reported:
            self._reported, self.idle = best, 0
            yield best
        return scores

    def _decode(self, points: FloatArray) -> Sequence[Sequence[Formula]]:
        """Return the formulas of points (P, L), of fewer where the budget of decodes ends."""
        settings = self.settings
        if settings.max_decodes is not None:
            points = points[: max(0, settings.max_decodes - self.decoded)]
        decoded = self.space.decode(
            points, n_samples=settings.n_samples, temperature=settings.temperature, deadline=self.deadline
        )
        self.decoded += len(points)
        if self.sums is not None:
            for formula in (each for row in decoded for each in row):
                self.sums.add(formula)
        return decoded
