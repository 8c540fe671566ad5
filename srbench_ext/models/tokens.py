"""One vocabulary for every network: operators, variables, integers, placeholder and number tokens.

The first token of a sequence chooses what follows:

============== ========================================================================
``<skeleton>``  the formula with placeholders, ``<eos>``
``<numeric>``   the formula with its constants as sign, mantissa and exponent, ``<eos>``
``<infill>``    the formula with one subtree replaced by ``<hole>``, ``<sep>``, then the
                subtree that belongs there, ``<eos>``
============== ========================================================================
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from srbench_ext.errors import ExpressionError
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI

__all__ = ["MAX_VARIABLES", "MODES", "Vocabulary", "number_tokens", "read_number"]

MAX_VARIABLES = 10
MODES = ("<skeleton>", "<numeric>", "<infill>")
_SPECIAL = ("<pad>", "<eos>", *MODES, "<hole>", "<sep>", "<free0>", "<free1>", "<free2>")
_INTEGERS = tuple(str(i) for i in range(10))
_EXPONENTS = range(-20, 21)


def number_tokens(value: float, digits: int = 4) -> list[str]:
    """Write a number as sign, mantissa in groups of two digits, and exponent.

    ``-2.4242`` with four digits is ``- M24 M24 E-3``: minus 2424 times ten to the -3. (The scheme of
    E2E, arXiv 2204.10532, with its 10,000 mantissa tokens split in two.) What is too small becomes
    zero, what is too large the largest number.
    """
    sign = "-" if value < 0 else "+"
    if value == 0:
        return [sign, *["M00"] * (digits // 2), "E0"]
    exponent = math.floor(math.log10(abs(value))) - digits + 1
    mantissa = round(abs(value) / 10.0**exponent)
    if mantissa >= 10**digits:
        mantissa, exponent = mantissa // 10, exponent + 1
    if exponent < _EXPONENTS.start:
        return number_tokens(0.0, digits)
    if exponent >= _EXPONENTS.stop:
        mantissa, exponent = 10**digits - 1, _EXPONENTS.stop - 1
    text = f"{mantissa:0{digits}d}"
    return [sign, *(f"M{text[i : i + 2]}" for i in range(0, digits, 2)), f"E{exponent}"]


def read_number(tokens: Sequence[str]) -> float:
    """Return the number that :func:`number_tokens` wrote."""
    sign, *groups, exponent = tokens
    if sign not in "+-" or exponent[0] != "E" or any(group[0] != "M" for group in groups):
        raise ExpressionError(f"{' '.join(tokens)!r} is not a number. A number reads like '+ M24 M24 E-3'.")
    mantissa = int("".join(group[1:] for group in groups))
    return float(f"{sign}{mantissa}e{int(exponent[1:])}")


class Vocabulary:
    """Tokens and their ids; the order is part of every checkpoint.

    Parameters
    ----------
    digits : int, default 4
        Decimal digits of a mantissa, an even number.
    """

    def __init__(self, digits: int = 4) -> None:
        self.digits = digits
        variables = [f"x{i}" for i in range(MAX_VARIABLES)]
        mantissas = [f"M{i:02d}" for i in range(100)]
        exponents = [f"E{i}" for i in _EXPONENTS]
        self.tokens: tuple[str, ...] = (
            *_SPECIAL, *OPERATORS, *variables, *_INTEGERS, PI, CONSTANT, "+", "-", *mantissas, *exponents,
        )  # fmt: skip
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.pad, self.eos = self.ids["<pad>"], self.ids["<eos>"]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def sha256(self) -> str:
        """Hash of the ordered list, compared when weights are loaded."""
        return hashlib.sha256(" ".join(self.tokens).encode()).hexdigest()

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Return the ids of tokens; an unknown one is an error that names it."""
        try:
            return [self.ids[token] for token in tokens]
        except KeyError as error:
            raise ExpressionError(f"The vocabulary has no token {error.args[0]!r}.") from None

    def decode(self, ids: Iterable[int] | NDArray[np.int64]) -> list[str]:
        """Return the tokens of ids up to the first ``<eos>``, which is left out."""
        found: list[str] = []
        for i in ids:
            if i == self.eos:
                break
            found.append(self.tokens[int(i)])
        return found

    def write_numeric(self, formula: Sequence[str | float]) -> list[str]:
        """Return the tokens of a formula with its constants written out."""
        found: list[str] = []
        for token in formula:
            found.extend([token] if isinstance(token, str) else number_tokens(token, self.digits))
        return found

    def read_numeric(self, tokens: Sequence[str]) -> list[str | float]:
        """Return the prefix sequence of tokens with numbers written out; constants become floats."""
        width = self.digits // 2 + 2
        found: list[str | float] = []
        i = 0
        while i < len(tokens):
            if tokens[i] in ("+", "-"):
                found.append(read_number(tokens[i : i + width]))
                i += width
            else:
                found.append(tokens[i])
                i += 1
        return found
