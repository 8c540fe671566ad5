"""The simplest reference: a linear formula."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import RidgeCV

from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Limits, Method, SearchRun

__all__ = ["LinearRegressor"]

FloatArray = npt.NDArray[np.float64]


class LinearRegressor(Method):
    """Least squares with an intercept, and ridge regression on standardised columns.

    The ridge penalty is chosen by leave-one-out error. Columns that do not vary get no term.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take.
    random_state : int
        Not used: the fit is deterministic.
    min_alpha, max_alpha : float
        Range of the ridge penalties that are tried.
    n_alphas : int
        How many of them, evenly on a logarithmic scale.

    Examples
    --------
    >>> import numpy as np
    >>> from srbench_ext.registry import create
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 5.0]])
    >>> e = create("linear").fit(X, 2 * X[:, 0] - X[:, 1] + 1).expression_
    >>> e.prefix
    ('add', 'add', 'mul', 'C', 'x0', 'mul', 'C', 'x1', 'C')
    """

    name = "linear"
    version = "1"
    limits: ClassVar[Limits] = {"min_alpha": (0.0, None), "max_alpha": (0.0, None), "n_alphas": (1, None)}

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        min_alpha: float = 1e-4,
        max_alpha: float = 1e4,
        n_alphas: int = 17,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.min_alpha = min_alpha
        self.max_alpha = max_alpha
        self.n_alphas = n_alphas

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield the least-squares formula, then the ridge formula."""
        mean, deviation = X.mean(axis=0), X.std(axis=0)
        varying = deviation > 1e-12 * np.maximum(np.abs(mean), np.finfo(float).tiny)
        if not varying.any():
            return
        scaled = (X[:, varying] - mean[varying]) / deviation[varying]
        columns = np.flatnonzero(varying)

        def candidate(slopes: FloatArray, source: str) -> Candidate:
            slopes = slopes / deviation[varying]
            intercept = float(y.mean() - slopes @ mean[varying])
            return Candidate(linear_expression(intercept, slopes, columns), source=source)

        slopes, *_ = np.linalg.lstsq(scaled, y - y.mean(), rcond=None)
        yield candidate(slopes, "least squares")
        alphas = np.geomspace(self.min_alpha, self.max_alpha, self.n_alphas)
        ridge = RidgeCV(alphas=alphas, fit_intercept=False).fit(scaled, y - y.mean())
        run.note("ridge_alpha", float(ridge.alpha_))
        yield candidate(np.asarray(ridge.coef_, dtype=np.float64), "ridge")


def linear_expression(intercept: float, slopes: FloatArray, columns: npt.NDArray[np.intp]) -> Expression:
    """Return ``sum of slope * column, plus intercept``; terms with slope 0 are left out.

    Parameters
    ----------
    intercept : float
        The constant term.
    slopes : ndarray of shape (k,)
        One for each column.
    columns : ndarray of shape (k,)
        Their indices.
    """
    terms = [(f"x{column}", float(slope)) for column, slope in zip(columns, slopes, strict=True) if slope]
    tokens = ["add"] * len(terms)
    for variable, _ in terms:
        tokens += ["mul", "C", variable]
    return Expression((*tokens, "C"), (*(slope for _, slope in terms), intercept))
