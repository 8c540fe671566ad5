"""A latent space without a network: every coordinate is the wish for one formula."""

from __future__ import annotations

import numpy as np

LAW, OTHER = ("mul", "x0", "x1"), ("add", "x0", "x1")
FORMULAS = (
    OTHER,
    ("div", "x0", "x1"),
    ("sin", "x0"),
    ("mul", "C", "pow2", "x1"),
    ("exp", "x1"),
    LAW,
)
DIMENSION = len(FORMULAS)


class ToySpace:
    """Tables lie near the origin; a point decodes to the formulas of its largest coordinates."""

    dimension = DIMENSION

    def __init__(self) -> None:
        self.decoded = 0

    def encode(self, tables):
        means = np.array([np.tanh(y[:DIMENSION] - y.mean()) for _, y in tables])
        return 0.1 * means, np.full_like(means, -2.0)

    def decode(self, z, *, n_samples=1, temperature=0.0, deadline=None):
        self.decoded += len(z)
        order = np.argsort(-z, axis=1)[:, : n_samples if temperature > 0 else 1]
        return [[FORMULAS[i] for i in row] for row in order]


def product(n_rows: int = 100, seed: int = 0, noise: float = 0.0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(1, 5, (n_rows, 2))
    return X, X[:, 0] * X[:, 1] + noise * rng.standard_normal(n_rows)
