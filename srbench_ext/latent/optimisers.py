"""Searches of a latent space by asking for points and being told how good they are."""

from __future__ import annotations

import warnings
from typing import Protocol

import cma
import numpy as np
from numpy.typing import NDArray

from srbench_ext.errors import InputError

__all__ = ["CovarianceStrategy", "DiagonalStrategy", "Optimiser", "RandomSearch", "prior_shape"]

FloatArray = NDArray[np.float64]


class Optimiser(Protocol):
    """What a latent search needs of an optimiser; scores are minimised."""

    def ask(self) -> FloatArray:
        """Return points (P, L) to decode."""

    def tell(self, points: FloatArray, scores: FloatArray) -> None:
        """Learn the scores (P,) of the points last asked for; infinite for what could not be scored."""

    @property
    def finished(self) -> bool:
        """Whether going on from here is pointless."""


class RandomSearch:
    """Normal perturbations of one point, each of its own radius: the yardstick of a search.

    Parameters
    ----------
    centre : ndarray of shape (L,)
    scale : ndarray of shape (L,)
        Standard deviation of each dimension at radius 1.
    population : int
    rng : numpy.random.Generator
    largest_radius : float
        Radii are uniform from 0 to this.
    """

    finished = False

    def __init__(
        self,
        centre: FloatArray,
        scale: FloatArray,
        population: int,
        rng: np.random.Generator,
        largest_radius: float = 2.0,
    ) -> None:
        self.centre, self.scale, self.population = centre, scale, population
        self.rng, self.largest_radius = rng, largest_radius

    def ask(self) -> FloatArray:
        """Return the next points (P, L)."""
        radius = self.rng.uniform(0.0, self.largest_radius, (self.population, 1))
        noise = self.rng.standard_normal((self.population, len(self.centre)))
        return np.asarray(self.centre + radius * self.scale * noise, np.float64)

    def tell(self, points: FloatArray, scores: FloatArray) -> None:
        """Learn nothing."""


class CovarianceStrategy:
    """CMA-ES of the ``cma`` package, with a full or a diagonal covariance.

    Coordinates are measured in ``scale`` from ``centre``, so that one step size suits all.

    Parameters
    ----------
    centre : ndarray of shape (L,)
    scale : ndarray of shape (L,)
        Positive.
    population : int
    step_size : float
        In units of ``scale``.
    rng : numpy.random.Generator
    separable : bool
        Adapt the variances alone: linear time, and learnt in fewer steps.
    """

    def __init__(
        self,
        centre: FloatArray,
        scale: FloatArray,
        population: int,
        step_size: float,
        rng: np.random.Generator,
        *,
        separable: bool,
    ) -> None:
        if len(scale) < 2:
            raise InputError("CMA-ES needs at least two dimensions. Use a latent space with more.")
        self.centre, self.scale = centre, scale

        def normal(*shape: int) -> FloatArray:
            return rng.standard_normal(shape)

        self._strategy = cma.CMAEvolutionStrategy(
            np.zeros(len(centre)),
            step_size,
            {
                "popsize": population,
                "CMA_diagonal": separable,
                # many points decode to one formula, and a formula keeps its score: that is no convergence
                "tolflatfitness": np.inf,
                "tolfun": 0.0,
                "tolfunhist": 0.0,
                "tolstagnation": np.inf,
                "randn": normal,  # else it seeds and uses numpy's global generator
                "seed": np.nan,
                "verbose": -9,
                "verb_log": 0,
                "verb_disp": 0,
            },
        )

    @property
    def finished(self) -> bool:
        """Whether the package sees no progress to come."""
        return bool(self._strategy.stop())

    def ask(self) -> FloatArray:
        """Return the next points (P, L)."""
        asked = np.asarray(self._strategy.ask(), np.float64)
        return np.asarray(self.centre + self.scale * asked, np.float64)

    def tell(self, points: FloatArray, scores: FloatArray) -> None:
        """Move towards the better points; what has no score counts as worse than the worst."""
        finite = np.isfinite(scores)
        worst = float(scores[finite].max()) + 1.0 if finite.any() else 0.0
        known = np.where(finite, scores, worst)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # plateaus: many points decode to one formula
            self._strategy.tell(list((points - self.centre) / self.scale), known.tolist())


