"""The operator list: every symbol a formula may contain, and nothing else.

A formula is written in prefix order as a tuple of string tokens:

========== ==================================================================
operator   a name of :data:`OPERATORS`
variable   ``x0``, ``x1``, ... : the column index in the caller's table
constant   ``C``: a number kept beside the tokens, in order of appearance
integer    ``-3``, ``0``, ``12``: a fixed number that is never fitted
pi         ``pi``
========== ==================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "BINARY",
    "CONSTANT",
    "OPERATORS",
    "PI",
    "UNARY",
    "Operator",
    "arity",
    "is_integer",
    "is_variable",
    "variable_index",
]

CONSTANT = "C"
PI = "pi"

_VARIABLE = re.compile(r"x(\d+)\Z")
_INTEGER = re.compile(r"-?\d+\Z")


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    Attributes
    ----------
    name : str
        Its token.
    arity : int
        1 or 2.
    opcode : int
        Its number in compiled programs; never changes, since weights and records depend on it.
    commutative : bool
        Whether the two operands may be swapped.
    """

    name: str
    arity: int
    opcode: int
    commutative: bool = False


_LIST = (
    Operator("add", 2, 1, commutative=True),
    Operator("sub", 2, 2),
    Operator("mul", 2, 3, commutative=True),
    Operator("div", 2, 4),
    Operator("pow", 2, 5),
    Operator("max", 2, 6, commutative=True),
    Operator("min", 2, 7, commutative=True),
    Operator("neg", 1, 10),
    Operator("inv", 1, 11),
    Operator("pow2", 1, 12),
    Operator("pow3", 1, 13),
    Operator("sqrt", 1, 14),
    Operator("exp", 1, 15),
    Operator("log", 1, 16),
    Operator("sin", 1, 17),
    Operator("cos", 1, 18),
    Operator("tan", 1, 19),
    Operator("asin", 1, 20),
    Operator("acos", 1, 21),
    Operator("atan", 1, 22),
    Operator("sinh", 1, 23),
    Operator("cosh", 1, 24),
    Operator("tanh", 1, 25),
    Operator("abs", 1, 26),
)

OPERATORS = MappingProxyType({op.name: op for op in _LIST})
UNARY = tuple(op.name for op in _LIST if op.arity == 1)
BINARY = tuple(op.name for op in _LIST if op.arity == 2)


def arity(token: str) -> int:
    """Return how many operands a token takes (0 for a leaf)."""
    operator = OPERATORS.get(token)
    return operator.arity if operator else 0


def is_variable(token: str) -> bool:
    """Whether the token names a column (``x0``, ``x1``, ...)."""
    return _VARIABLE.match(token) is not None


def is_integer(token: str) -> bool:
    """Whether the token is a fixed integer."""
    return _INTEGER.match(token) is not None


def variable_index(token: str) -> int:
    """Return the column index of a variable token."""
    match = _VARIABLE.match(token)
    if match is None:
        raise ValueError(f"{token!r} is not a variable token such as 'x0'.")
    return int(match.group(1))
