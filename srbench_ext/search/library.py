"""A library of small features of a few columns, without constants to fit, simplest first.

Monomials, elementary functions of simple arguments, and products of these: the terms that laws are sums of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Library", "feature_library"]

FloatArray = npt.NDArray[np.float64]
Tokens = tuple[str | float, ...]

_LARGEST = 1e9  # values beyond lose the digits by which an exact relation is told from a near one
_FEWEST_DIGITS = 1e-6  # a feature that varies by less of its size than this is a constant

_FUNCTIONS: tuple[tuple[str | float, ...], ...] = (
    ("exp",),
    ("exp", "neg"),
    ("exp", "mul", 0.5),
    ("exp", "mul", -0.5),
    ("sin",),
    ("cos",),
    ("sin", "mul", 0.5),
    ("cos", "mul", 0.5),
    ("sin", "mul", 2.0),
    ("pow2", "sin"),
    ("pow2", "sin", "mul", 0.5),
    ("tan",),
    ("tanh",),
    ("log",),
    ("log", "add", 1.0),
    ("sqrt",),
    ("sqrt", "add", 1.0),
    ("sqrt", "sub", 1.0),
    ("inv", "add", 1.0),
    ("inv", "sub", 1.0),
    ("inv", "sqrt", "add", 1.0),
    ("inv", "sqrt", "sub", 1.0),
    ("sqrt", "add", 1.0, "mul", 2.0),
    ("asin",),
    ("atan",),
)
_NUMPY = {
    "exp": np.exp,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "log": np.log,
    "sqrt": np.sqrt,
    "asin": np.arcsin,
    "atan": np.arctan,
    "neg": np.negative,
    "pow2": np.square,
    "inv": np.reciprocal,
}


@dataclass(frozen=True, slots=True)
class Library:
    """Features of a table.

    Attributes
    ----------
    values : ndarray of shape (N, n)
        One feature a row, fewest tokens first.
    tokens : tuple of tuple of str or float
        What each is in prefix order.
    """

    values: FloatArray
    tokens: tuple[Tokens, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    def first(self, count: int) -> Library:
        """Return the simplest features."""
        return Library(self.values[:count], self.tokens[:count])


def feature_library(Z: FloatArray, *, most: int = 20_000) -> Library:
    """Return monomials, functions and products of both that are finite on a table and vary.

    Parameters
    ----------
    Z : ndarray of shape (n, k)
        The columns.
    most : int
        Largest number of features.

    Returns
    -------
    Library
        No two features are equal up to a factor on the rows given.
    """
    degree = {1: 4, 2: 4, 3: 3}.get(Z.shape[1], 2)
    with np.errstate(all="ignore"):
        monomials = _distinct(_monomials(Z, degree))
        arguments = _distinct([*_monomials(Z, 2), *_sums(Z)])
        functions = _distinct(_functions(arguments))
        simple = _distinct([*_zip(monomials), *_zip(functions)])
        second = min(len(functions), most // max(1, len(monomials)))
        found = [*_zip(simple), *_products(monomials, functions.first(second))]
        room = most - len(found)
        few = functions.first(int(max(room, 0) ** 0.5))
        found += _products(few, few)
        found += _quotients(few, few)
    return _distinct(found).first(most)


def _monomials(Z: FloatArray, degree: int) -> Iterator[tuple[Tokens, FloatArray]]:
    for exponents in _exponents(Z.shape[1], degree):
        if any(exponents):
            yield _monomial(exponents), np.prod(Z ** np.array(exponents, dtype=np.float64), axis=1)
    if Z.shape[1] <= 2:
        for i in range(Z.shape[1]):
            root = np.sqrt(Z[:, i])
            yield ("sqrt", f"x{i}"), root
            yield ("inv", "sqrt", f"x{i}"), 1.0 / root
            yield ("mul", f"x{i}", "sqrt", f"x{i}"), Z[:, i] * root


def _exponents(n_columns: int, degree: int) -> Iterator[tuple[int, ...]]:
    """Yield the whole exponents of each column whose sizes add up to a degree at most."""
    if not n_columns:
        yield ()
        return
    for first in range(-degree, degree + 1):
        for rest in _exponents(n_columns - 1, degree - abs(first)):
            yield (first, *rest)


def _monomial(exponents: Sequence[int]) -> Tokens:
    above: Tokens = ()
    below: Tokens = ()
    for index, exponent in enumerate(exponents):
        power: Tokens = {1: (), 2: ("pow2",), 3: ("pow3",), 4: ("pow2", "pow2")}.get(abs(exponent), ())
        factor = (*power, f"x{index}")
        if exponent > 0:
            above = ("mul", *above, *factor) if above else factor
        elif exponent < 0:
            below = ("mul", *below, *factor) if below else factor
    if not below:
        return above
    return ("div", *above, *below) if above else ("inv", *below)


def _sums(Z: FloatArray) -> Iterator[tuple[Tokens, FloatArray]]:
    for i in range(Z.shape[1]):
        for j in range(i + 1, Z.shape[1]):
            for operator, values in (("add", np.add), ("sub", np.subtract)):
                yield (operator, f"x{i}", f"x{j}"), values(Z[:, i], Z[:, j])
                yield (operator, "pow2", f"x{i}", "pow2", f"x{j}"), values(Z[:, i] ** 2, Z[:, j] ** 2)


def _functions(arguments: Library) -> Iterator[tuple[Tokens, FloatArray]]:
    for tokens, values in _zip(arguments):
        if tokens[0] in ("add", "sub"):
            yield tokens, values
            yield ("inv", *tokens), 1.0 / values
        for function in _FUNCTIONS:
            yield (*function, *tokens), _apply(function, values)


def _apply(function: Tokens, values: FloatArray) -> FloatArray:
    """Return a function of values; operators and left operands are applied from the right."""
    stack = list(function)
    while stack:
        token = stack.pop()
        if isinstance(token, str):
            values = _NUMPY[token](values)
            continue
        operator = stack.pop()
        values = {"add": token + values, "sub": token - values, "mul": token * values}[str(operator)]
    return values


def _products(left: Library, right: Library) -> Iterator[tuple[Tokens, FloatArray]]:
    same = left is right
    for i, (tokens, values) in enumerate(_zip(left)):
        for j in range(i if same else 0, len(right)):
            yield ("mul", *tokens, *right.tokens[j]), values * right.values[j]


def _quotients(left: Library, right: Library) -> Iterator[tuple[Tokens, FloatArray]]:
    for i, (tokens, values) in enumerate(_zip(left)):
        for j in range(len(right)):
            if i != j:
                yield ("div", *tokens, *right.tokens[j]), values / right.values[j]


def _zip(library: Library) -> Iterator[tuple[Tokens, FloatArray]]:
    yield from zip(library.tokens, library.values, strict=True)


def _distinct(features: Iterator[tuple[Tokens, FloatArray]] | list[tuple[Tokens, FloatArray]]) -> Library:
    """Return what is finite, varies and differs from all before, fewest tokens first."""
    found = sorted(features, key=lambda feature: len(feature[0]))
    if not found:
        return Library(np.empty((0, 0)), ())
    values = np.array([each for _, each in found])
    size = np.abs(values).max(axis=1)
    usable = np.isfinite(size) & (size < _LARGEST) & (size > 1.0 / _LARGEST)
    usable &= np.ptp(values, axis=1) > _FEWEST_DIGITS * size
    scaled = values / np.where(usable, values[:, 0], 1.0)[:, None]
    usable &= np.isfinite(scaled).all(axis=1)
    prints = np.round(scaled[:, :12], 8) + 0.0
    seen: set[bytes] = set()
    kept = []
    for index in np.flatnonzero(usable):
        key = prints[index].tobytes()
        if key not in seen:
            seen.add(key)
            kept.append(index)
    return Library(values[kept], tuple(found[index][0] for index in kept))
