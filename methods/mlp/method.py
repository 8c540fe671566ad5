"""scikit-learn's multilayer perceptron."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.neural_network import MLPRegressor

from srbench_ext.method import Limits, OpaqueModel, SearchRun
from srbench_ext.method.reference import ReferenceModel, doubling, standardised

__all__ = ["PerceptronRegressor"]

FloatArray = npt.NDArray[np.float64]


class PerceptronRegressor(ReferenceModel):
    """A network of two hidden layers, trained by Adam for a growing number of passes over the rows.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take.
    random_state : int
        Seed.
    width : int
        Units of a hidden layer.
    n_passes : int
        Most passes over the rows; it ends sooner where the loss stops falling.
    """

    name = "mlp"
    version = "1"
    limits: ClassVar[Limits] = {"width": (1, None), "n_passes": (1, None)}

    def __init__(
        self, *, max_seconds: float = 60.0, random_state: int = 0, width: int = 100, n_passes: int = 1600
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.width = width
        self.n_passes = n_passes

    def steps(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[OpaqueModel]:
        """Yield networks trained twice as long each, until training ends by itself."""
        seed = int(run.rng.integers(2**31))
        for n_passes in doubling(min(5, self.n_passes), self.n_passes):
            network = MLPRegressor(
                hidden_layer_sizes=(self.width, self.width), max_iter=n_passes, random_state=seed
            )
            model = standardised(network).fit(X, y)
            yield model
            if model.regressor_[-1].n_iter_ < n_passes:
                return
