"""Reading the caller's X and y: every complaint names the columns and the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import InputError

__all__ = ["InputTable", "most_correlated", "read_table", "read_target", "unique_names"]

FloatArray = npt.NDArray[np.float64]

MAX_ABSOLUTE = 1e150
"""The largest target: the mean of its squares has to be finite."""


@dataclass(frozen=True, slots=True)
class InputTable:
    """A checked table.

    Attributes
    ----------
    X : ndarray of shape (n, d)
        A float64 copy in C order; the caller's object is never written to.
    names : tuple of str
        The caller's column names; ``x0``, ``x1``, ... where the caller gave none.
    named : bool
        Whether the caller gave names.
    """

    X: FloatArray
    names: tuple[str, ...]
    named: bool


def read_table(X: object) -> InputTable:
    """Check a table and copy it.

    Parameters
    ----------
    X : DataFrame, array or nested sequence of shape (n, d)
        n and d at least 1, every entry a finite number.

    Raises
    ------
    InputError
        On another shape, on columns that are not numbers, and on NaN or infinity: the message names the
        columns and says how many rows.
    """
    columns = getattr(X, "columns", None)
    if columns is not None:
        names = tuple(str(name) for name in columns)
        values = _frame_values(X, names)
    else:
        values = _array_values(X, "X")
        if values.ndim != 2:
            raise InputError(
                f"X must have two dimensions, rows and columns. Got shape {values.shape}. "
                "For a single column use X.reshape(-1, 1)."
            )
        names = tuple(f"x{index}" for index in range(values.shape[1]))
    if values.shape[0] < 1 or values.shape[1] < 1:
        raise InputError(f"X must have at least one row and one column. Got shape {values.shape}.")
    _require_finite(values, names)
    return InputTable(values, names, columns is not None)


def read_target(y: object, n_rows: int) -> FloatArray:
    """Check the target and copy it.

    Parameters
    ----------
    y : Series, array or sequence of shape (n,) or (n, 1)
        Finite numbers.
    n_rows : int
        The rows of X, which y has to match.

    Raises
    ------
    InputError
        On another shape or length, and on NaN or infinity.
    """
    values = _array_values(y, "y")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0].copy()
    if values.ndim != 1:
        raise InputError(f"y must have one dimension. Got shape {values.shape}. Fit one target at a time.")
    if values.shape[0] != n_rows:
        raise InputError(f"X has {n_rows} rows but y has {values.shape[0]}. Give one target for each row.")
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise InputError(
            f"The target y has NaN or infinity in {bad} of {n_rows} rows. Only finite numbers are allowed: "
            "drop or fill those rows."
        )
    if values.size and np.max(np.abs(values)) > MAX_ABSOLUTE:
        raise InputError(
            f"The target y reaches {np.max(np.abs(values)):g}; at most {MAX_ABSOLUTE:g} is allowed, since "
            "its squares must be finite. Rescale y."
        )
    return values


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names with repeated ones told apart: ``a, a`` becomes ``a, a_2``.

    Examples
    --------
    >>> unique_names(["a", "b", "a", "a_2"])
    ('a', 'b', 'a_3', 'a_2')
    """
    taken = set(names)
    seen: Counter[str] = Counter()
    result = []
    for name in names:
        seen[name] += 1
        fresh = name
        while seen[name] > 1 and fresh in taken:
            fresh = f"{name}_{seen[name]}"
            if fresh in taken:
                seen[name] += 1
        taken.add(fresh)
        result.append(fresh)
    return tuple(result)


def most_correlated(X: FloatArray, y: FloatArray, n_columns: int) -> tuple[int, ...]:
    """Return the indices, in order, of the columns with the largest absolute Pearson correlation with y.

    A constant column has correlation 0; of equals the first is taken.
    """
    centred = X / np.maximum(np.max(np.abs(X), axis=0), np.finfo(float).tiny)
    centred = centred - centred.mean(axis=0)
    target = y / max(float(np.max(np.abs(y))), np.finfo(float).tiny)
    target = target - target.mean()
    norms = np.linalg.norm(centred, axis=0) * np.linalg.norm(target)
    correlation = np.divide(np.abs(target @ centred), norms, out=np.zeros(X.shape[1]), where=norms > 0)
    ranked = np.argsort(-correlation, kind="stable")[:n_columns]
    return tuple(sorted(int(index) for index in ranked))


def _frame_values(frame: object, names: tuple[str, ...]) -> FloatArray:
    try:
        return np.array(frame, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        bad = [name for position, name in enumerate(names) if not _is_numeric_column(frame, position)]
    raise InputError(
        f"Every column of X must hold numbers. Got something else in {_listed(bad) or 'some column'}. "
        "Encode or drop those columns."
    )


def _is_numeric_column(frame: object, position: int) -> bool:
    try:
        np.asarray(frame.iloc[:, position], dtype=np.float64)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return False
    return True


def _array_values(values: object, what: str) -> FloatArray:
    try:
        array = np.asarray(values)
        if np.iscomplexobj(array):
            raise TypeError("complex numbers")
        return np.array(array, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{what} must be an array of real numbers. Got {type(values).__name__} ({error})."
        ) from error


def _require_finite(values: FloatArray, names: tuple[str, ...]) -> None:
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    per_column, rows = bad.sum(axis=0), bad.any(axis=1)
    columns = [f"{names[i]!r} ({per_column[i]} rows)" for i in np.flatnonzero(per_column)]
    shown = ", ".join(columns[:20]) + (f" and {len(columns) - 20} more columns" if len(columns) > 20 else "")
    raise InputError(
        f"X has NaN or infinity in {int(rows.sum())} of {values.shape[0]} rows, in column {shown}. "
        "Only finite numbers are allowed: drop or fill those rows."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:20])
