"""The formula itself: an immutable value of prefix tokens, constants and column names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import ExpressionError
from srbench_ext.expression.operators import (
    CONSTANT,
    OPERATORS,
    PI,
    is_integer,
    is_variable,
    variable_index,
)

__all__ = ["ARITIES", "MAX_TOKENS", "Expression", "check_prefix", "subtree_end"]

MAX_TOKENS = 10_000
_MOST_TOKENS_KEPT = 10_000
_MAX_DIGITS = 15  # an integer token is exact in float64; a column number is far smaller


@dataclass(frozen=True, slots=True)
class Expression:
    """A formula over the columns of a table.

    Parameters
    ----------
    prefix : tuple of str
        Tokens in prefix order; see :mod:`srbench_ext.expression.operators`.
    constants : tuple of float
        One finite number for each token ``C``, in order of appearance.
    names : tuple of str or None
        The caller's column names, all of them; None stands for ``x0``, ``x1``, ...

    Raises
    ------
    ExpressionError
        If the tokens are not one complete formula, or constants or names do not fit them.

    Examples
    --------
    >>> e = Expression(("add", "mul", "C", "x0", "sin", "x1"), (2.5,))
    >>> str(e), e.complexity, e.variables
    ('2.5*x0 + sin(x1)', 6, (0, 1))
    """

    prefix: tuple[str, ...]
    constants: tuple[float, ...] = ()
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", tuple(self.prefix))
        object.__setattr__(self, "constants", tuple(float(c) for c in self.constants))
        n_constants, variables = check_prefix(self.prefix)
        if len(self.constants) != n_constants:
            raise ExpressionError(
                f"The formula has {n_constants} constants 'C' but {len(self.constants)} values were given. "
                "Give one value for each, in order of appearance."
            )
        if not all(map(math.isfinite, self.constants)):
            raise ExpressionError(f"Constants must be finite numbers. Got {self.constants!r}.")
        if self.names is not None:
            object.__setattr__(self, "names", _check_names(self.names, variables))

    @property
    def complexity(self) -> int:
        """Number of prefix tokens."""
        return len(self.prefix)

    @property
    def n_constants(self) -> int:
        """Number of fitted constants."""
        return len(self.constants)

    @property
    def variables(self) -> tuple[int, ...]:
        """Column indices that the formula uses, sorted."""
        return check_prefix(self.prefix)[1]

    @property
    def skeleton(self) -> tuple[str, ...]:
        """The tokens without the values of the constants."""
        return self.prefix

    def with_constants(self, values: Iterable[float]) -> Expression:
        """Return the same formula with other constants."""
        return replace(self, constants=tuple(values))

    def with_names(self, names: Iterable[str] | None) -> Expression:
        """Return the same formula with other column names."""
        return replace(self, names=None if names is None else tuple(names))

    def substitute_variables(self, mapping: Mapping[int, int]) -> Expression:
        """Return the formula with column ``i`` replaced by ``mapping[i]``; the names are dropped.

        Columns that the mapping does not name stay as they are.
        """
        tokens = [
            f"x{mapping.get(variable_index(t), variable_index(t))}" if is_variable(t) else t
            for t in self.prefix
        ]
        return Expression(tuple(tokens), self.constants)

    def evaluate(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the values (n,) on a table X (n, d); NaN or infinity outside of the domain."""
        from srbench_ext.expression.evaluation import evaluate

        return evaluate(self, X)

    def __str__(self) -> str:
        from srbench_ext.expression.formatting import format_infix

        return format_infix(self)


def _check_names(names: Iterable[str], variables: tuple[int, ...]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise ExpressionError(f"Column names must be a sequence of strings. Got the string {names!r}.")
    names = tuple(names)
    if not all(isinstance(name, str) for name in names):
        raise ExpressionError(f"Column names must be strings. Got {names!r}.")
    if variables and variables[-1] >= len(names):
        raise ExpressionError(
            f"The formula uses column {variables[-1]} but there are only {len(names)} column names. "
            "Give the names of all columns of the table."
        )
    return names


@lru_cache(maxsize=8192)
def check_prefix(prefix: tuple[str, ...]) -> tuple[int, tuple[int, ...]]:
    """Check that the tokens are one complete formula.

    Returns
    -------
    n_constants : int
        How many tokens are ``C``.
    variables : tuple of int
        The column indices used, sorted.

    Raises
    ------
    ExpressionError
        On an unknown token, on missing or spare tokens, or on more than ``MAX_TOKENS`` tokens.
    """
    if not 0 < len(prefix) <= MAX_TOKENS:
        raise ExpressionError(f"A formula has 1 to {MAX_TOKENS} tokens. Got {len(prefix)}.")
    missing = 1
    for position, token in enumerate(prefix):
        if missing == 0:
            raise ExpressionError(
                f"The formula is complete after {position} tokens, but {token!r} follows. Remove it."
            )
        missing += ARITIES[token] - 1
    if missing:
        raise ExpressionError(f"The formula {' '.join(prefix)[:200]!r} lacks {missing} operands at its end.")
    columns = sorted({int(token[1:]) for token in prefix if token[0] == "x"})
    return prefix.count(CONSTANT), tuple(columns)


def _check_token(token: str) -> None:
    if not isinstance(token, str):
        raise ExpressionError(f"Tokens must be strings. Got {token!r}.")
    if token in OPERATORS or token in (CONSTANT, PI):
        return
    if (is_variable(token) or is_integer(token)) and token.isascii():
        if len(token.lstrip("-x")) <= _MAX_DIGITS:
            return
        raise ExpressionError(f"The number in token {token!r} has more than {_MAX_DIGITS} digits.")
    raise ExpressionError(
        f"Unknown token {token!r}. Allowed: {', '.join(OPERATORS)}, x0, x1, ..., {CONSTANT}, {PI}, integers."
    )


class _Arities(dict[str, int]):
    """How many operands each token takes, known tokens being looked up and new ones checked once."""

    def __missing__(self, token: str) -> int:
        _check_token(token)
        if len(self) < _MOST_TOKENS_KEPT:
            self[token] = 0
        return 0


ARITIES = _Arities({name: operator.arity for name, operator in OPERATORS.items()})
"""Arity by token; looking up what is no token raises ExpressionError."""


def subtree_end(prefix: tuple[str, ...] | list[str], start: int) -> int:
    """Return the position after the subtree that begins at ``start``."""
    arities = ARITIES
    missing = 1
    while missing:
        missing += arities[prefix[start]] - 1
        start += 1
    return start
