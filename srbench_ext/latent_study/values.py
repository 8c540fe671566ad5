"""What decoded skeletons are worth as functions: values, likeness, and fit to a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from srbench_ext.corpus.families import FamilyTable
from srbench_ext.expression import ConstantFit, compile_prefix, fit_constants
from srbench_ext.expression.constants import spread_constants
from srbench_ext.latent_study.spaces import Skeleton, Table

__all__ = ["FINITE_SHARE", "WELL_FITTED", "Fits", "control", "is_valid", "likenesses", "unlikeness"]

FloatArray = NDArray[np.float64]

FINITE_SHARE = 0.95
"""Share of rows on which a valid formula is finite."""

_COMPARED_SHARE = 0.5  # of the rows, on which both formulas have to be finite to be compared
_CONSTANT = 1e-9  # deviation over largest absolute value below which a formula does not vary
_STARTS = 8
WELL_FITTED = 0.99
"""R² of a formula that counts as fitting."""


def is_valid(skeleton: Skeleton | None, X: FloatArray) -> bool:
    """Return whether there is a formula and it is finite on 95% of the rows of X for some constants.

    Tried are ones and :func:`~srbench_ext.expression.constants.spread_constants`: a skeleton leaves its
    constants open, and a logarithm of centred columns with all of them at one would be valid nowhere.
    """
    if skeleton is None:
        return False
    program = compile_prefix(skeleton)
    k = program.n_constants
    choices = [np.ones(k), *(spread_constants(k) if k else ())]
    return any(np.isfinite(program.evaluate(X, each)).mean() >= FINITE_SHARE for each in choices)


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
    """Skeletons on one table, with constants, scale and offset from the shared fitter; each is fitted once.

    Parameters
    ----------
    table : tuple of ndarray
        X (n, d) and y (n,); y is not constant.
    """

    def __init__(self, table: Table) -> None:
        self._X, self._y = table
        self._known: dict[Skeleton, ConstantFit | None] = {}

    def r2(self, skeleton: Skeleton | None) -> float | None:
        """Return R² on the rows of the fit, None where there is no formula or it is not finite on them."""
        fit = self._fit(skeleton)
        return None if fit is None else 1.0 - fit.loss / float(np.var(self._y))

    def values(self, skeleton: Skeleton | None, X: FloatArray) -> FloatArray:
        """Return the values (m,) of the fitted formula on X (m, d); NaN where there is none."""
        fit = self._fit(skeleton)
        if fit is None:
            return np.full(len(X), np.nan)
        with np.errstate(all="ignore"):
            return fit.expression.evaluate(X)

    def _fit(self, skeleton: Skeleton | None) -> ConstantFit | None:
        if skeleton is None:
            return None
        if skeleton not in self._known:
            fit = fit_constants(skeleton, self._X, self._y, n_starts=_STARTS)
            self._known[skeleton] = fit if np.isfinite(fit.loss) else None
        return self._known[skeleton]


def control(tables: Sequence[FamilyTable]) -> pd.DataFrame:
    """Return what the study's measures say of the tables' own laws: what a perfect decoder would get.

    Columns: ``family``, ``variables``, ``tables``, and of the law's skeleton the shares that are ``valid``,
    ``fitted`` (finite with fitted constants) and ``law_r2`` (R² above 0.99 with fitted constants).
    """
    rows = []
    for table in tables:
        r2 = Fits((table.X, table.y)).r2(table.skeleton)
        rows.append(
            {
                "family": table.family,
                "variables": table.n_variables,
                "valid": is_valid(table.skeleton, table.X),
                "fitted": r2 is not None,
                "law_r2": r2 is not None and r2 > WELL_FITTED,
            }
        )
    grouped = pd.DataFrame(rows).groupby(["family", "variables"])
    shares = grouped[["valid", "fitted", "law_r2"]].mean()
    shares.insert(0, "tables", grouped.size())
    return shares.reset_index()
