"""scikit-learn's random forest, tree by tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestRegressor

from srbench_ext.method import Limits, OpaqueModel, SearchRun
from srbench_ext.method.reference import ReferenceModel, doubling

__all__ = ["ForestRegressor"]

FloatArray = npt.NDArray[np.float64]


class ForestRegressor(ReferenceModel):
    """A random forest of a growing number of trees.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take.
    random_state : int
        Seed.
    n_trees : int
        Trees of the last forest.
    min_rows : int
        Fewest rows in a leaf.
    """

    name = "forest"
    version = "1"
    limits: ClassVar[Limits] = {"n_trees": (1, None), "min_rows": (1, None)}

    def __init__(
        self, *, max_seconds: float = 60.0, random_state: int = 0, n_trees: int = 500, min_rows: int = 1
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.n_trees = n_trees
        self.min_rows = min_rows

    def steps(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[OpaqueModel]:
        """Yield forests of twice as many trees each."""
        seed = int(run.rng.integers(2**31))
        for n_trees in doubling(min(4, self.n_trees), self.n_trees):
            yield RandomForestRegressor(
                n_estimators=n_trees, min_samples_leaf=self.min_rows, random_state=seed, n_jobs=1
            ).fit(X, y)
