"""A library of small features of a few columns, without constants to fit, simplest first.

Monomials, elementary functions of simple arguments, and products of these: the terms that laws are sums of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Library", "feature_library", "library_of", "monomials"]

FloatArray = npt.NDArray[np.float64]
Tokens = tuple[str | float, ...]

_LARGEST = 1e9  # values beyond lose the digits by which an exact relation is told from a near one
_FEWEST_DIGITS = 1e-6  # a feature that varies by less of its size than this is a constant

_FUNCTIONS: dict[Tokens, int] = {
    ("exp",): 1,
    ("exp", "neg"): 1,
    ("sin",): 1,
    ("cos",): 1,
    ("sqrt",): 1,
    ("log",): 1,
    ("exp", "mul", 0.5): 3,
    ("exp", "mul", -0.5): 3,
    ("sin", "mul", 0.5): 3,
    ("cos", "mul", 0.5): 3,
    ("pow2", "sin"): 2,
    ("pow2", "sin", "mul", 0.5): 3,
    ("sin", "mul", 2.0): 4,
    ("log", "add", 1.0): 3,
    ("sqrt", "add", 1.0): 3,
    ("sqrt", "sub", 1.0): 3,
    ("inv", "add", 1.0): 3,
    ("inv", "sub", 1.0): 3,
    ("sqrt", "add", 1.0, "pow2"): 3,
    ("sqrt", "sub", 1.0, "pow2"): 3,
    ("inv", "sqrt", "add", 1.0): 4,
    ("inv", "sqrt", "sub", 1.0): 4,
    ("inv", "sqrt", "add", 1.0, "pow2"): 3,
    ("inv", "sqrt", "sub", 1.0, "pow2"): 3,
    ("sqrt", "add", 1.0, "mul", 2.0): 5,
    ("tanh",): 4,
    ("tan",): 5,
    ("asin",): 5,
    ("atan",): 5,
}
"""What is applied to arguments, and how much less simple it makes them."""

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


@dataclass(frozen=True, slots=True, eq=False)
class _Feature:
    """One feature; ``cost`` orders them."""

    cost: int
    tokens: Tokens
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """Features of a table.

    Attributes
    ----------
    values : ndarray of shape (N, n)
        One feature a row, the simplest first.
    tokens : tuple of tuple of str or float
        What each is in prefix order.
    """

    values: FloatArray
    tokens: tuple[Tokens, ...]

    def __len__(self) -> int:
        return len(self.tokens)


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
        powers = _distinct(_monomials(Z, degree))
        arguments = _distinct([*_monomials(Z, 2), *_sums(Z)])
        functions = _distinct(_functions(arguments))
        found = [*powers, *functions]
        found += _products(powers, functions[: most // max(1, len(powers))])
        few = functions[: int(max(most - len(found), 0) ** 0.5)]
        found += _products(few, few)
        found += _quotients(few, few)
        return _library(found, len(Z), most)


def library_of(features: Iterable[tuple[Tokens, FloatArray]], n_rows: int, *, most: int) -> Library:
    """Return given features as a library, those that come first as the simplest ones.

    Parameters
    ----------
    features : iterable of (tuple of str or float, ndarray of shape (n,))
        What is not finite, does not vary or equals one before it up to a factor is left out.
    n_rows : int
        n.
    most : int
        Largest number of features.
    """
    ordered = [_Feature(place, tokens, values) for place, (tokens, values) in enumerate(features)]
    with np.errstate(all="ignore"):
        return _library(ordered, n_rows, most)


def _library(features: Iterable[_Feature], n_rows: int, most: int) -> Library:
    found = _distinct(features)[:most]
    values = np.array([feature.values for feature in found]).reshape(len(found), n_rows)
    return Library(values, tuple(feature.tokens for feature in found))


def monomials(Z: FloatArray, degree: int) -> list[tuple[Tokens, FloatArray]]:
    """Return products of powers of the columns and their values (n,), the simplest first.

    Parameters
    ----------
    Z : ndarray of shape (n, k)
    degree : int
        Largest sum of the sizes of the exponents.
    """
    return [(feature.tokens, feature.values) for feature in _distinct(_monomials(Z, degree))]


def _monomials(Z: FloatArray, degree: int) -> Iterator[_Feature]:
    for exponents in _exponents(Z.shape[1], degree):
        if any(exponents):
            values = np.prod(Z ** np.array(exponents, dtype=np.float64), axis=1)
            yield _Feature(sum(map(abs, exponents)), _monomial(exponents), values)
    if Z.shape[1] <= 2:
        for i in range(Z.shape[1]):
            root = np.sqrt(Z[:, i])
            yield _Feature(2, ("sqrt", f"x{i}"), root)
            yield _Feature(3, ("inv", "sqrt", f"x{i}"), 1.0 / root)
            yield _Feature(3, ("mul", f"x{i}", "sqrt", f"x{i}"), Z[:, i] * root)


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


def _sums(Z: FloatArray) -> Iterator[_Feature]:
    for i in range(Z.shape[1]):
        for j in range(i + 1, Z.shape[1]):
            for operator, values in (("add", np.add), ("sub", np.subtract)):
                plain = (operator, f"x{i}", f"x{j}")
                yield _Feature(2, plain, values(Z[:, i], Z[:, j]))
                squares = (operator, "pow2", f"x{i}", "pow2", f"x{j}")
                yield _Feature(4, squares, values(Z[:, i] ** 2, Z[:, j] ** 2))


def _functions(arguments: list[_Feature]) -> Iterator[_Feature]:
    for argument in arguments:
        if argument.tokens[0] in ("add", "sub"):
            yield argument
            yield _Feature(argument.cost + 1, ("inv", *argument.tokens), 1.0 / argument.values)
        for function, cost in _FUNCTIONS.items():
            values = _apply(function, argument.values)
            yield _Feature(argument.cost + cost, (*function, *argument.tokens), values)


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


def _products(left: list[_Feature], right: list[_Feature]) -> Iterator[_Feature]:
    same = left is right
    for i, one in enumerate(left):
        for other in right[i if same else 0 :]:
            tokens = ("mul", *one.tokens, *other.tokens)
            yield _Feature(one.cost + other.cost, tokens, one.values * other.values)


def _quotients(left: list[_Feature], right: list[_Feature]) -> Iterator[_Feature]:
    for one in left:
        for other in right:
            if one is not other:
                tokens = ("div", *one.tokens, *other.tokens)
                yield _Feature(one.cost + other.cost + 1, tokens, one.values / other.values)


def _distinct(features: Iterable[_Feature]) -> list[_Feature]:
    """Return what is finite, varies and differs from all before by more than a factor, simplest first."""
    found = sorted(features, key=lambda feature: (feature.cost, len(feature.tokens)))
    if not found:
        return []
    values = np.array([feature.values for feature in found])
    size = np.abs(values).max(axis=1)
    usable = np.isfinite(size) & (size < _LARGEST) & (size > 1.0 / _LARGEST)
    usable &= np.ptp(values, axis=1) > _FEWEST_DIGITS * size
    scaled = values / np.where(usable, values[:, 0], 1.0)[:, None]
    usable &= np.isfinite(scaled).all(axis=1)
    prints = np.round(scaled[:, :12], 8) + 0.0
    first: dict[bytes, int] = {}
    for index in np.flatnonzero(usable):
        first.setdefault(prints[index].tobytes(), int(index))
    return [found[index] for index in first.values()]
