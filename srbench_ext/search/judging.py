"""The final order of formulas: error, honestly measured, plus a price for every token."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from srbench_ext.expression import Expression
from srbench_ext.search.archive import EXACT
from srbench_ext.search.crossing import cross_validated

__all__ = ["TOKEN_WEIGHT", "Judge", "Rank", "token_weight"]

TOKEN_WEIGHT = 0.01
"""Price of a token in the archive's order: the least where formulas can grow without end."""

FloatArray = npt.NDArray[np.float64]
Rank = tuple[bool, float, int]
"""Lower comes first: behind the fallbacks, log10 of the error plus the price of the tokens, tokens."""

_MANY = 3000  # rows, of which searches fit a few hundred: the error on all is that of rows not fitted
_AHEAD = 0.99  # of the fallbacks' error: a law that is not ahead of it comes after what is


class _Judged(Protocol):
    """What is judged: a formula or a predictor, with its mean squared error on all rows."""

    @property
    def model(self) -> object: ...

    @property
    def loss(self) -> float | None: ...

    @property
    def complexity(self) -> int | None: ...


_Candidate = TypeVar("_Candidate", bound=_Judged)


def token_weight(n_rows: int) -> float:
    """Return what a token has to save of log10 of the error: Schwarz's ln(n) / n, at most 0.05.

    Of many rows a small part of the error is told from chance, so that a term that saves it may stay; of few
    rows a long formula fits much by chance.
    """
    return min(0.05, math.log(n_rows) / n_rows / math.log(10.0))


class Judge:
    """Orders the formulas of one table by log10 of their error plus :func:`token_weight` a token.

    The error is that on all rows. Below 3,000 rows it is at least that on validation rows by a fit that did
    not see them, and that of cross-validation; what is then behind the fallbacks' errors comes after what is
    not.

    Parameters
    ----------
    X, y : ndarray of shape (n, d) and (n,)
    deadline : float
        A ``time.monotonic()`` after which nothing is cross-validated.
    least_weight : float
        Smallest price of a token: without noise many rows make it tiny, and any length pays.

    Attributes
    ----------
    validated : dict of Expression to float
        Errors over the variance of y on validation rows, as the search adds them.
    fallbacks : dict of Expression to float
        Formulas that nothing should end behind, with their leave-one-out errors over the variance.
    """

    def __init__(self, X: FloatArray, y: FloatArray, deadline: float, *, least_weight: float = 0.0) -> None:
        self.X, self.y, self.deadline = X, y, deadline
        self.weight = max(least_weight, token_weight(len(y)))
        self.validated: dict[Expression, float] = {}
        self.fallbacks: dict[Expression, float] = {}
        self._crossed: dict[Expression, float] = {}
        self._variance = float(np.var(y))

    def fall_back_on(self, law: Expression, error: float) -> None:
        """Add a fallback with its leave-one-out error over the variance."""
        self.fallbacks[law] = self.validated[law] = error

    def rank(self, candidate: _Judged, *, crossed: bool = True) -> Rank:
        """Return a candidate's place in the order; without ``crossed`` a lower bound, which takes no fits."""
        complexity = candidate.complexity or 0
        nmse = float(candidate.loss or 0.0) / self._variance if self._variance else 0.0
        behind = False
        if isinstance(candidate.model, Expression) and 1 < len(self.y) < _MANY:
            nmse = max(nmse, self.validated.get(candidate.model, 0.0))
            if crossed and candidate.model not in self.fallbacks:
                nmse = max(nmse, self._cross(candidate.model))
                behind = _AHEAD * nmse > min(self.fallbacks.values(), default=math.inf)
        return behind, math.log10(max(nmse, EXACT)) + self.weight * complexity, complexity

    def first(
        self, front: Sequence[_Candidate], rank: Callable[[_Candidate, bool], Rank] | None = None
    ) -> tuple[int, Rank]:
        """Return which candidate of a front comes first, and its rank; few are cross-validated for it.

        Parameters
        ----------
        front : sequence
            At least one.
        rank : callable, optional
            Of a candidate and whether to cross-validate it, in place of :meth:`rank`.
        """
        rank = rank or (lambda candidate, crossed: self.rank(candidate, crossed=crossed))
        bounds = sorted((rank(candidate, False), i) for i, candidate in enumerate(front))
        best = bounds[0][1]
        found = rank(front[best], True)
        for bound, i in bounds[1:]:
            if bound >= found or time.monotonic() >= self.deadline:
                break
            if (score := rank(front[i], True)) < found:
                best, found = i, score
        return best, found

    def _cross(self, law: Expression) -> float:
        """Return the error of cross-validation over the variance, 0 once the time is up."""
        if law not in self._crossed:
            error = cross_validated(law, self.X, self.y, deadline=self.deadline)
            if error is None:
                return 0.0
            self._crossed[law] = error / self._variance if self._variance else 0.0
        return self._crossed[law]
