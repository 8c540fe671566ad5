"""Formulas that are linear in two to four small features, or become so when the target is rewritten.

Every pair of a library of features, and every triple of its simplest ones, is tried in closed form on the
target and on its inverse, square, logarithm and so on; a feature times the target makes the formula a
quotient. Exhaustive sparse regression on generated features is SISSO's idea (Ouyang et al.,
doi:10.1103/PhysRevMaterials.2.083802), the term with the target in it that of implicit SINDy (Kaheman et al.,
arXiv 2004.02322).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from srbench_ext.search.library import Library, feature_library, monomials
from srbench_ext.search.linear import weighted_sum
from srbench_ext.search.threads import one_blas_thread

__all__ = ["Relation", "loosened", "scaled_functions", "sparse_relations"]

FloatArray = npt.NDArray[np.float64]
Tokens = tuple[str | float, ...]

_Terms = tuple[tuple[int, ...], int | None]  # numbers of features, and of the one that the target multiplies

_ROWS = 100
_FEWEST_ROWS = 20
_PAIRED = 1500
_TRIPLED = 150
_TIMED = 300  # features that are tried as a factor of the target
_KEPT = 8  # of every kind and target
_LEAST = 1e-60  # largest value of a target whose squares keep all digits
_LOOSENED = frozenset({"exp", "sin", "cos", "tan", "tanh"})
_SCALED = (
    ("exp", np.exp, (0.3, 1.0, 3.0)),
    ("tanh", np.tanh, (0.3, 1.0, 3.0)),
    ("sin", np.sin, (0.5, 1.0, 2.0, 3.0, 5.0)),
    ("cos", np.cos, (0.5, 1.0, 2.0, 3.0, 5.0)),
)
"""Functions, and the typical sizes of their argument of which the fit starts from the best."""
_SCALED_TARGETS = 4  # as it is, inverse, square, inverse square
_ARGUMENTS = 12
_EXACT = 1e-13  # of the variance: closed form on rows as given, not yet refined


@dataclass(frozen=True, slots=True)
class Relation:
    """A formula and how well it fits.

    Attributes
    ----------
    tokens : tuple of str or float
        Prefix order, with numbers for constants.
    nmse : float
        Mean squared error over the variance of the target.
    """

    tokens: Tokens
    nmse: float


@dataclass(frozen=True, slots=True)
class _Target:
    """The target rewritten, and the tokens that lead back."""

    values: FloatArray
    back: tuple[str, ...]
    inverse: Callable[[FloatArray], FloatArray]
    quotients: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """A function of a scaled argument: its mean, what is left without it, and the square of that."""

    argument: Tokens
    function: str
    scale: float
    mean: float
    spread: FloatArray
    square: float


def sparse_relations(
    Z: FloatArray, t: FloatArray, rng: np.random.Generator, *, deadline: float, most: int = 40
) -> list[Relation]:
    """Return the best formulas found: small errors first, of like errors short formulas first.

    Parameters
    ----------
    Z : ndarray of shape (n, k)
        Columns; those of a reduced table are the fewer and the better.
    t : ndarray of shape (n,)
        Target.
    rng : numpy.random.Generator
        Draws the 100 rows that are looked at.
    deadline : float
        A ``time.monotonic()`` after which no further target is tried.
    most : int
        Largest number of formulas.

    Returns
    -------
    list of Relation
        Empty with fewer than 20 rows or a constant target.

    Notes
    -----
    About a second. With noise the terms are still found but not told from others: fit and validate them.
    """
    rows = rng.permutation(len(t))[:_ROWS]
    if len(rows) < _FEWEST_ROWS or np.ptp(t[rows]) == 0:
        return []
    with one_blas_thread(), np.errstate(all="ignore"):  # what overflows is left out
        library = feature_library(Z[rows])
        size = float(np.abs(t[rows]).max())
        if _LEAST <= size <= 1.0 / _LEAST:
            size = 1.0
        found = _relations(library, t[rows] / size, deadline) if len(library) else {}
    best = sorted(found.values(), key=_order)[:most]
    return best if size == 1.0 else [replace(each, tokens=("mul", size, *each.tokens)) for each in best]


def scaled_functions(Z: FloatArray, t: FloatArray) -> list[Tokens]:
    """Return formulas with one function whose argument has a scale to fit, such as ``z / (exp(c z) - 1)``.

    The target is taken as ``T(t) = m (a f(c u) + b)`` with a rewriting T, a monomial m, a function f and an
    argument u. Closed form gives a and b where c makes the argument about 1; c is for the fit to find.

    Parameters
    ----------
    Z, t : ndarray of shape (n, k) and (n,)
        Some rows of the table.

    Returns
    -------
    list of tuple of str or float
        Some thousands at most.
    """
    if len(t) < _FEWEST_ROWS or np.ptp(t) == 0:
        return []
    with np.errstate(all="ignore"):
        arguments = monomials(Z, 2)[:_ARGUMENTS]
        families = list(_curves(arguments))
        factors: list[tuple[Tokens, FloatArray]] = [((), np.ones(len(t))), *arguments]
        return [
            (*target.back, *formula)
            for target in islice(_targets(t), _SCALED_TARGETS)
            for m, size in factors
            for formula in _scaled(target.values / size, m, families)
        ]


def _curves(arguments: list[tuple[Tokens, FloatArray]]) -> Iterator[list[_Curve]]:
    """Yield the curves of one function and one argument, a typical size of the argument each."""
    for tokens, argument in arguments:
        typical = float(np.median(np.abs(argument))) or float(np.abs(argument).max())
        for name, function, sizes in _SCALED:
            curves = []
            for c in (size / typical for size in sizes):
                values = function(c * argument)
                spread = values - values.mean()
                curves.append(_Curve(tokens, name, c, float(values.mean()), spread, float(spread @ spread)))
            yield curves


def _scaled(values: FloatArray, factor: Tokens, families: list[list[_Curve]]) -> Iterator[Tokens]:
    """Yield the best scale of each function and argument with its offset, times the factor."""
    mean = float(values.mean())
    for curves in families:
        best = (0.0, 0.0, 0.0)
        for curve in curves:
            along, square = float(curve.spread @ values), curve.square
            if square and along * along > best[0] * square:
                best = (along * along / square, curve.scale, mean * square / along - curve.mean)
        if best[0] and math.isfinite(sum(best)):
            inner = ("add", best[2], curves[0].function, "mul", best[1], *curves[0].argument)
            yield ("mul", *factor, *inner) if factor else inner


def loosened(tokens: Sequence[str | float]) -> Tokens:
    """Return a formula with a factor of 1 to fit in the argument of every function that has none."""
    found: list[str | float] = []
    for position, token in enumerate(tokens):
        found.append(token)
        following = tokens[position + 1 : position + 3]
        if token in _LOOSENED and not (following[0] == "mul" and isinstance(following[1], float)):
            found += ["mul", 1.0]
    return tuple(found)


def _relations(library: Library, t: FloatArray, deadline: float) -> dict[Tokens, Relation]:
    """Try one and two features on every target; where no formula is exact, three and quotients."""
    search = _Search(library)
    found: dict[Tokens, Relation] = {}
    for stage in (search.sums, search.quotients, search.triples):
        for target in _targets(t):
            if time.monotonic() >= deadline:
                return found
            unit = _units(target.values[None])[0]
            if not np.isfinite(unit).all():
                continue
            for terms, timed in stage(target, unit, deadline):
                relation = _fitted(library, terms, timed, target, t)
                if relation is not None:
                    found[relation.tokens] = relation
        if any(relation.nmse <= _EXACT for relation in found.values()):
            break
    return found


def _order(relation: Relation) -> float:
    return float(np.log10(max(relation.nmse, _EXACT))) + 0.05 * len(relation.tokens)


def _targets(t: FloatArray) -> Iterator[_Target]:
    """Yield the rewritings that the values allow."""
    yield _Target(t, (), lambda v: v, quotients=True)
    if (t != 0).all():
        yield _Target(1.0 / t, ("inv",), lambda v: 1.0 / v)
    if (t > 0).all() or (t < 0).all():
        sign: tuple[str, ...] = () if t[0] > 0 else ("neg",)
        factor = 1.0 if t[0] > 0 else -1.0
        yield _Target(t**2, (*sign, "sqrt"), lambda v: factor * np.sqrt(v), quotients=True)
        yield _Target(t**-2, (*sign, "inv", "sqrt"), lambda v: factor / np.sqrt(v))
        yield _Target(np.log(np.abs(t)), (*sign, "exp"), lambda v: factor * np.exp(v))
        yield _Target(np.sqrt(np.abs(t)), (*sign, "pow2"), lambda v: factor * v**2)
    if np.abs(t).max() < 20:
        yield _Target(np.exp(t), ("log",), np.log)
    if t.min() >= 0 and t.max() <= np.pi:
        yield _Target(np.cos(t), ("acos",), np.arccos, quotients=True)
    if np.abs(t).max() <= np.pi / 2:
        yield _Target(np.sin(t), ("asin",), np.arcsin)
        yield _Target(np.tan(t), ("atan",), np.arctan)


class _Search:
    """Finds the features whose linear combination comes nearest to a target."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.unit = _units(library.values)
        self.paired = self.unit[:_PAIRED]
        self.simple = self.unit[:_TRIPLED]
        self.twice_gram = 2.0 * (self.paired @ self.paired.T)
        margin = 1.0 - 0.25 * self.twice_gram**2
        self.spread = np.triu(np.where(margin > 1e-8, 1.0 / np.maximum(margin, 1e-8), 0.0), 1)
        self._beside: list[_Beside] = []

    def sums(self, _: _Target, unit: FloatArray, deadline: float) -> Iterator[_Terms]:
        """Yield the single features and the pairs that come nearest."""
        along = self.unit @ unit
        for i in _largest(along**2, _KEPT):
            yield (int(i),), None
        r = along[: len(self.paired)]
        explained = np.outer(r, -r)
        explained *= self.twice_gram
        explained += (r**2)[:, None]
        explained += r**2
        explained *= self.spread
        for flat in _largest(explained.ravel(), _KEPT):
            yield (int(flat // len(r)), int(flat % len(r))), None

    def triples(self, _: _Target, unit: FloatArray, deadline: float) -> Iterator[_Terms]:
        """Yield the triples of simple features that come nearest."""
        if not self._beside:
            simple = self.simple
            self._beside = [_Beside.of(v, simple[g + 1 :], g + 1) for g, v in enumerate(simple[:-2])]
        best = []
        for g, beside in enumerate(self._beside):
            lost, i, j = beside.best_pair(unit)
            best.append((lost, g, i, j))
        for _lost, g, i, j in sorted(best)[:_KEPT]:
            yield (g, i, j), None

    def quotients(self, target: _Target, unit: FloatArray, deadline: float) -> Iterator[_Terms]:
        """Yield one or two features with one more that is multiplied by the target."""
        if not target.quotients:
            return
        timed = _units(self.library.values[:_TIMED] * target.values)
        timed[~np.isfinite(timed).all(axis=1)] = 0.0
        cross = self.paired @ timed.T
        r, s = self.paired @ unit, timed @ unit
        margin = 1.0 - cross**2
        explained = np.where(margin > 1e-8, r[:, None] ** 2 + s[None] ** 2 - 2 * np.outer(r, s) * cross, 0.0)
        explained /= np.where(margin > 1e-8, margin, 1.0)
        for flat in _largest(explained.ravel(), _KEPT):
            yield (int(flat // len(timed)),), int(flat % len(timed))
        best = []
        for g, vector in enumerate(timed):
            if vector.any() and time.monotonic() < deadline:
                lost, i, j = _Beside.of(vector, self.simple).best_pair(unit)
                best.append((lost, g, i, j))
        for _, g, i, j in sorted(best)[:_KEPT]:
            yield (i, j), g


@dataclass(frozen=True, slots=True)
class _Beside:
    """Features without their part along one vector, of length 1, and one over what each pair spans."""

    vector: FloatArray
    rest: FloatArray
    gram: FloatArray
    spread: FloatArray
    first: int

    @classmethod
    def of(cls, vector: FloatArray, features: FloatArray, first: int = 0) -> _Beside:
        rest = features - np.outer(features @ vector, vector)
        size = np.sqrt(np.einsum("ij,ij->i", rest, rest))
        rest = np.where((size > 1e-5)[:, None], rest / np.maximum(size, 1e-5)[:, None], 0.0)
        gram = rest @ rest.T
        margin = 1.0 - gram**2
        spread = np.triu(np.where(margin > 1e-7, 1.0 / np.maximum(margin, 1e-7), 0.0), 1)
        return cls(vector, rest, gram, spread, first)

    def best_pair(self, target: FloatArray) -> tuple[float, int, int]:
        """Return what the best pair of features leaves of a target's square, and their numbers."""
        left = target - (target @ self.vector) * self.vector
        r = self.rest @ left
        explained = (r[:, None] ** 2 + r**2 - 2.0 * np.outer(r, r) * self.gram) * self.spread
        flat = int(explained.argmax())
        i, j = divmod(flat, len(r))
        return float(left @ left) - float(explained[i, j]), self.first + i, self.first + j


def _units(values: FloatArray) -> FloatArray:
    """Return rows centred and of length 1; not finite where they do not vary."""
    with np.errstate(all="ignore"):
        centred = values - values.mean(axis=1, keepdims=True)
        return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True))


def _largest(values: FloatArray, count: int) -> npt.NDArray[np.intp]:
    values = np.where(np.isfinite(values), values, -1.0)
    count = min(count, len(values))
    return np.argpartition(values, len(values) - count)[len(values) - count :]


def _fitted(
    library: Library, terms: tuple[int, ...], timed: int | None, target: _Target, t: FloatArray
) -> Relation | None:
    """Return the formula with coefficients of least squares; None where it is not finite or no formula."""
    values = target.values
    columns = [np.ones_like(values), *(library.values[i] for i in terms)]
    if timed is not None:
        columns.append(library.values[timed] * values)
    matrix = np.column_stack(columns)
    size = np.linalg.norm(matrix, axis=0)
    solution = np.linalg.lstsq(matrix / size, values, rcond=None)[0]
    share = np.abs(solution) / (np.linalg.norm(values) or 1.0)
    solution = np.where(share < 1e-9, 0.0, solution) / size
    if not solution[1 : len(terms) + 1].any() and not (timed is not None and solution[0]):
        return None
    above = weighted_sum(solution[0], [(solution[1 + k], library.tokens[i]) for k, i in enumerate(terms)])
    upper = matrix[:, : len(terms) + 1] @ solution[: len(terms) + 1]
    if timed is not None and solution[-1]:
        upper = upper / (1.0 - solution[-1] * library.values[timed])
        above = ("div", *above, *weighted_sum(1.0, [(-solution[-1], library.tokens[timed])]))
    error = target.inverse(upper) - t
    nmse = float(np.mean(error**2) / np.var(t))
    return Relation((*target.back, *above), nmse) if np.isfinite(nmse) else None
