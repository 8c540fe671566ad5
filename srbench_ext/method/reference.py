"""References that can only predict: scikit-learn's regressors, grown until the clock runs out."""

from __future__ import annotations

import math
import time
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from srbench_ext.method.base import Method
from srbench_ext.method.candidate import Candidate, OpaqueModel
from srbench_ext.method.run import SearchRun

__all__ = ["ReferenceModel", "doubling", "drawn_rows", "standardised"]

FloatArray = npt.NDArray[np.float64]


class ReferenceModel(Method):
    """A regressor without a formula, fitted at growing size.

    A fit of scikit-learn cannot be interrupted. So a small one comes first, each next one is about
    :attr:`growth` times as long, and one that would not end in time is not begun. A subclass writes
    :meth:`steps`.

    Attributes
    ----------
    growth : float
        Class attribute: how much longer a step takes than the one before.
    """

    growth: ClassVar[float] = 2.0

    @abstractmethod
    def steps(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[OpaqueModel]:
        """Yield the fitted regressor at growing size, a new object each time."""

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield the regressor of every step that there is time for."""
        steps = self.steps(X, y, run)
        last = 0.0
        while run.remaining > self.growth * last:
            started = time.monotonic()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of not having converged: the next step goes on longer
                model = next(steps, None)
            if model is None:
                return
            last = time.monotonic() - started
            run.count("steps")
            yield Candidate(model, source=f"step {run.counts['steps']}")
        run.note("last_step_left_out", True)


def standardised(regressor: object) -> TransformedTargetRegressor:
    """Return the regressor behind scalers of the columns and of the target."""
    return TransformedTargetRegressor(
        make_pipeline(StandardScaler(), regressor), transformer=StandardScaler()
    )


def doubling(first: int, last: int) -> list[int]:
    """Return ``first`` times 1, 2, 4, ..., up to ``last``, which always ends it.

    Examples
    --------
    >>> doubling(10, 50)
    [10, 20, 40, 50]
    >>> doubling(10, 7)
    [7]
    """
    steps = max(0, math.ceil(math.log2(last / first)))
    return [*(first * 2**step for step in range(steps)), last]


def drawn_rows(
    X: FloatArray, y: FloatArray, sizes: list[int], rng: np.random.Generator
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield tables of growing size, each holding the rows of the one before, in random order."""
    order = rng.permutation(len(y))
    for size in sizes:
        yield X[order[:size]], y[order[:size]]
