"""scikit-learn's gradient boosting of histogram trees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor

from srbench_ext.method import Limits, OpaqueModel, SearchRun
from srbench_ext.method.reference import ReferenceModel, doubling

__all__ = ["BoostingRegressor"]

FloatArray = npt.NDArray[np.float64]

_FEWEST_ROWS = 50  # below, no rows are set aside to stop early


class BoostingRegressor(ReferenceModel):
    """Boosted trees, a growing number of them; a tenth of the rows says when more do not help.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take.
    random_state : int
        Seed.
    n_trees : int
        Most trees.
    learning_rate : float
        Share of each tree's answer that is taken over.
    min_rows : int
        Fewest rows in a leaf.
    """

    name = "boosting"
    version = "1"
    limits: ClassVar[Limits] = {"n_trees": (1, None), "learning_rate": (0.0, 1.0), "min_rows": (1, None)}

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        n_trees: int = 2000,
        learning_rate: float = 0.1,
        min_rows: int = 5,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.n_trees = n_trees
        self.learning_rate = learning_rate
        self.min_rows = min_rows

    def steps(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[OpaqueModel]:
        """Yield ensembles of twice as many trees each, until trees stop helping."""
        seed = int(run.rng.integers(2**31))
        for n_trees in doubling(min(25, self.n_trees), self.n_trees):
            model = HistGradientBoostingRegressor(
                max_iter=n_trees,
                learning_rate=self.learning_rate,
                min_samples_leaf=self.min_rows,
                early_stopping=len(y) >= _FEWEST_ROWS,
                random_state=seed,
            ).fit(X, y)
            yield model
            if model.n_iter_ < n_trees:
                return
