"""Sums of terms that the network wrote: for tables that no short formula explains.

The network writes formulas of a few terms; a table of measurements wants more. What it wrote, and every part
of that, is a library of terms, and those that it wrote most often are the likeliest. Forward selection adds
up what the table asks for, and the network is then shown what the sum leaves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from srbench_ext.expression.core import subtree_end
from srbench_ext.search import Library, Tokens, expression_of, library_of, sums_of
from srbench_ext.search.form import skeleton_of

__all__ = ["TermPool"]

FloatArray = NDArray[np.float64]

_LONGEST = 12  # tokens of a term
_MOST = 3000  # terms to choose from
_ENOUGH = 1e-3  # of the variance: what is left then is not worth terms
_SUMS = ("add", "sub", "neg")


class TermPool:
    """The terms of the formulas written for one table.

    Parameters
    ----------
    X, y : ndarray of shape (n, d) and (n,)
        The rows that sums are fitted on.
    """

    def __init__(self, X: FloatArray, y: FloatArray) -> None:
        self.X, self.y = X, y
        self._written: Counter[Tokens] = Counter()
        self._values: dict[Tokens, FloatArray] = {}

    def add(self, formula: Tokens) -> None:
        """Count every term and part of a formula; a number stands for a constant."""
        self._written.update(set(_parts(formula)))

    def sums(self, deadline: float) -> list[Tokens]:
        """Return sums with one term more each, as many as the rows pay for; none of one term only.

        Parameters
        ----------
        deadline : float
            A ``time.monotonic()`` after which no further term is chosen.
        """
        return sums_of(self._library(), self.y, enough=_ENOUGH, deadline=deadline)[1:]

    def _library(self) -> Library:
        """Return the terms, those written most often and the shorter of them first."""
        ordered = sorted(self._written, key=lambda term: (-self._written[term], len(term), repr(term)))[
            :_MOST
        ]
        with np.errstate(all="ignore"):
            for term in ordered:
                if term not in self._values:
                    self._values[term] = expression_of(term).evaluate(self.X)
        self._values = {term: self._values[term] for term in ordered}
        return library_of(self._values.items(), len(self.y), most=_MOST)


def _parts(formula: Tokens) -> Iterator[Tokens]:
    """Yield the subtrees with a variable that are no sums themselves, short enough to be one term."""
    prefix = skeleton_of(formula)
    for start, token in enumerate(prefix):
        end = subtree_end(prefix, start)
        part = formula[start:end]
        if token in _SUMS or end - start > _LONGEST:
            continue
        if any(isinstance(each, str) and each.startswith("x") for each in part):
            yield part
