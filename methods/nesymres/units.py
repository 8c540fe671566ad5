"""From the units that the network read to the caller's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import Expression
from srbench_ext.expression.operators import CONSTANT, is_variable, variable_index
from srbench_ext.expression.simplification import rewritten

__all__ = ["in_units"]


def in_units(skeleton: Sequence[str], factors: NDArray[np.float64], rng: np.random.Generator) -> Expression:
    """Return a skeleton over columns times their factors as a formula over the columns.

    Each variable is multiplied by its factor; factors and placeholders that stand side by side become one
    constant, so that a product of variables gains one at most. Where all factors are 1, the formula is the
    skeleton itself.

    Parameters
    ----------
    skeleton : sequence of str
        Prefix tokens with placeholders ``C``.
    factors : ndarray of shape (d,)
        What each column was multiplied by.
    rng : numpy.random.Generator
        Moves the constants by a percent, so that none of them cancel.

    Returns
    -------
    Expression
        With constants to start a fit from: 1 for the placeholders.
    """
    prefix: list[str] = []
    constants: list[float] = []
    for token in skeleton:
        factor = factors[variable_index(token)] if is_variable(token) else 1.0
        if factor != 1.0:
            prefix += ["mul", CONSTANT]
            constants.append(factor)
        prefix.append(token)
        if token == CONSTANT:
            constants.append(1.0)
    whole = Expression(tuple(prefix), tuple(constants))
    if len(prefix) == len(skeleton):
        return whole
    moved = whole.with_constants(np.array(constants) * (1.0 + 0.01 * rng.random(len(constants))))
    try:
        merged = rewritten(moved)
    except ExpressionError:
        merged = None
    return whole if merged is None else merged
