"""Grey wolf optimisation of a latent point (Mirjalili et al., 2014), as SNIP searches with it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from srbench_ext.errors import InputError

__all__ = ["GreyWolves"]

FloatArray = NDArray[np.float64]
_LEADERS = 3


class GreyWolves:
    """A pack that moves towards its three best points so far, in steps that shrink.

    Parameters
    ----------
    points : ndarray of shape (K, L)
        The first population; the search stays within its least and largest value of each dimension.
    scores : ndarray of shape (K,)
        Minimised; infinite for what could not be scored.
    population : int
        Wolves: the best of the first population, some of them several times where it is smaller.
    generations : int
        Over which the size of a step falls from 2, where wolves also run past their leaders, to 0.
    rng : numpy.random.Generator

    Attributes
    ----------
    leaders : ndarray of shape (3, L)
        The best points so far, the best first.

    Notes
    -----
    A leader at X calls a wolf at x to X - A |C X - x|, where A is uniform in [-a, a], C in [0, 2] and a falls
    from 2 to 0; the wolf goes to the mean of the three calls. |C X - x| makes the origin special: the latent
    space should be centred there.
    """

    def __init__(
        self,
        points: FloatArray,
        scores: FloatArray,
        population: int,
        generations: int,
        rng: np.random.Generator,
    ) -> None:
        if len(points) < _LEADERS:
            raise InputError(
                f"Grey wolves follow {_LEADERS} leaders: the first population needs as many points. "
                f"Got {len(points)}; raise n_bags, n_noisy or n_perturbed."
            )
        self.rng, self.generations, self.generation = rng, generations, 0
        self.low, self.high = points.min(axis=0), points.max(axis=0)
        order = np.argsort(scores, kind="stable")
        self.wolves = points[np.resize(order, population)]
        self.leaders, self.leader_scores = points[order[:_LEADERS]], scores[order[:_LEADERS]]

    @property
    def finished(self) -> bool:
        """Whether the steps have shrunk to nothing."""
        return self.generation >= self.generations

    def ask(self) -> FloatArray:
        """Return where the wolves go next, (P, L)."""
        a = 2.0 - 2.0 * self.generation / self.generations
        shape = (_LEADERS, *self.wolves.shape)
        A = a * (2.0 * self.rng.random(shape) - 1.0)
        C = 2.0 * self.rng.random(shape)
        leaders = self.leaders[:, None]  # (3, 1, L)
        calls = leaders - A * np.abs(C * leaders - self.wolves)
        return np.asarray(np.clip(calls.mean(axis=0), self.low, self.high), np.float64)

    def tell(self, points: FloatArray, scores: FloatArray) -> None:
        """Move the pack there, and follow the best of it and of the leaders."""
        self.wolves = points
        self.generation += 1
        known = np.vstack([self.leaders, points])
        all_scores = np.concatenate([self.leader_scores, scores])
        best = np.argsort(all_scores, kind="stable")[:_LEADERS]
        self.leaders, self.leader_scores = known[best], all_scores[best]
