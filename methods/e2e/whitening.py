"""Whitened inputs, and formulas over them written back in the caller's units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srbench_ext.expression import Expression
from srbench_ext.expression.operators import is_variable, variable_index

__all__ = ["Whitening"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """Mean and standard deviation of every column; the target is left as it is.

    Attributes
    ----------
    mean, deviation : ndarray of shape (d,)
        The deviation of a constant column is 1.
    """

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, X: FloatArray) -> Whitening:
        """Take them from a table (n, d)."""
        deviation = X.std(axis=0)
        deviation[deviation <= 1e-12 * np.abs(X).max(axis=0)] = 1.0
        return cls(X.mean(axis=0), deviation)

    def apply(self, X: FloatArray) -> FloatArray:
        """Return the whitened table."""
        return (X - self.mean) / self.deviation

    def in_raw_units(self, expression: Expression) -> Expression:
        """Write every variable ``x`` as ``(b + a * x)``: four more tokens an occurrence, as in the paper."""
        constants = iter(expression.constants)
        prefix: list[str] = []
        values: list[float] = []
        for token in expression.prefix:
            if is_variable(token):
                column = variable_index(token)
                scale = 1.0 / float(self.deviation[column])
                prefix += ["add", "C", "mul", "C", token]
                values += [-float(self.mean[column]) * scale, scale]
            else:
                prefix.append(token)
                if token == "C":
                    values.append(next(constants))
        return Expression(tuple(prefix), tuple(values), expression.names)
