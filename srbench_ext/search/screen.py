"""A quick look at a formula: its error on few rows after few steps of the fit, without Python in the loop.

A fit that is kept costs several compilations and an Expression; most formulas of a search are not kept. This
compiles the tokens straight to the kernel's code and returns the error alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from srbench_ext.expression.kernels import OP_COLUMN, OP_CONSTANT, OP_LITERAL, fit_kernel
from srbench_ext.expression.operators import OPERATORS, PI
from srbench_ext.search.form import Tokens

__all__ = ["Screen"]

FloatArray = npt.NDArray[np.float64]

_OPERATORS = {name: (operator.opcode, operator.arity) for name, operator in OPERATORS.items()}
_MAX_CONSTANT = 1e8


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """Rows to look at formulas on.

    Attributes
    ----------
    columns : ndarray of shape (d, n)
        Contiguous.
    target : ndarray of shape (n,)
        Mean 0 and mean square 1.
    max_iterations : int
        Steps of Levenberg-Marquardt.
    """

    columns: FloatArray
    target: FloatArray
    max_iterations: int

    def look(self, tokens: Tokens) -> tuple[float, list[float]]:
        """Return the error and the constants that have it.

        The error is the squared error over the variance with scale and offset fitted, infinite if undefined.
        """
        code, literals, starts = _compile(tokens)
        best = np.empty(starts.shape[1])
        loss, _, _, _ = fit_kernel(
            code,
            literals,
            self.columns,
            self.target,
            True,
            1.0,
            starts,
            self.max_iterations,
            _MAX_CONSTANT,
            best,
        )
        return float(loss) / len(self.target), best[::-1].tolist()


def _compile(tokens: Tokens) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray]:
    """Return the kernel's code, literals and the values of the constants as one start (1, k)."""
    code: list[int] = []  # flat, four numbers a node: faster than a list of rows
    literals: list[float] = []
    constants: list[float] = []
    stack: list[tuple[int, int]] = []  # of node number and whether a constant is below it
    for node, token in enumerate(reversed(tokens)):
        below = 0
        if not isinstance(token, str):
            below = 1
            code += (OP_CONSTANT, len(constants), 0, 1)
            constants.append(token)
        elif token in _OPERATORS:
            opcode, arity = _OPERATORS[token]
            first, below = stack.pop()
            second = first
            if arity == 2:
                second, other = stack.pop()
                below |= other
            code += (opcode, first, second, below)
        elif token[0] == "x":
            code += (OP_COLUMN, int(token[1:]), 0, 0)
        else:
            code += (OP_LITERAL, len(literals), 0, 0)
            literals.append(math.pi if token == PI else float(token))
        stack.append((node, below))
    return (
        np.array(code, dtype=np.int64).reshape(-1, 4),
        np.array(literals, dtype=np.float64),
        np.array([constants], dtype=np.float64),
    )