class DiagonalStrategy:
    """The evolution strategy of GenSR as released: a diagonal covariance that hardly moves.

    Parameters
    ----------
    mean : ndarray of shape (L,)
        Where it starts.
    shape : ndarray of shape (L,)
        Diagonal of the covariance, as from :func:`prior_shape`.
    population, parents : int
        Points a generation, one of them the mean itself, and how many of the best make the next mean.
    step_size : float
    rng : numpy.random.Generator
    kept : int, optional
        Only so many of the largest variances are kept at each update, the others are zero: the paper's
        mask, which the released settings leave off.

    Attributes
    ----------
    weights : ndarray of shape (parents,)
    c_sigma, d_sigma, c_c, c_1, chi : float
        Rates and expected length of a normal vector; they depend on L and ``parents`` alone.

    Notes
    -----
    Unlike CMA-ES it measures the step from the mean of the sampled population, does not whiten the
    step's path, and has no rank-mu update.
    """

    finished = False

    def __init__(
        self,
        mean: FloatArray,
        shape: FloatArray,
        population: int,
        parents: int,
        step_size: float,
        rng: np.random.Generator,
        kept: int | None = None,
    ) -> None:
        if not 0 < parents < population:
            raise InputError(
                f"There must be fewer parents than points in a generation. Got {parents} and {population}."
            )
        self.mean, self.variances, self.population, self.sigma = mean, shape.copy(), population, step_size
        self.rng, self.kept = rng, kept
        n = len(mean)
        weights = np.log(parents + 0.5) - np.log(np.arange(1, parents + 1))
        self.weights = weights / weights.sum()
        self.mu_eff = 1.0 / float(np.sum(self.weights**2))
        self.c_sigma = (self.mu_eff + 2) / (n + self.mu_eff + 3)
        self.d_sigma = 1 + 2 * max(0.0, np.sqrt(self.mu_eff / n) - 1) + self.c_sigma
        self.c_c = (4 + self.mu_eff / n) / (n + 4 + 2 * self.mu_eff / n)
        self.c_1 = 2 / ((n + 1.3) ** 2 + self.mu_eff)
        self.chi = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))
        self.path_sigma, self.path_c = np.zeros(n), np.zeros(n)
        self._mask()

    def ask(self) -> FloatArray:
        """Return the mean and points around it, (P, L)."""
        noise = self.rng.standard_normal((self.population - 1, len(self.mean)))
        around = self.mean + self.sigma * np.sqrt(self.variances) * noise
        return np.vstack([self.mean, around])

    def tell(self, points: FloatArray, scores: FloatArray) -> None:
        """Recombine the best and adapt step size and variances."""
        best = np.argsort(scores, kind="stable")[: len(self.weights)]
        self.mean = self.weights @ points[best]
        step = (self.mean - points.mean(axis=0)) / self.sigma
        c, d = self.c_sigma, self.c_c
        self.path_sigma = (1 - c) * self.path_sigma + np.sqrt(c * (2 - c) * self.mu_eff) * step
        self.path_c = (1 - d) * self.path_c + np.sqrt(d * (2 - d) * self.mu_eff) * step
        self.variances = (1 - self.c_1) * self.variances + self.c_1 * self.path_c**2
        self.sigma *= np.exp((c / self.d_sigma) * (np.linalg.norm(self.path_sigma) / self.chi - 1))
        self._mask()

    def _mask(self) -> None:
        if self.kept is not None and self.kept < len(self.variances):
            self.variances[np.argsort(-self.variances, kind="stable")[self.kept :]] = 0.0


def prior_shape(log_variances: FloatArray, scores: FloatArray, parents: int) -> FloatArray:
    """Return the released code's initial variances: those of the best points, scaled to 0 … 1.

    Parameters
    ----------
    log_variances : ndarray of shape (P, L)
        Of the prior that each point of the first population came from.
    scores : ndarray of shape (P,)
        Minimised.
    parents : int
        How many of the best take part, weighted as in recombination.
    """
    parents = min(parents, len(scores))
    weights = np.log(parents + 0.5) - np.log(np.arange(1, parents + 1))
    best = np.argsort(scores, kind="stable")[:parents]
    variance = np.exp(weights / weights.sum() @ log_variances[best])
    spread = np.ptp(variance)
    if spread == 0:
        return np.ones_like(variance)
    return np.asarray((variance - variance.min()) / spread, np.float64)
