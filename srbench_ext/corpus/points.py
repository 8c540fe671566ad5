"""Random input tables: where the variables of a synthetic problem take their values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAMILIES", "draw_points"]

FloatArray = NDArray[np.float64]


def _positive_ranges(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    """Uniform on [low, high], low and width log-uniform: how most laws are sampled."""
    low = np.rint(10.0 ** rng.uniform(-1.0, 0.7, d) * 10.0) / 10.0
    if rng.random() < 0.5:
        low[:] = round(rng.uniform(0.5, 3.0))
    width = low * 10.0 ** rng.uniform(-0.3, 0.8, d)
    return low + width * rng.random((n, d))


def _wide_positive(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    """Uniform on (0, high]."""
    return 10.0 ** rng.uniform(-0.7, 1.2, d) * (1.0 - rng.random((n, d)))


def _centred(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    """Uniform on [-width, width], a column in three on positive values only."""
    X = 10.0 ** rng.uniform(-0.3, 1.0, d) * rng.uniform(-1.0, 1.0, (n, d))
    positive = rng.random(d) < 0.33
    X[:, positive] = np.abs(X[:, positive])
    return X


def _normal(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    X = rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-0.5, 0.7, d)
    shift = rng.random(d) < 0.4
    X[:, shift] += rng.uniform(-5.0, 5.0, int(shift.sum()))
    return X


def _log_normal(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    return np.exp(rng.uniform(-1.0, 1.5, d) + rng.uniform(0.2, 1.0, d) * rng.standard_normal((n, d)))


def _integers(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    low = rng.integers(0, 3, d)
    X = rng.integers(low, low + rng.integers(2, 20, d), (n, d)).astype(np.float64)
    continuous = rng.random(d) < 0.4
    X[:, continuous] += rng.random((n, int(continuous.sum())))
    return X


def _clusters(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    """E2E's mixture of rotated Gaussian or uniform clusters, whitened per column."""
    k = int(rng.integers(1, 10))
    shares = rng.dirichlet(np.ones(k)).cumsum()
    member = np.searchsorted(shares[:-1], rng.random(n), side="right")
    centre = rng.standard_normal((k, d))[member]
    spread = np.sqrt(rng.random((k, d)))[member]
    gaussian = rng.random() < 0.5
    noise = rng.standard_normal((n, d)) if gaussian else rng.uniform(-1.0, 1.0, (n, d))
    X = centre + spread * noise
    if d > 1:
        rotations = np.linalg.qr(rng.standard_normal((k, d, d)))[0]
        X = np.einsum("nd,nde->ne", X, rotations[member])
    X = X - X.mean(axis=0)
    deviation = np.sqrt((X * X).mean(axis=0))
    whitened: FloatArray = X / np.where(deviation > 0, deviation, 1.0)
    return whitened


def _trajectories(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    """Columns that move together in time, as states of a system of differential equations do."""
    t = np.sort(rng.random(n) * rng.uniform(1.0, 10.0))[:, None]
    frequency = rng.uniform(0.2, 2.0, (2, d))
    phase = rng.uniform(0.0, 2 * np.pi, (2, d))
    size = rng.uniform(0.2, 2.0, (2, d))
    X = size[0] * np.sin(frequency[0] * t + phase[0]) * np.exp(-rng.uniform(0.0, 0.3, d) * t)
    X = X + size[1] * np.cos(frequency[1] * t + phase[1])
    if rng.random() < 0.6:
        X = X - X.min(axis=0) + rng.uniform(0.05, 2.0, d)
    states: FloatArray = X * 10.0 ** rng.uniform(-0.3, 0.7, d)
    return states


def _support_10(rng: np.random.Generator, n: int, d: int) -> FloatArray:
    """Uniform on [-10, 10], every column: NeSymReS's support (arXiv 2106.06427)."""
    return rng.uniform(-10.0, 10.0, (n, d))


FAMILIES: dict[str, Callable[[np.random.Generator, int, int], FloatArray]] = {
    "positive_ranges": _positive_ranges,
    "wide_positive": _wide_positive,
    "centred": _centred,
    "normal": _normal,
    "log_normal": _log_normal,
    "integers": _integers,
    "clusters": _clusters,
    "trajectories": _trajectories,
    "support_10": _support_10,
}


def draw_points(rng: np.random.Generator, family: str, n_points: int, n_variables: int) -> FloatArray:
    """Draw an input table.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all draws.
    family : str
        A name of :data:`FAMILIES`.
    n_points, n_variables : int
        The shape wanted.

    Returns
    -------
    ndarray of shape (n_points, n_variables)
    """
    return FAMILIES[family](rng, n_points, n_variables)
