"""Formulas compiled to arrays that the kernels run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import ExpressionError, InputError
from srbench_ext.expression.core import ARITIES, check_prefix
from srbench_ext.expression.kernels import (
    OP_COLUMN,
    OP_CONSTANT,
    OP_INTEGER_POWER,
    OP_LITERAL,
    jacobian_kernel,
    value_kernel,
)
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI

__all__ = ["OPCODES", "Program", "as_code", "as_columns", "as_prefix", "compile_prefix", "is_small"]

FloatArray = npt.NDArray[np.float64]

OPCODES = {name: operator.opcode for name, operator in OPERATORS.items()}
_POW = OPCODES["pow"]
_MAX_POWER = 64  # larger integer exponents go through the general power


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A compiled prefix; equal and hashed by its prefix.

    Attributes
    ----------
    prefix : tuple of str
        What was compiled.
    n_constants : int
        Number of ``C`` tokens.
    n_columns : int
        Number of columns a table must have at least.
    code : (m, 4) int64 array
        Nodes in postfix order; see :mod:`srbench_ext.expression.kernels`.
    literals : (l,) float64 array
        The fixed numbers (integers and pi).
    """

    prefix: tuple[str, ...]
    n_constants: int
    n_columns: int
    code: npt.NDArray[np.int64] = field(repr=False)
    literals: FloatArray = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.prefix == other.prefix

    def __hash__(self) -> int:
        return hash(self.prefix)

    def evaluate(self, X: npt.ArrayLike, constants: npt.ArrayLike = ()) -> FloatArray:
        """Return the values (n,) on a table X (n, d) for the given constants (k,)."""
        columns = as_columns(X)
        self.check_columns(columns)
        return self.evaluate_columns(columns, constants)

    def evaluate_columns(self, columns: FloatArray, constants: npt.ArrayLike = ()) -> FloatArray:
        """Return the values (n,) on columns (d, n) as :func:`as_columns` gives them; they are not checked."""
        out = np.empty(columns.shape[1])
        value_kernel(self.code, self.literals, self._constants(constants), columns, out)
        return out

    def evaluate_with_jacobian(
        self, X: npt.ArrayLike, constants: npt.ArrayLike = ()
    ) -> tuple[FloatArray, FloatArray]:
        """Return values (n,) and derivatives by the constants (n, k), in one pass.

        Where a derivative is infinite or one-sided while the value is finite (``sqrt`` at 0, ``asin`` at 1,
        ``abs`` at 0, the exponent of a base that is not positive) it is given as 0.
        """
        columns = as_columns(X)
        self.check_columns(columns)
        out = np.empty(columns.shape[1])
        jacobian = np.empty((self.n_constants, columns.shape[1]))
        jacobian_kernel(self.code, self.literals, self._constants(constants), columns, out, jacobian)
        return out, jacobian.T

    def check_columns(self, columns: FloatArray) -> None:
        """Raise InputError if columns (d, n) lack one that the program uses."""
        if columns.shape[0] < self.n_columns:
            raise InputError(
                f"The formula uses column x{self.n_columns - 1} but X has {columns.shape[0]} columns. "
                "Give the table the formula was made for."
            )

    def _constants(self, constants: npt.ArrayLike) -> FloatArray:
        values = np.array(constants, dtype=np.float64)
        if values.shape != (self.n_constants,):
            raise InputError(
                f"The formula has {self.n_constants} constants. Got values of shape {values.shape}; "
                f"give {self.n_constants} numbers."
            )
        return values


def as_columns(X: npt.ArrayLike) -> FloatArray:
    """Return a table X (n, d) as a contiguous, writable float64 array (d, n): one type for the kernels.

    Raises
    ------
    InputError
        If X is not a table of numbers.
    """
    try:
        table = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"X must be a table of numbers (n rows, d columns). {error}") from error
    if table.ndim != 2:
        raise InputError(
            f"X must have two dimensions (n rows, d columns). Got shape {table.shape}; "
            "a single column is X.reshape(-1, 1)."
        )
    columns = np.ascontiguousarray(table.T)
    return columns if columns.flags.writeable else columns.copy()


@lru_cache(maxsize=4096)
def _compile(prefix: tuple[str, ...]) -> Program:
    n_constants, variables = check_prefix(prefix)
    code: list[int] = []  # flat, four numbers a node: faster than a list of rows
    literals: list[float] = []
    below: list[int] = []  # by node, whether a constant is below it
    stack: list[int] = []
    seen = n_constants
    for node, token in enumerate(reversed(prefix)):
        arity = ARITIES[token]
        if arity:
            first = stack.pop()
            second = stack.pop() if arity == 2 else first
            below.append(below[first] | below[second])
            opcode = OPCODES[token]
            if opcode == _POW and code[4 * second] == OP_LITERAL and is_small(literals[code[4 * second + 1]]):
                code += (OP_INTEGER_POWER, first, int(literals[code[4 * second + 1]]), below[first])
            else:
                code += (opcode, first, second, below[node])
        elif token == CONSTANT:
            seen -= 1
            below.append(1)
            code += (OP_CONSTANT, seen, 0, 1)
        elif token[0] == "x":
            below.append(0)
            code += (OP_COLUMN, int(token[1:]), 0, 0)
        else:
            below.append(0)
            code += (OP_LITERAL, len(literals), 0, 0)
            literals.append(math.pi if token == PI else float(token))
        stack.append(node)
    n_columns = variables[-1] + 1 if variables else 0
    return Program(prefix, n_constants, n_columns, as_code(code), np.array(literals, dtype=np.float64))


def as_code(flat: list[int]) -> npt.NDArray[np.int64]:
    """Return the nodes (m, 4) of a flat list."""
    return np.array(flat, dtype=np.int64).reshape(-1, 4)


def is_small(exponent: float) -> bool:
    """Whether a power with this exponent is computed by multiplication."""
    return exponent.is_integer() and abs(exponent) <= _MAX_POWER


def compile_prefix(prefix: Iterable[str]) -> Program:
    """Compile prefix tokens; the last few thousand programs are kept.

    Raises
    ------
    ExpressionError
        If the tokens are not one complete formula.
    """
    return _compile(as_prefix(prefix))


def as_prefix(tokens: Iterable[str]) -> tuple[str, ...]:
    """Return the tokens as a tuple; ExpressionError for a string, whose letters are not meant.

    Whether they are a complete formula is not checked.
    """
    if isinstance(tokens, str):
        raise ExpressionError(f"Tokens must be a sequence of strings. Got the string {tokens!r}.")
    return tuple(tokens)
