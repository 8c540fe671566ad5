"""Which rows of a table a search looks at: to screen, to fit, to validate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import InputError

__all__ = ["FEWEST_TO_SPLIT", "RowSets", "split_for_search"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]

FEWEST_TO_SPLIT = 60
"""Fewer rows than this are too few to keep some back: all are used for everything."""


@dataclass(frozen=True, slots=True, eq=False)
class RowSets:
    """Row numbers of a table by their use.

    Attributes
    ----------
    screen : ndarray of int
        A few of the fit rows, for a first look.
    fit : ndarray of int
        For the constants.
    validation : ndarray of int
        For the order of formulas; apart from the fit rows unless the table is small.
    training : ndarray of int
        All rows that are not kept back, the fit rows first.
    """

    screen: IndexArray
    fit: IndexArray
    validation: IndexArray
    training: IndexArray


def split_for_search(
    n_rows: int,
    rng: np.random.Generator,
    *,
    validation_share: float,
    max_fit_rows: int,
    screen_rows: int,
    max_validation_rows: int | None = None,
) -> RowSets:
    """Draw the rows of each use.

    Parameters
    ----------
    n_rows : int
        Rows of the table.
    rng : numpy.random.Generator
        Draws them.
    validation_share : float
        Share of the rows used that is kept back, in [0, 1); ignored below :data:`FEWEST_TO_SPLIT` rows.
    max_fit_rows, screen_rows : int
        At most so many rows to fit and to screen.
    max_validation_rows : int or None
        At most so many validation rows; None for as many as fit rows. Under noise they decide how small a
        difference between two formulas can be told, and cost little.

    Raises
    ------
    InputError
        If there is no row or a limit makes no sense.
    """
    if n_rows < 1 or not 0.0 <= validation_share < 1.0 or max_fit_rows < 1 or screen_rows < 1:
        raise InputError(
            "A search needs at least one row, a validation share in [0, 1) and positive numbers of rows. "
            f"Got {n_rows} rows, share {validation_share}, max_fit_rows {max_fit_rows}, "
            f"screen_rows {screen_rows}."
        )
    order = rng.permutation(n_rows)
    n_validation = round(validation_share * n_rows) if n_rows >= FEWEST_TO_SPLIT else 0
    fit = order[n_validation:][:max_fit_rows]
    most = max_fit_rows if max_validation_rows is None else max_validation_rows
    validation = order[:n_validation][:most] if n_validation else fit
    return RowSets(fit[:screen_rows], fit, validation, order[n_validation:])
