"""Values of a formula on a table, and the reasons why some are not finite."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from srbench_ext.expression.core import Expression
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, is_variable, variable_index
from srbench_ext.expression.program import FloatArray, as_columns, compile_prefix

__all__ = ["evaluate", "why_not_finite"]


def evaluate(e: Expression, X: npt.ArrayLike) -> FloatArray:
    """Evaluate a formula on a table.

    Division by zero, a logarithm of a number that is not positive, a root of a negative number and a negative
    base with a fractional exponent give NaN; overflow gives infinity. There are no warnings and X is not
    written to.

    Parameters
    ----------
    e : Expression
        The formula.
    X : (n, d) array_like
        The table.

    Returns
    -------
    (n,) float64 array

    Raises
    ------
    InputError
        If X is not a table of numbers or has too few columns.
    """
    return compile_prefix(e.prefix).evaluate(X, e.constants)


def why_not_finite(e: Expression, X: npt.ArrayLike) -> Counter[str]:
    """Count the rows that are not finite by the first operator that made them so.

    Returns
    -------
    Counter
        Reason to number of rows, for instance ``{"division by zero": 3, "overflow in exp": 1}``; empty when
        every value is finite. A row counts once, and only if the formula's own value is not finite.
    """
    columns = as_columns(X)
    compile_prefix(e.prefix).check_columns(columns)
    values: list[FloatArray] = []
    reason = np.full(columns.shape[1], "", dtype=object)
    constants = list(e.constants)
    with np.errstate(all="ignore"):
        for token in reversed(e.prefix):
            operator = OPERATORS.get(token)
            if operator is None:
                value = _leaf(token, columns, constants)
                _mark(reason, ~np.isfinite(value), "input is not finite")
            else:
                operands = [values.pop() for _ in range(operator.arity)]
                value = _apply(token, operands)
                fresh = ~np.isfinite(value) & np.logical_and.reduce([np.isfinite(v) for v in operands])
                _mark(reason, fresh & np.isnan(value), _DOMAIN.get(token, f"domain of {token}"))
                _mark(reason, fresh & ~np.isnan(value), f"overflow in {token}")
            values.append(value)
    bad = ~np.isfinite(values[0])
    return Counter(str(text) for text in reason[bad])


_DOMAIN = {
    "div": "division by zero",
    "inv": "division by zero",
    "log": "log of a number that is not positive",
    "sqrt": "square root of a negative number",
    "pow": "negative base with a fractional exponent, or zero with a negative one",
    "asin": "asin of a number outside of [-1, 1]",
    "acos": "acos of a number outside of [-1, 1]",
}


def _mark(reason: npt.NDArray[np.object_], rows: npt.NDArray[np.bool_], text: str) -> None:
    reason[rows & (reason == "")] = text


def _leaf(token: str, columns: FloatArray, constants: list[float]) -> FloatArray:
    if is_variable(token):
        column: FloatArray = columns[variable_index(token)]
        return column
    number = constants.pop() if token == CONSTANT else np.pi if token == PI else float(token)
    return np.full(columns.shape[1], number)


def _apply(token: str, operands: list[FloatArray]) -> FloatArray:
    """One operator through the compiled program, so that there is one definition of its values."""
    leaves = [f"x{i}" for i in range(len(operands))]
    return compile_prefix((token, *leaves)).evaluate(np.stack(operands, axis=1))
