"""Spaces whose geometry is known: what is near, what decodes to what, where nothing does."""

from __future__ import annotations

import numpy as np

from srbench_ext.corpus.families import family_tables
from srbench_ext.errors import WeightsError

TABLES = family_tables(10, 30)
"""Sixty of them, ten of each class."""


class ToyEncoder:
    """Encodes a table as three moments of y and its number of columns."""

    dimension = 4

    def encode(self, tables):
        rows = []
        for X, y in tables:
            z = (y - y.mean()) / y.std()
            rows.append([np.mean(z**3) / 3, z.min(), z.max(), X.shape[1]])
        mean = np.array(rows)
        return mean, np.full_like(mean, np.log(0.04))


class ToySpace(ToyEncoder):
    """Decodes by the first coordinate: x0 below, exp(x0) above, and nothing far out."""

    def __init__(self, farthest=50.0):
        self.farthest = farthest

    def decode(self, z, *, n_samples=1, temperature=0.0, deadline=None):
        found = []
        for point in z:
            if np.abs(point).max() > self.farthest:
                found.append([])
            else:
                found.append([("x0",) if point[0] < 0 else ("exp", "mul", "C", "x0")])
        return found


class FreeToySpace(ToySpace):
    def decode_freely(self, z):
        return [None if point[0] < 0 else ("exp", "x0") for point in z]


class ToyMethod:
    def __init__(self, space):
        self.space = space

    def open_space(self, n_variables, rng):
        if self.space is None:
            raise WeightsError("Weights toy.safetensors are needed.")
        return self.space


class HealthyMethod(ToyMethod):
    def health(self, n_examples):
        return {"examples": n_examples, "kl": 1.5, "kl_by_dimension": [0.0, 1.0, 5.0]}
