"""Numbers of the page: short, and none that JSON lacks."""

from __future__ import annotations

import math

__all__ = ["plain"]

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
