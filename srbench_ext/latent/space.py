"""What a latent space is to a search or a study, and the first population in it for one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Formula", "HasSpace", "LatentSpace", "Start", "TableEncoder", "draw_bags", "localise"]

FloatArray = NDArray[np.float64]
Formula = tuple[str | float, ...]
"""Prefix tokens: ``C`` stands for a constant, or its value where the space says one."""

Table = tuple[FloatArray, FloatArray]
"""X (n, d) and y (n,)."""

FEWEST = 10
"""Rows of a bag of a table that has them."""


@runtime_checkable
class TableEncoder(Protocol):
    """A space that tables have a place in; its points need not decode to formulas."""

    @property
    def dimension(self) -> int:
        """Dimensions L of the space."""

    def encode(self, tables: Sequence[Table]) -> tuple[FloatArray, FloatArray]:
        """Return means and log variances (R, L) of R tables with equally many rows and any columns.

        A space whose encoder gives a point alone says how far around it is worth looking.
        """


@runtime_checkable
class LatentSpace(TableEncoder, Protocol):
    """A space whose points decode to formulas over a fixed number of columns."""

    def decode(
        self,
        z: FloatArray,
        *,
        n_samples: int = 1,
        temperature: float = 0.0,
        deadline: float | None = None,
    ) -> Sequence[Sequence[Formula]]:
        """Return formulas of each point (R, L) with distinct skeletons, the most sampled first.

        Parameters
        ----------
        z : ndarray of shape (R, L)
        n_samples : int
            Sequences for each point.
        temperature : float
            At zero the most likely token is taken, once.
        deadline : float, optional
            A ``time.monotonic()`` after which unfinished formulas are left out: a point may have none.
        """


@runtime_checkable
class HasSpace(Protocol):
    """A method with a latent space, or with an encoder at least."""

    def open_space(self, n_variables: int, rng: np.random.Generator) -> TableEncoder:
        """Return the space for tables of ``n_variables`` columns; ``rng`` draws the tokens of samples.

        Raises
        ------
        WeightsError
            If there are no weights, or they do not fit.
        """


@dataclass(frozen=True, slots=True)
class Start:
    """The first population and what the network says of the table.

    Attributes
    ----------
    mean, deviation : ndarray of shape (L,)
        Prior of the first bag, and the standard deviation of a latent point given the table: that of
        the prior and that between bags, together.
    points : ndarray of shape (P, L)
        The first population; its first point is ``mean``.
    log_variances : ndarray of shape (P, L)
        Of the prior that each point came from.
    n_direct : int
        How many of the first points are prior means of plain bags.
    """

    mean: FloatArray
    deviation: FloatArray
    points: FloatArray
    log_variances: FloatArray
    n_direct: int


def draw_bags(
    X: FloatArray, y: FloatArray, rng: np.random.Generator, bag_size: int, count: int
) -> list[Table]:
    """Return tables of so many rows of a table, drawn without replacement.

    Of a table that has no more rows a bag has half, :data:`FEWEST` at least: with all of them every bag would
    be the same.
    """
    n = len(y)
    size = bag_size if n > bag_size else max(min(n, FEWEST), n // 2)
    bags = [rng.permutation(n)[:size] for _ in range(count)]
    return [(X[rows], y[rows]) for rows in bags]


def localise(
    space: LatentSpace,
    X: FloatArray,
    y: FloatArray,
    rng: np.random.Generator,
    *,
    bag_size: int,
    n_bags: int,
    n_noisy: int,
    n_perturbed: int,
    unit: bool = False,
) -> Start:
    """Return a first population: bags of rows, bags with noise on y, perturbed latent points.

    Parameters
    ----------
    X, y : ndarray of shape (n, d) and (n,)
    rng : numpy.random.Generator
    bag_size : int
        Rows of a bag, see :func:`draw_bags`.
    n_bags : int
        Bags encoded as they are, at least one; the first is the whole table where it has no more rows than a
        bag.
    n_noisy : int
        Bags with Gaussian noise on y, of 0.01 to ``0.01 (n_noisy / 5 + 1)`` of its deviation, rising
        (the released code: 40).
    n_perturbed : int
        The first mean plus normal noise of a radius between 0 and 2, in units of the deviation.
    unit : bool
        Take one for the deviation in every dimension, as the released code does.
    """
    tables = draw_bags(X, y, rng, bag_size, n_bags + n_noisy)
    spread = float(np.std(y))
    for i in range(n_noisy):
        rows, target = tables[n_bags + i]
        noise = 0.01 * (i / 5 + 1) * spread * rng.standard_normal(len(target))
        tables[n_bags + i] = rows, target + noise
    means, log_variances = space.encode(tables)
    if len(y) <= bag_size:
        whole = space.encode([(X, y)])
        means, log_variances = np.vstack([whole[0], means[1:]]), np.vstack([whole[1], log_variances[1:]])
    mean = means[0]
    between = means[:n_bags].var(axis=0) if n_bags > 1 else 0.0
    deviation = np.sqrt(np.exp(log_variances[:n_bags]).mean(axis=0) + between)
    if unit:
        deviation = np.ones_like(deviation)
    radius = rng.uniform(0.0, 2.0, (n_perturbed, 1))
    perturbed = mean + radius * deviation * rng.standard_normal((n_perturbed, len(mean)))
    return Start(
        mean,
        deviation,
        np.vstack([means, perturbed]),
        np.vstack([log_variances, np.repeat(log_variances[:1], n_perturbed, axis=0)]),
        n_bags,
    )
