"""Cheap variants of a proposal: other columns in its places, constants where it has none.

Decoding a formula takes a hundred times as long as a first look at its error, so that a proposal is
looked at in more than the one form in which the network wrote it. The shape stays the network's.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

from srbench_ext.expression.operators import OPERATORS
from srbench_ext.search.form import Tokens

__all__ = ["permuted", "with_coefficients", "with_offsets"]

_SUMS = ("add", "sub")
_INERT = ("neg", "inv", "abs", "pow2", "pow3", "sqrt")
"""Unaries that a scale of the argument leaves as they are, up to a scale."""


def permuted(tokens: Tokens, columns: Sequence[int], choice: random.Random, most: int) -> Iterator[Tokens]:
    """Yield the formula with other columns in the places of its variables.

    Parameters
    ----------
    tokens : Tokens
    columns : sequence of int
        Those that may be used.
    choice : random.Random
        Draws the columns where there are more than ``most`` ways.
    most : int
    """
    used = sorted({token for token in tokens if isinstance(token, str) and token[0] == "x"})
    if not used or len(used) > len(columns):
        return
    seen = {tuple(used)}
    ways = math.perm(len(columns), len(used)) - 1
    for _ in range(2 * min(most, ways)):
        others = tuple(f"x{column}" for column in choice.sample(list(columns), len(used)))
        if others in seen:
            continue
        seen.add(others)
        mapping = dict(zip(used, others, strict=True))
        yield tuple(mapping.get(token, token) if isinstance(token, str) else token for token in tokens)
        if len(seen) > most:
            return


def with_coefficients(tokens: Tokens) -> Tokens:
    """Return the formula with a coefficient on every term of a sum and on every argument of a function."""
    return _rebuilt(tokens, _coefficient)


def with_offsets(tokens: Tokens) -> Tokens:
    """Return the formula with an offset on every variable."""
    return _rebuilt(tokens, _offset)


def _coefficient(parent: str | float | None, subtree: Tokens) -> Tokens:
    wanted = parent in _SUMS or (
        isinstance(parent, str)
        and parent in OPERATORS
        and OPERATORS[parent].arity == 1
        and parent not in _INERT
    )
    if not wanted or not isinstance(subtree[0], str) or _has_factor(subtree):
        return subtree
    return ("mul", 1.0, *subtree)


def _offset(parent: str | float | None, subtree: Tokens) -> Tokens:
    is_variable = isinstance(subtree[0], str) and subtree[0][0] == "x"
    if not is_variable or parent in _SUMS:
        return subtree
    return ("add", 0.01, *subtree)


def _has_factor(subtree: Tokens) -> bool:
    return subtree[0] in ("mul", "div") and not isinstance(subtree[1], str)


def _rebuilt(tokens: Tokens, change: object) -> Tokens:
    """Return the formula with every operand replaced by what ``change(parent, operand)`` makes of it."""
    assert callable(change)
    position = 0

    def read(parent: str | float | None) -> Tokens:
        nonlocal position
        token = tokens[position]
        position += 1
        if isinstance(token, str) and token in OPERATORS:
            children = [read(token) for _ in range(OPERATORS[token].arity)]
            subtree: Tokens = (token, *(part for child in children for part in child))
        else:
            subtree = (token,)
        return change(parent, subtree)  # type: ignore[no-any-return]

    return read(None)
