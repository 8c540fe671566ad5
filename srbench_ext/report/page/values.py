"""Values and tables of the page: numbers short, and none that JSON lacks."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from srbench_ext.report.markup import Columns

__all__ = ["grid", "plain"]

_DIGITS = 8


def plain(value: object) -> object:
    """Return a value as JSON has it.

    Parameters
    ----------
    value : object
        A number (also numpy's), text, a truth value or None.

    Returns
    -------
    object
        Floats of 8 significant digits; ``"Infinity"`` and ``"-Infinity"``, which the page reads as numbers;
        None for NaN.

    Examples
    --------
    >>> plain(1 / 3), plain(float("-inf")), plain(float("nan")), plain(True)
    (0.33333333, '-Infinity', None, True)
    """
    number = value.item() if hasattr(value, "item") else value
    if not isinstance(number, float):
        return number
    if math.isnan(number):
        return None
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return float(f"{number:.{_DIGITS}g}")


def grid(columns: Columns, frame: pd.DataFrame) -> dict[str, Any]:
    """Return a table that the page can sort and filter.

    Parameters
    ----------
    columns : dict
        Heading and format of every column; those that the frame lacks are left out.
    frame : pandas.DataFrame

    Returns
    -------
    dict
        ``columns`` with ``key``, ``head`` and ``spec``, and ``rows`` of values as :func:`plain` returns them.
    """
    names = [name for name in columns if name in frame]
    values = zip(*(frame[name].tolist() for name in names), strict=True)
    return {
        "columns": [{"key": name, "head": columns[name][0], "spec": columns[name][1]} for name in names],
        "rows": [[plain(value) for value in row] for row in values],
    }
