"""What decoded skeletons are worth as functions: values, likeness, and fit to a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from srbench_ext.expression import compile_prefix
from srbench_ext.latent_study.spaces import Skeleton, Table
from srbench_ext.search.screen import Screen

__all__ = ["FINITE_SHARE", "Fits", "is_valid", "likenesses", "unlikeness", "values_of"]

FloatArray = NDArray[np.float64]

FINITE_SHARE = 0.95
"""Share of rows on which a valid formula is finite."""

_COMPARED_SHARE = 0.5  # of the rows, on which both formulas have to be finite to be compared
_CONSTANT = 1e-9  # deviation over largest absolute value below which a formula does not vary
_FIT_STEPS = 30


def values_of(skeleton: Skeleton, X: FloatArray) -> FloatArray:
    """Return the values (n,) of a skeleton on X (n, d) with every constant at one."""
    program = compile_prefix(skeleton)
    return program.evaluate(X, np.ones(program.n_constants))


def is_valid(skeleton: Skeleton | None, X: FloatArray) -> bool:
    """Return whether there is a formula and it is finite on 95% of the rows of X, constants at one."""
    if skeleton is None:
        return False
    return bool(np.isfinite(values_of(skeleton, X)).mean() >= FINITE_SHARE)


def unlikeness(a: FloatArray, b: FloatArray) -> float:
    """Return 1 less the squared correlation of two functions: their distance up to scale and offset.

    Parameters
    ----------
    a, b : ndarray of shape (n,)
        Values on the same rows; those that are not finite in one of both are left out.

    Returns
    -------
    float
        From 0, alike, to 1: not related, one of both constant, or not comparable because fewer than half of
        the rows are finite. It is the least of 1 and the NMSE of one fitted to the other.
    """
    return float(1.0 - likenesses(np.stack([a, b]))[0, 1])


def likenesses(values: FloatArray) -> FloatArray:
    """Return the squared correlations (R, R) of functions (R, n), as :func:`unlikeness` takes them."""
    known = np.isfinite(values)
    clean = np.where(known, values, 0.0)
    largest = np.abs(clean).max(axis=1, keepdims=True)
    scaled = clean / np.where(largest > 0, largest, 1.0)
    counts = np.maximum(known.sum(axis=1, keepdims=True), 1)
    centred = np.where(known, scaled - scaled.sum(axis=1, keepdims=True) / counts, 0.0)
    size = np.sqrt((centred**2).sum(axis=1, keepdims=True) / counts)
    varies = size[:, 0] > _CONSTANT
    unit = centred / np.where(varies[:, None], size, 1.0)
    mask = known.astype(np.float64)
    n = mask @ mask.T  # rows that both are finite on
    share = np.maximum(n, 1.0)
    mean = (unit @ mask.T) / share  # of the first, on the rows of both
    square = (unit**2 @ mask.T) / share - mean**2
    product = (unit @ unit.T) / share - mean * mean.T
    spread = square * square.T
    defined = spread > _CONSTANT**2
    squared = np.where(defined, product**2 / np.where(defined, spread, 1.0), 0.0)
    both_constant = ~varies[:, None] & ~varies[None, :]
    squared = np.where(both_constant, 1.0, np.clip(squared, 0.0, 1.0))
    found: FloatArray = np.where(n >= _COMPARED_SHARE * values.shape[1], squared, 0.0)
    return found


class Fits:
    """R² of skeletons on one table, constants, scale and offset fitted; each skeleton is fitted once.

    Parameters
    ----------
    table : tuple of ndarray
        X (n, d) and y (n,); y is not constant.
    """

    def __init__(self, table: Table) -> None:
        X, y = table
        centred = (y - y.mean()) / np.abs(y - y.mean()).max()
        target = centred / np.sqrt(np.mean(centred**2))
        self._screen = Screen(np.ascontiguousarray(X.T), target, _FIT_STEPS)
        self._known: dict[Skeleton, float | None] = {}

    def r2(self, skeleton: Skeleton | None) -> float | None:
        """Return R² on the rows of the fit, None where there is no formula or it is not finite on them."""
        if skeleton is None:
            return None
        if skeleton not in self._known:
            nmse, _ = self._screen.look(tuple([1.0 if token == "C" else token for token in skeleton]))
            self._known[skeleton] = 1.0 - nmse if np.isfinite(nmse) else None
        return self._known[skeleton]
