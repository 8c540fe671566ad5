"""Sums of small features, one term more at a time, for tables that no short law explains.

Forward selection (Efroymson 1960) with an orthogonal basis, over a library of monomials and elementary
functions. What a further term has to explain is Schwarz's criterion plus the price of naming the feature:
twice the logarithm of its place in the library, as in the extended criterion of Chen and Chen
(doi:10.1093/biomet/asn034), whose count of candidates this takes to be the simpler ones.
"""

from __future__ import annotations

import math
import time

import numpy as np
import numpy.typing as npt

from srbench_ext.search.library import Library, feature_library
from srbench_ext.search.linear import weighted_sum
from srbench_ext.search.threads import one_blas_thread

__all__ = ["stepwise_sums", "sums_of"]

FloatArray = npt.NDArray[np.float64]
Tokens = tuple[str | float, ...]

_FEATURES = 3000
_FEWEST_ROWS = 20
_LARGEST_SHARE = 0.3  # of the square of what a feature adds on one row: more, and that row decides alone
_LEAST_LEFT = 1e-3  # of a feature's square that the terms before do not explain
_ROWS_A_TERM = 5


def stepwise_sums(
    Z: FloatArray, t: FloatArray, *, most: int = 12, deadline: float | None = None
) -> list[Tokens]:
    """Return sums of one, two, and so on of the features that explain most, with their coefficients.

    Parameters
    ----------
    Z : ndarray of shape (n, k)
        Columns.
    t : ndarray of shape (n,)
        Target; all rows are used.
    most : int
        Largest number of terms; one for five rows is another bound.
    deadline : float or None
        A ``time.monotonic()`` after which no further term is chosen.

    Returns
    -------
    list of tuple of str or float
        Prefix order, with numbers for constants; as many terms as the criterion asks for at most, a sum with
        fewer before one with more. None where there are fewer than 20 rows or the target does not vary.

    Notes
    -----
    Half a second for 1,000 rows of ten columns. Coefficients are those of least squares on the rows given.
    """
    if len(t) < _FEWEST_ROWS or np.ptp(t) == 0:
        return []
    with one_blas_thread():
        return sums_of(feature_library(Z, most=_FEATURES), t, most=most, deadline=deadline)


def sums_of(
    library: Library,
    t: FloatArray,
    *,
    most: int = 12,
    enough: float = 0.0,
    deadline: float | None = None,
) -> list[Tokens]:
    """Return sums of features of a library, as :func:`stepwise_sums` does of its own.

    Parameters
    ----------
    library : Library
        A feature's place in it is part of its price.
    t : ndarray of shape (n,)
        Target, on the rows of the library.
    enough : float
        A sum whose error is at most this share of the variance gets no further term.
    most, deadline
        As in :func:`stepwise_sums`.
    """
    if len(t) < _FEWEST_ROWS or np.ptp(t) == 0 or not len(library):
        return []
    with one_blas_thread(), np.errstate(all="ignore"):  # what overflows is left out
        target = (t - t.mean()) / np.linalg.norm(t - t.mean())
        if not np.isfinite(target).all():
            return []
        most = min(most, len(t) // _ROWS_A_TERM)
        chosen = _selected(library.values, target, most, enough, deadline)
        return [
            _sum(library.values[chosen[:count]], t, [library.tokens[i] for i in chosen[:count]])
            for count in range(1, len(chosen) + 1)
        ]


def _selected(
    values: FloatArray, target: FloatArray, most: int, enough: float, deadline: float | None
) -> list[int]:
    """Return the features in the order of their choice, cut where the criterion is least."""
    n = len(target)
    centred = values - values.mean(axis=1, keepdims=True)
    rest = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    usable = np.flatnonzero(np.isfinite(rest).all(axis=1))
    rest, left = rest[usable], np.ones(len(usable))
    price = 2.0 * np.log(usable + 2.0) + math.log(n)
    chosen: list[int] = []
    paid, best, count = 0.0, 0.0, 0
    for _ in range(most):
        if deadline is not None and time.monotonic() >= deadline:
            break
        spread = (rest**2).max(axis=1) < _LARGEST_SHARE * left
        gain = np.where(
            spread & (left > _LEAST_LEFT), (rest @ target) ** 2 / np.maximum(left, _LEAST_LEFT), 0.0
        )
        if not gain.size or not gain.any():
            break
        error = float(target @ target)
        j = int((n * np.log(np.maximum(error - gain, 1e-12 * error)) + price).argmin())
        if not gain[j]:
            break
        direction = rest[j] / math.sqrt(left[j])
        target = target - (direction @ target) * direction
        along = rest @ direction
        rest = rest - np.outer(along, direction)
        left = np.maximum(left - along**2, 0.0)
        chosen.append(int(usable[j]))
        paid += price[j]
        criterion = n * math.log(max(float(target @ target), 1e-300)) + paid
        if criterion < best:
            best, count = criterion, len(chosen)
        if float(target @ target) <= enough:
            break
    return chosen[:count]


def _sum(values: FloatArray, t: FloatArray, terms: list[Tokens]) -> Tokens:
    matrix = np.column_stack([np.ones(len(t)), *values])
    size = np.linalg.norm(matrix, axis=0)
    solution = np.linalg.lstsq(matrix / size, t, rcond=None)[0] / size
    return weighted_sum(float(solution[0]), zip(map(float, solution[1:]), terms, strict=True))
