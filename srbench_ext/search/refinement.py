"""The end of a search: the archive's front fitted on all rows, its constants snapped, the result polished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from srbench_ext.expression import Expression, fit_constants, simplify, snap_constants
from srbench_ext.search.archive import EXACT, Archive, Entry
from srbench_ext.search.polishing import polished

__all__ = ["refined_front"]

FloatArray = npt.NDArray[np.float64]

_POLISHING_SECONDS = 0.3  # for one formula
_POLISHED = 3  # formulas that are not exact


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
    """Yield the front's formulas fitted on all rows, snapped, simplified and polished, with entry and step.

    Polishing comes after all else: of every exact formula, the shortest first, then of the best others.

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
    simplified: list[tuple[Expression, Entry]] = []
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
        simplified.append((simplify(snapped), entry))
        yield *simplified[-1], "simplified"
    for formula, entry in _worth_polishing(simplified, X, y):
        until = min(deadline - 0.02, time.monotonic() + _POLISHING_SECONDS)
        if time.monotonic() >= until:
            return
        for shorter in polished(formula, X, y, until):
            yield shorter, entry, "polished"


def _worth_polishing(
    found: list[tuple[Expression, Entry]], X: FloatArray, y: FloatArray
) -> list[tuple[Expression, Entry]]:
    """Return the exact formulas, the shortest first, and a few others in the order in which they came."""
    limit = EXACT * float(np.var(y))
    exact = [pair for pair in found if np.mean((pair[0].evaluate(X) - y) ** 2) <= limit]
    others = [pair for pair in found if pair not in exact]
    return [*sorted(exact, key=lambda pair: pair[0].complexity), *others[:_POLISHED]]
