"""The end of a search: the archive's front fitted on all rows, its constants snapped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from srbench_ext.expression import Expression, fit_constants, simplify, snap_constants
from srbench_ext.search.archive import Archive, Entry

__all__ = ["refined_front"]

FloatArray = npt.NDArray[np.float64]


def refined_front(
    archive: Archive,
    X: FloatArray,
    y: FloatArray,
    rng: np.random.Generator,
    *,
    deadline: float,
    max_rows: int = 10_000,
    restore: Callable[[Expression], Expression] | None = None,
) -> Iterator[tuple[Expression, Entry, str]]:
    """Yield the front's formulas fitted on all rows, snapped and simplified, with entry and step.

    Parameters
    ----------
    archive : Archive
    X, y : ndarray of shape (n, d) and (n,)
    rng : numpy.random.Generator
        Draws the rows where there are more than ``max_rows``.
    deadline : float
        A ``time.monotonic()``; the best by the archive's order come first.
    max_rows : int
    restore : callable, optional
        Makes a formula of X of one of the archive's table, where that table is a reduction of X.
    """
    if len(y) > max_rows:
        rows = np.sort(rng.choice(len(y), max_rows, replace=False))
        X, y = X[rows], y[rows]
    for entry in sorted(archive.front(), key=lambda entry: entry.score):
        if deadline - time.monotonic() < 0.02:
            return
        formula = entry.expression if restore is None else restore(entry.expression)
        fit = fit_constants(formula, X, y, n_starts=1, scale_and_offset=restore is None, deadline=deadline)
        yield fit.expression, entry, "refitted"
        if not np.isfinite(fit.loss) or deadline - time.monotonic() < 0.1:
            continue
        snapped = snap_constants(fit.expression, X, y, deadline=deadline)
        yield snapped, entry, "snapped"
        yield simplify(snapped), entry, "simplified"
