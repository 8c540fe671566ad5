"""One table's view of the latent space: where to start, and what formulas its points decode to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from srbench_ext.models.decoding import Grammar, sample
from srbench_ext.models.encoders import point_features, scale_table

from .model import GenSRNet

__all__ = ["LatentSpace", "Start", "localise"]

FloatArray = NDArray[np.float64]
Formula = tuple[str, ...]


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


class LatentSpace:
    """Encodes bags of rows and decodes latent points, for tables of one number of columns.

    Parameters
    ----------
    net : GenSRNet
        In evaluation mode.
    n_variables : int
    rng : numpy.random.Generator
        Draws tokens where the temperature is above zero.
    max_tokens, max_constants : int
        Limits of a decoded formula.
    """

    def __init__(
        self,
        net: GenSRNet,
        n_variables: int,
        rng: np.random.Generator,
        *,
        max_tokens: int = 30,
        max_constants: int = 6,
    ) -> None:
        self.net, self.rng = net, rng
        self.grammar = Grammar(net.vocabulary, "<skeleton>", n_variables, max_tokens, max_constants)
        self.prompt = [net.vocabulary.ids["<skeleton>"]]

    @torch.no_grad()
    def encode(self, tables: list[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
        """Return prior means and log variances (R, L) of R tables with equally many rows."""
        scaled = [scale_table(X, y) for X, y in tables]
        features = point_features(
            np.stack([s.values for s in scaled]),
            np.stack([s.present for s in scaled]),
            np.stack([s.log_scale for s in scaled]),
        )
        prior = self.net.prior_of(torch.from_numpy(features))
        return prior.mean.double().numpy(), prior.log_variance.double().numpy()

    @torch.no_grad()
    def decode(
        self,
        z: FloatArray,
        *,
        n_samples: int = 1,
        temperature: float = 0.0,
        deadline: float | None = None,
    ) -> list[list[Formula]]:
        """Return the distinct skeletons of each latent point (R, L), the most sampled first.

        Parameters
        ----------
        z : ndarray of shape (R, L)
        n_samples : int
            Sequences for each point.
        temperature : float
            At zero the most likely token is taken.
        deadline : float, optional
            A ``time.monotonic()`` after which unfinished formulas are left out.
        """
        found: list[list[tuple[int, Formula]]] = [[] for _ in z]
        if not len(z):
            return []
        memory = self.net.memory_of(torch.from_numpy(z.astype(np.float32)))
        for decoded in sample(
            self.net,
            memory,
            self.grammar,
            [self.prompt] * len(z),
            n_samples if temperature > 0 else 1,
            self.rng,
            temperature=max(temperature, 1e-6),
            deadline=deadline,
        ):
            found[decoded.row].append((-decoded.count, decoded.tokens))
        return [[tokens for _, tokens in sorted(row)] for row in found]


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
        Rows of a bag, drawn without replacement.
    n_bags : int
        Bags encoded as they are, at least one.
    n_noisy : int
        Bags with Gaussian noise on y, of 0.01 to ``0.01 (n_noisy / 5 + 1)`` of its deviation, rising
        (the released code: 40).
    n_perturbed : int
        The first mean plus normal noise of a radius between 0 and 2, in units of the deviation.
    unit : bool
        Take one for the deviation in every dimension, as the released code does.
    """
    size = min(bag_size, len(y))
    bags = [rng.permutation(len(y))[:size] for _ in range(n_bags + n_noisy)]
    tables = [(X[rows], y[rows]) for rows in bags]
    spread = float(np.std(y))
    for i in range(n_noisy):
        rows, target = tables[n_bags + i]
        noise = 0.01 * (i / 5 + 1) * spread * rng.standard_normal(size)
        tables[n_bags + i] = rows, target + noise
    means, log_variances = space.encode(tables)
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
