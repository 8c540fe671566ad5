"""The words of E2E's official networks: their order, numbers as three words, formulas as words.

The order of the two lists decides what the rows of the embedding tables mean. There are 15 special
words; the table of points has them and the words of numbers, sorted by byte; the table of formulas has
them, 59 sorted symbols, and the whole list of the points again, so that the special words occur twice
and their later place is the one in use. (Facts of the released code; arXiv 2204.10532.)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from srbench_ext.errors import InputError
from srbench_ext.expression import Expression
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, is_integer

__all__ = [
    "END",
    "FORMULA_IDS",
    "FORMULA_WORDS",
    "MAX_COLUMNS",
    "POINT_IDS",
    "POINT_WORDS",
    "WORDS_A_POINT",
    "FormulaReader",
    "number_words",
    "point_ids",
    "words_sha256",
]

MAX_COLUMNS: Final = 10
WORDS_A_POINT: Final = 3 * (MAX_COLUMNS + 1)
END: Final = "<EOS>"
"""Begins and ends a formula."""

_MAX_EXPONENT = 100
_SPECIAL = (
    END, "<X>", "</X>", "<Y>", "</Y>", "</POINTS>", "<INPUT_PAD>", "<OUTPUT_PAD>", "<PAD>", "(", ")",
    "SPECIAL", "OOD_unary_op", "OOD_binary_op", "OOD_constant",
)  # fmt: skip
_NUMBERS = sorted(
    ["+", "-", *(f"N{i:04d}" for i in range(10_000)), *(f"E{i}" for i in range(-_MAX_EXPONENT, 101))]
)
_FUNCTIONS = {
    "abs": "abs", "arccos": "acos", "arcsin": "asin", "arctan": "atan", "cos": "cos", "exp": "exp",
    "inv": "inv", "log": "log", "pow2": "pow2", "pow3": "pow3", "sin": "sin", "sqrt": "sqrt", "tan": "tan",
}  # fmt: skip
_BINARY = {name: name for name in ("add", "div", "mul", "pow", "sub")}
_SYMBOLS = sorted(
    [
        *_FUNCTIONS, *_BINARY, *(str(i) for i in range(-10, 11)), *(f"x_{i}" for i in range(MAX_COLUMNS)),
        "CONSTANT", "FLOAT+", "FLOAT-", "INT+", "INT-", "e", "euler_gamma", "pi", "rand", "|",
    ]
)  # fmt: skip
_NAMED = {"e": math.e, "euler_gamma": 0.577215664901532860606512}

POINT_WORDS: Final = (*_SPECIAL, *_NUMBERS)
FORMULA_WORDS: Final = (*_SPECIAL, *_SYMBOLS, *POINT_WORDS)
POINT_IDS: Final = {word: i for i, word in enumerate(POINT_WORDS)}
FORMULA_IDS: Final = {word: i for i, word in enumerate(FORMULA_WORDS)}
_INPUT_PAD = POINT_IDS["<INPUT_PAD>"]


def words_sha256() -> str:
    """Return a hash of both lists, for the card of imported weights."""
    return hashlib.sha256("\n".join((*POINT_WORDS, "", *FORMULA_WORDS)).encode()).hexdigest()


def number_words(value: float) -> tuple[str, str, str]:
    """Write a number as sign, four digits and exponent: 2.4242 is ``+ N2424 E-3``.

    Raises
    ------
    InputError
        If it is not finite or of 1e104 and more, for which there are no words.
    """
    if not math.isfinite(value) or abs(value) >= 9.9995e103:
        raise InputError(
            f"The official E2E network has words for numbers up to 9.999e103 only. Got {value!r}. "
            "Remove the row or divide its column."
        )
    digits, _, power = f"{abs(value):.3e}".partition("e")
    sign, exponent = "-" if value < 0 else "+", int(power) - 3
    if exponent < -_MAX_EXPONENT:
        return sign, "N0000", "E0"
    return sign, "N" + digits.replace(".", ""), f"E{exponent}"


def point_ids(X: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the ids (n, 33) of rows: ten columns and the target, three words each.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        At most ten columns; those that are not there are padded.
    y : ndarray of shape (n,)
    """
    if X.ndim != 2 or X.shape[1] > MAX_COLUMNS or y.shape != (len(X),):
        raise InputError(
            f"The official E2E network takes X (n, d) with d up to {MAX_COLUMNS} and y (n,). "
            f"Got {X.shape} and {y.shape}."
        )
    ids = np.full((len(X), WORDS_A_POINT), _INPUT_PAD, np.int64)
    for column in range(X.shape[1]):
        ids[:, 3 * column : 3 * column + 3] = [_number_ids(value) for value in X[:, column].tolist()]
    ids[:, -3:] = [_number_ids(value) for value in y.tolist()]
    return ids


def _number_ids(value: float) -> list[int]:
    return [POINT_IDS[word] for word in number_words(value)]


class FormulaReader:
    """Reads a formula word by word, in prefix order, until one is complete.

    Parameters
    ----------
    n_columns : int
        A variable beyond them stands for zero, as in the authors' evaluation.
    """

    def __init__(self, n_columns: int) -> None:
        self._n_columns = n_columns
        self._open = 1
        self._number: list[str] = []
        self._prefix: list[str] = []
        self._constants: list[float] = []

    def read(self, words: Iterable[str]) -> Expression | None:
        """Return the first complete formula of the words, None if there is none; what follows is ignored."""
        for word in words:
            state = self.feed(word)
            if state != "open":
                return self.expression() if state == "complete" else None
        return None

    def copy(self) -> FormulaReader:
        """Return a reader that goes on from the same place."""
        other = FormulaReader(self._n_columns)
        other._open, other._number = self._open, self._number.copy()
        other._prefix, other._constants = self._prefix.copy(), self._constants.copy()
        return other

    def expression(self) -> Expression:
        """Return the complete formula."""
        return Expression(tuple(self._prefix), tuple(self._constants))

    def feed(self, word: str) -> Literal["open", "complete", "invalid"]:
        """Take one more word and say how the formula stands."""
        token: str | None
        if self._number or word in ("+", "-"):
            return self._feed_number(word)
        if word in _FUNCTIONS or word in _BINARY:
            token = _FUNCTIONS.get(word, word)
            self._open += OPERATORS[token].arity - 1
        else:
            token = self._leaf(word)
            self._open -= 1
        if token is None:
            return "invalid"
        self._prefix.append(token)
        return "open" if self._open else "complete"

    def _leaf(self, word: str) -> str | None:
        if word.startswith("x_") and word in FORMULA_IDS:
            index = int(word[2:])
            return f"x{index}" if index < self._n_columns else "0"
        if word in _NAMED:
            self._constants.append(_NAMED[word])
            return CONSTANT
        return PI if word == "pi" else word if is_integer(word) else None

    def _feed_number(self, word: str) -> Literal["open", "complete", "invalid"]:
        expected = ("+-", "N", "E")[len(self._number)]
        if word[0] not in expected or word not in POINT_IDS:
            return "invalid"
        self._number.append(word)
        if len(self._number) == 3:
            sign, mantissa, exponent = self._number
            self._constants.append(float(f"{sign}{mantissa[1:]}e{exponent[1:]}"))
            self._prefix.append(CONSTANT)
            self._number = []
            self._open -= 1
        return "open" if self._open else "complete"
