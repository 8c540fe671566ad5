"""Sums of terms that a network wrote: for tables that no short formula explains.

A network writes formulas of a few terms; a table of measurements wants more. What it wrote, and every part
of that, is a library of terms, and those that it wrote most often are the likeliest. Forward selection adds
up what the table asks for, and the network is then shown what the sum leaves.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from srbench_ext.expression.core import subtree_end
from srbench_ext.expression.operators import CONSTANT
from srbench_ext.search.archive import Archive, Entry
from srbench_ext.search.form import Tokens, expression_of, skeleton_of, with_values
from srbench_ext.search.library import Library, library_of
from srbench_ext.search.stepwise import sums_of

__all__ = ["Sums", "TermPool"]

FloatArray = NDArray[np.float64]

_LONGEST = 12  # tokens of a term
_MOST = 3000  # terms to choose from
_FORMS = 4  # of a term that differ by the values of its constants
_ENOUGH = 1e-3  # of the variance: what is left then is not worth terms
_SUMS = ("add", "sub", "neg")
_ORIGIN = "sum"
_ROWS = 1000  # at most, that sums are fitted on
_FITTED = 24  # formulas of the archive whose parts join the terms, each time


class Sums:
    """Adds up what was written for one table, and says what the best sum leaves of it.

    Parameters
    ----------
    archive : Archive
        Receives the sums; its best formulas, with their fitted constants, give terms too.
    X, y : ndarray of shape (n, d) and (n,)
        The table of the archive.
    choice : random.Random
        Draws starts of constants, and formulas of the archive.
    """

    def __init__(self, archive: Archive, X: FloatArray, y: FloatArray, choice: random.Random) -> None:
        self.archive, self.X, self.y, self.choice = archive, X, y, choice
        used = archive.rows.training[:_ROWS]
        self.terms = TermPool(X[used], y[used])

    def add(self, formula: Tokens) -> None:
        """Count the terms of a formula; a ``C`` gets a value near 1."""
        self.terms.add(with_values(formula, lambda: self.choice.lognormvariate(0.0, 0.3)))

    def submit(self, deadline: float) -> list[Entry]:
        """Submit sums of the terms, and return those that are on the archive's front now."""
        for member in self.archive.parents(self.choice, _FITTED):
            self.terms.add(member.tokens)
        sums = self.terms.sums(deadline)
        return self.archive.on_front(self.archive.submit(sums, _ORIGIN, bounded=False, deadline=deadline))

    def rest(self) -> FloatArray | None:
        """Return what the best sum leaves of y (n,), where it is the best formula and leaves enough."""
        best = min(self.archive.front(), key=lambda entry: entry.nmse_validation, default=None)
        if best is None or best.origin != _ORIGIN or best.nmse_validation <= _ENOUGH:
            return None
        with np.errstate(all="ignore"):
            rest = self.y - best.expression.evaluate(self.X)
        return rest if np.isfinite(rest).all() and np.ptp(rest) > 0 else None


class TermPool:
    """The terms of the formulas written for one table.

    Parameters
    ----------
    X, y : ndarray of shape (n, d) and (n,)
        The rows that sums are fitted on.
    """

    def __init__(self, X: FloatArray, y: FloatArray) -> None:
        self.X, self.y = X, y
        self._written: Counter[tuple[str, ...]] = Counter()
        self._forms: dict[tuple[str, ...], deque[Tokens]] = {}
        self._values: dict[Tokens, FloatArray] = {}

    def add(self, formula: Tokens) -> None:
        """Count every term and part of a formula by its skeleton; a number stands for a constant.

        Of a skeleton with constants the last few values are kept: each is a term of its own in a sum.
        """
        parts = {skeleton_of(part): part for part in _parts(formula)}
        self._written.update(parts.keys())
        for skeleton, part in parts.items():
            forms = self._forms.setdefault(skeleton, deque(maxlen=_FORMS))
            if part not in forms:
                forms.append(part)

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
        skeletons = sorted(self._written, key=lambda each: (-self._written[each], len(each), each))
        ordered = list(islice((form for each in skeletons for form in self._forms[each]), _MOST))
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
        if token in _SUMS or end - start > _LONGEST or _is_multiple(prefix, start, end):
            continue
        if any(isinstance(each, str) and each.startswith("x") for each in part):
            yield part


def _is_multiple(prefix: tuple[str, ...], start: int, end: int) -> bool:
    """Whether a part is a constant times another part, which is a term itself."""
    if prefix[start] != "mul":
        return False
    second = subtree_end(prefix, start + 1)
    return CONSTANT in (prefix[start + 1], prefix[end - 1] if second == end - 1 else "")
