"""Formulas compiled to arrays that the kernels run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import ExpressionError, InputError
from srbench_ext.expression.compilation import compile_kernel, token_codes
from srbench_ext.expression.core import check_prefix
from srbench_ext.expression.kernels import jacobian_kernel, value_kernel

__all__ = ["Program", "as_columns", "as_prefix", "compile_prefix"]

FloatArray = npt.NDArray[np.float64]


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
    n_constants, _ = check_prefix(prefix)
    code, literals = np.empty((len(prefix), 4), dtype=np.int64), np.empty(len(prefix))
    n_literals, n_columns = compile_kernel(token_codes(prefix), code, literals)
    return Program(prefix, n_constants, n_columns, code, literals[:n_literals])


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
