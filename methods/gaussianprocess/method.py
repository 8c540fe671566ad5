"""scikit-learn's Gaussian process regression on growing numbers of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from srbench_ext.method import Limits, OpaqueModel, SearchRun
from srbench_ext.method.reference import ReferenceModel, doubling, drawn_rows, standardised

__all__ = ["GaussianProcess"]

FloatArray = npt.NDArray[np.float64]


class GaussianProcess(ReferenceModel):
    """A Gaussian process with one length for each column and noise, set by the marginal likelihood.

    Time grows with the cube of the rows, memory with the square: rows are drawn at random beyond a limit.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take.
    random_state : int
        Seed.
    max_rows : int
        Most rows that the last fit is given.
    """

    name = "gaussianprocess"
    version = "1"
    growth = 7.0
    limits: ClassVar[Limits] = {"max_rows": (1, None)}

    def __init__(self, *, max_seconds: float = 60.0, random_state: int = 0, max_rows: int = 1600) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.max_rows = max_rows

    def steps(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[OpaqueModel]:
        """Yield fits of twice as many rows each."""
        sizes = doubling(50, min(self.max_rows, len(y)))
        lengths = np.ones(X.shape[1])
        for X_drawn, y_drawn in drawn_rows(X, y, sizes, run.rng):
            kernel = ConstantKernel() * RBF(lengths, (1e-2, 1e4)) + WhiteKernel(1e-4, (1e-10, 10.0))
            yield standardised(GaussianProcessRegressor(kernel)).fit(X_drawn, y_drawn)
