"""scikit-learn's kernel ridge regression on growing numbers of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, KFold

from srbench_ext.method import Limits, OpaqueModel, SearchRun
from srbench_ext.method.reference import ReferenceModel, doubling, drawn_rows, standardised

__all__ = ["KernelRidgeRegressor"]

FloatArray = npt.NDArray[np.float64]

_PENALTIES = (1e-6, 1e-3, 1e-1, 1.0)
_WIDTHS = (0.03, 0.1, 0.3, 1.0)
_FOLDS = 3
_FEWEST_ROWS = 10


class KernelRidgeRegressor(ReferenceModel):
    """Ridge regression with a Gaussian kernel; penalty and width are chosen by threefold cross-validation.

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

    name = "kernelridge"
    version = "1"
    growth = 6.0
    limits: ClassVar[Limits] = {"max_rows": (1, None)}

    def __init__(self, *, max_seconds: float = 60.0, random_state: int = 0, max_rows: int = 4000) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.max_rows = max_rows

    def steps(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[OpaqueModel]:
        """Yield fits of twice as many rows each."""
        sizes = doubling(250, min(self.max_rows, len(y)))
        folds = KFold(_FOLDS, shuffle=True, random_state=int(run.rng.integers(2**31)))
        widths = [width / X.shape[1] for width in _WIDTHS]
        for X_drawn, y_drawn in drawn_rows(X, y, sizes, run.rng):
            model = standardised(KernelRidge(kernel="rbf", alpha=_PENALTIES[1], gamma=widths[2]))
            if len(y_drawn) < _FEWEST_ROWS:
                yield model.fit(X_drawn, y_drawn)
                continue
            place = "regressor__kernelridge"
            grid = {f"{place}__alpha": _PENALTIES, f"{place}__gamma": widths}
            yield GridSearchCV(model, grid, cv=folds, n_jobs=1).fit(X_drawn, y_drawn)
