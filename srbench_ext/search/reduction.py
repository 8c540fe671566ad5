"""Which columns enter a law only together: a table with fewer columns, found before any formula is.

A law like ``n*k*T*log(V2/V1)`` is the product of a factor ``n*k*T`` and a function of one column ``V2/V1``.
Slopes of a polynomial surrogate point to such symmetries (a column enters as a factor; two enter as a product
of powers, as a sum or difference, as a sum or difference of squares), and the surrogate on the reduced table
confirms or refutes each: without the information that a wrong step loses, its error on rows kept back would
rise. The tests for products, sums and separability of AI Feynman (Udrescu and Tegmark, arXiv 1905.11481)
serve the same end with a neural surrogate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, product

import numpy as np
import numpy.typing as npt

from srbench_ext.expression import Expression
from srbench_ext.expression.core import subtree_end
from srbench_ext.expression.operators import is_variable, variable_index
from srbench_ext.search.surrogate import View, degree_within, surrogate_error, surrogate_slopes, views
from srbench_ext.search.threads import one_blas_thread

__all__ = ["FEWEST_ROWS", "Column", "Reduction", "reduce_table"]

FloatArray = npt.NDArray[np.float64]

FEWEST_ROWS = 60
"""With fewer rows nothing is reduced: the surrogate could not tell."""

_MOST_TERMS = 150
_SUGGESTED = 0.15  # share of the slopes' square that a symmetry may leave unexplained to be tested
_MOST_TESTS = 20
_USEFUL = 0.3  # a surrogate that leaves more of the variance unexplained says nothing
_RATIOS = tuple(
    (a, sign * b)
    for a, b in ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2), (1, 4), (4, 1))
    for sign in (1, -1)
)
_SUMS = tuple((sign, a, b) for a, b in ((1, 1), (2, 2), (1, 2), (2, 1)) for sign in (1, -1))
_LARGEST_POWER = 6
_ROUNDING = 1e-16  # share of the variance below which an error is that of the arithmetic


@dataclass(frozen=True, slots=True)
class Column:
    """A product of powers of variables and of sums of other columns.

    Attributes
    ----------
    powers : tuple of (tuple of str, Fraction)
        Prefix tokens of each factor, and its exponent; no factor twice.
    """

    powers: tuple[tuple[tuple[str, ...], Fraction], ...]

    @classmethod
    def variable(cls, index: int) -> Column:
        """Return the column of one variable."""
        return cls((((f"x{index}",), Fraction(1)),))

    def times(self, other: Column, power: Fraction | int, other_power: Fraction | int) -> Column:
        """Return the product of powers of two columns."""
        found: dict[tuple[str, ...], Fraction] = {}
        for column, exponent in ((self, power), (other, other_power)):
            for tokens, own in column.powers:
                found[tokens] = found.get(tokens, Fraction(0)) + own * Fraction(exponent)
        return Column(tuple((tokens, power) for tokens, power in found.items() if power))

    def tokens(self) -> tuple[str, ...]:
        """Return the prefix tokens: factors above, factors below, half powers under one root."""
        half = Fraction(1, 2)
        rooted = Column(
            tuple((t, Fraction(1 if p > 0 else -1)) for t, p in self.powers if p.denominator == 2)
        )
        whole = [(t, p - (half if p > 0 else -half) * (p.denominator == 2)) for t, p in self.powers]
        if rooted.powers:
            whole = [pair for pair in whole if pair[1]]
            return _quotient([*whole, (("sqrt", *rooted.tokens()), Fraction(1))])
        return _quotient(whole)


def _quotient(powers: list[tuple[tuple[str, ...], Fraction]]) -> tuple[str, ...]:
    above = [_power(tokens, power) for tokens, power in powers if power > 0]
    below = [_power(tokens, -power) for tokens, power in powers if power < 0]
    if not below:
        return _product(above)
    return ("div", *_product(above), *_product(below)) if above else ("inv", *_product(below))


def _product(factors: list[tuple[str, ...]]) -> tuple[str, ...]:
    tokens = factors[0] if factors else ("1",)
    for factor in factors[1:]:
        tokens = ("mul", *tokens, *factor)
    return tokens


def _power(tokens: tuple[str, ...], power: Fraction) -> tuple[str, ...]:
    named: dict[Fraction, tuple[str, ...]] = {Fraction(1): (), Fraction(2): ("pow2",), Fraction(3): ("pow3",)}
    return (*named[power], *tokens) if power in named else ("pow", *tokens, str(power))


@dataclass(frozen=True, slots=True)
class Reduction:
    """The target as a factor times a function of a few columns.

    Attributes
    ----------
    columns : tuple of Column
        What the function depends on; empty when the law is the factor times a constant.
    factor : Column
        With no powers it is 1.
    steps : tuple of str
        What was found, in order: ``factor``, ``product``, ``scaling``, ``homogeneity``, ``sum``, ``unused``.
    before : Reduction or None
        What the last step started from: where that step is wrong, this one may be right.
    """

    columns: tuple[Column, ...]
    factor: Column = Column(())
    steps: tuple[str, ...] = ()
    before: Reduction | None = None

    @classmethod
    def whole(cls, n_columns: int) -> Reduction:
        """Return the table as it is."""
        return cls(tuple(Column.variable(i) for i in range(n_columns)))

    def apply(self, X: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the columns (n, k) and the target over the factor (n,) of a table."""
        Z = np.empty((len(y), len(self.columns)))
        for i, column in enumerate(self.columns):
            Z[:, i] = Expression(column.tokens()).evaluate(X)
        factor = Expression(self.factor.tokens()).evaluate(X) if self.factor.powers else 1.0
        return Z, y / factor

    def restore(self, expression: Expression) -> Expression:
        """Return a formula of the reduced table as a formula of the whole one."""
        tokens: list[str] = []
        for token in expression.prefix:
            tokens += self.columns[variable_index(token)].tokens() if is_variable(token) else (token,)
        return Expression(self._scaled(tuple(tokens)), expression.constants)

    def _scaled(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        if not self.factor.powers:
            return tokens
        factor = self.factor.tokens()
        if tokens == ("1",):
            return factor
        if factor[0] == "inv":
            return ("div", *tokens, *factor[1:])
        if factor[0] == "div":  # a/b f as a f/b
            end = subtree_end(factor, 1)
            return ("div", "mul", *factor[1:end], *tokens, *factor[end:])
        return ("mul", *factor, *tokens)


@dataclass(frozen=True, slots=True)
class _State:
    """A table on the way: columns, target over the factor, the factor, what they are."""

    Z: FloatArray
    t: FloatArray
    factor: FloatArray
    reduction: Reduction

    def weights(self, view: View) -> FloatArray:
        """Return what makes residuals those of the target itself, or of its logarithm."""
        return np.ones_like(self.t) if view.log_target else self.factor


@dataclass(frozen=True, slots=True)
class _Step:
    """A symmetry that the slopes suggest, and how much of their square speaks against it."""

    doubt: float
    kind: str
    columns: tuple[int, ...]
    numbers: tuple[Fraction, ...] = ()

    @property
    def size(self) -> float:
        """How much a step claims: of two that the slopes speak for alike, the simpler one goes first."""
        size = 1.0 + float(sum(abs(number) for number in self.numbers))
        return 100.0 * size if self.kind in ("scaling", "homogeneity") else size


def reduce_table(
    X: FloatArray, y: FloatArray, rng: np.random.Generator, *, most_rows: int = 2000
) -> Reduction:
    """Return the smallest table that explains the target as well as all columns do.

    Parameters
    ----------
    X, y : ndarray of shape (n, d) and (n,)
        Finite.
    rng : numpy.random.Generator
        Draws the rows that are looked at.
    most_rows : int
        Two thirds of them fit the surrogate, the others judge.

    Notes
    -----
    About 0.1 s for seven columns. What it finds is a guess, right or wrong: search the table as it is too.
    """
    whole = Reduction.whole(X.shape[1])
    rows = rng.permutation(len(y))[:most_rows]
    if len(rows) < FEWEST_ROWS or np.ptp(y) == 0:
        return whole
    state = _State(np.ascontiguousarray(X[rows], dtype=np.float64), y[rows], np.ones(len(rows)), whole)
    with one_blas_thread():
        while state.Z.shape[1]:
            following = _next(state)
            if following is None:
                break
            state = following
    return state.reduction


def _next(state: _State) -> _State | None:
    """Return the state after the least doubtful step that the surrogate confirms."""
    n, d = state.Z.shape
    n_fit = 2 * n // 3
    highest = degree_within(d, min(_MOST_TERMS, max(d + 1, n_fit // 4)))
    suggested: list[tuple[_Step, View, int, float]] = []
    seen = []
    for view in views(state.Z, state.t):
        target, weights = view.target(state.t), state.weights(view)
        variance = float(np.var(target * weights)) or 1.0
        for degree in sorted({highest, -(-highest // 2), min(highest, 2)}):  # noise wants low ones
            found = surrogate_slopes(view.columns(state.Z), target, weights, degree, n_fit)
            seen.append((found[2] / variance, view, degree, *found))
    for share, view, degree, slopes, values, error in sorted(seen, key=lambda s: s[0])[:2]:
        if share <= _USEFUL:
            steps = _suggestions(state, view, slopes, values, n_fit)
            suggested += [(step, view, degree, error) for step in steps]
    suggested.sort(key=lambda s: s[0].doubt * s[0].size)
    for step, view, degree, error in suggested[:_MOST_TESTS]:
        following = _take(state, step)
        if following is not None and _confirmed(following, view, error, degree, n_fit):
            return following
    return None


def _confirmed(after: _State, view: View, error: float, degree: int, n_fit: int) -> bool:
    """Return whether the reduced table explains the target as well."""
    target, weights = view.target(after.t), after.weights(view)
    if not after.Z.shape[1]:
        left = float(np.mean(((target - target.mean()) * weights) ** 2))
        return left <= max(error, 1e-10 * float(np.mean((target * weights) ** 2)))
    # what is a polynomial in two columns need not be one of that degree in their sum: fewer may bend more
    degrees = {degree, degree_within(after.Z.shape[1], min(_MOST_TERMS, n_fit // 4), largest=14)}
    left = min(
        surrogate_error(View(log, view.log_target).columns(after.Z), target, weights, each, n_fit)
        for log in (False, True)
        for each in degrees
    )
    variance = float(np.var(target * weights))
    slack = 1.3 if error < 1e-3 * variance else 1.1
    return left <= max(slack * error, _ROUNDING * variance)


def _suggestions(
    state: _State, view: View, slopes: FloatArray, values: FloatArray, n_fit: int
) -> list[_Step]:
    """Return the steps that the slopes speak for."""
    Z = state.Z[n_fit:]
    t = np.exp(values) * np.sign(state.t[0]) if view.log_target else values
    slopes = slopes * t[:, None] if view.log_target else slopes
    as_seen = slopes * view.columns(state.Z).std(axis=0)
    logged = (state.Z > 0).all(axis=0) & view.log_columns
    raw = np.where(logged, slopes / np.where(logged, Z, 1.0), slopes)
    steps = list(_single_steps(state.Z, raw * Z, t, np.mean(as_seen**2, axis=0)))
    d = Z.shape[1]
    for i in range(d):
        for j in range(i + 1, d):
            steps += _pair_steps(state.Z, Z, raw, i, j)
            steps += _scaling_steps(state.Z, raw * Z, t, i, j)
            steps += _scaling_steps(state.Z, raw * Z, t, j, i)
    steps += _homogeneity_steps(state.Z, raw * Z, t)
    return [step for step in steps if step.doubt < _SUGGESTED]


def _single_steps(Z: FloatArray, elastic: FloatArray, t: FloatArray, size: FloatArray) -> Iterator[_Step]:
    """Yield columns that do nothing, and those that enter as a factor ``z**p``: z dt/dz = p t."""
    for j in range(Z.shape[1]):
        if size[j] < 1e-8 * size.max():
            yield _Step(0.0, "unused", (j,))
            continue
        power = Fraction(round(2 * float(elastic[:, j] @ t / (t @ t))), 2)
        if (
            not power
            or abs(power) > _LARGEST_POWER
            or not (Z[:, j] > 0 if power.denominator > 1 else Z[:, j] != 0).all()
        ):
            continue
        yield _Step(_share(elastic[:, j] - float(power) * t, elastic[:, j]), "factor", (j,), (power,))


def _pair_steps(Z: FloatArray, rows: FloatArray, raw: FloatArray, i: int, j: int) -> Iterator[_Step]:
    """Yield what two columns may enter as; of ``z_i**a * z_j**b`` the logarithmic slopes are as a to b."""
    gi, gj, zi, zj = raw[:, i], raw[:, j], rows[:, i], rows[:, j]
    nonzero = bool((Z[:, [i, j]] != 0).all())
    products = [
        _Step(
            _share(gi * zi * b - gj * zj * a, gi * zi * b, gj * zj * a),
            "product",
            (i, j),
            (Fraction(a), Fraction(b)),
        )
        for a, b in _RATIOS
        if nonzero or b > 0
    ]
    yield min(products, key=lambda step: step.doubt)
    for sign, a, b in _SUMS:  # of u = z_i**a + sign * z_j**b the slopes are as a z_i**(a-1) to b z_j**(b-1)
        ei, ej = b * gi * zj ** (b - 1), sign * a * gj * zi ** (a - 1)
        numbers = (Fraction(sign), Fraction(a), Fraction(b))
        yield _Step(_share(ei - ej, ei, ej), "sum", (i, j), numbers)


def _scaling_steps(Z: FloatArray, elastic: FloatArray, t: FloatArray, i: int, j: int) -> Iterator[_Step]:
    """Yield ``t = z_i**p h(z_i**a z_j**b)``: then ``b z_i dt/dz_i - a z_j dt/dz_j = b p t``."""
    if not (Z[:, [i, j]] != 0).all():
        return
    for a, b in _RATIOS:
        ei, ej = b * elastic[:, i], a * elastic[:, j]
        power = Fraction(round(2 * float((ei - ej) @ t / (t @ t)) / b), 2)
        if not power or abs(power) > _LARGEST_POWER or (power.denominator > 1 and (Z[:, i] <= 0).any()):
            continue
        doubt = _share(ei - ej - b * float(power) * t, ei, ej)
        yield _Step(doubt, "scaling", (i, j), (power, Fraction(a), Fraction(b)))


@lru_cache(maxsize=16)
def _weights(n_columns: int) -> FloatArray:
    """Return the small whole weights (W, d) of three or four columns, the first of them positive."""
    sizes = (3, 4) if n_columns <= 8 else (3,)
    rows = []
    for size in sizes:
        for columns in combinations(range(n_columns), size):
            for weights in product((1, -1, 2, -2), repeat=size):
                if weights[0] > 0 and 1 in map(abs, weights):
                    row = np.zeros(n_columns)
                    row[list(columns)] = weights
                    rows.append(row)
    return np.array(rows).reshape(-1, n_columns)


def _homogeneity_steps(Z: FloatArray, elastic: FloatArray, t: FloatArray) -> list[_Step]:
    """Return weights a of several columns with ``sum a_i z_i dt/dz_i = p t`` (Euler), the best few.

    One column can then be divided out of the others, as dimensional analysis does with units.
    """
    weights = _weights(Z.shape[1])
    if not len(weights):
        return []
    gram, along, square = elastic.T @ elastic, elastic.T @ t, float(t @ t)
    powers = np.round(2.0 * (weights @ along) / square) / 2.0
    left = np.einsum("ij,jk,ik->i", weights, gram, weights) - powers * (
        2.0 * (weights @ along) - powers * square
    )
    total = weights**2 @ np.diag(gram)
    doubts = np.where(total > 0, left / np.where(total > 0, total, 1.0), np.inf)
    found = []
    for number in np.argsort(doubts)[:5]:
        row, power = weights[number], Fraction(float(powers[number]))
        columns = np.flatnonzero(row)
        usable = bool((Z[:, columns] != 0).all()) and abs(power) <= _LARGEST_POWER
        if usable and (power.denominator == 1 or bool((Z[:, columns] > 0).all())):
            numbers = (power, *(Fraction(int(row[c])) for c in columns))
            found.append(
                _Step(max(float(doubts[number]), 0.0), "homogeneity", tuple(map(int, columns)), numbers)
            )
    return found


def _share(difference: FloatArray, *parts: FloatArray) -> float:
    total = sum(float(part @ part) for part in parts)
    return float(difference @ difference) / total if total > 0 else np.inf


def _take(state: _State, step: _Step) -> _State | None:
    """Return the table after a step; None where it is not finite."""
    if step.kind == "homogeneity":
        return _divided(state, step)
    old = state.reduction
    kept = [k for k in range(state.Z.shape[1]) if k not in step.columns]
    columns = [old.columns[k] for k in kept]
    factor, t, size, fresh = old.factor, state.t, state.factor, np.empty((len(state.t), 0))
    with np.errstate(all="ignore"):
        if step.kind in ("factor", "scaling"):
            j, power = step.columns[0], step.numbers[0]
            factor = factor.times(old.columns[j], 1, power)
            entered = state.Z[:, j] ** (int(power) if power.denominator == 1 else float(power))
            t, size = t / entered, size * np.abs(entered)
        if step.kind not in ("factor", "unused"):
            column, values = _joined(state, step)
            columns.append(column)
            fresh = values[:, None]
    Z = np.column_stack([state.Z[:, kept], fresh])
    if not (np.isfinite(Z).all() and np.isfinite(t).all()):
        return None
    return _State(Z, t, size, _following(old, columns, factor, step))


def _divided(state: _State, step: _Step) -> _State | None:
    """Return the table with one column divided out of others that scale with it."""
    power, *weights = step.numbers
    pivot = next(k for k, weight in zip(step.columns, weights, strict=True) if abs(weight) == 1)
    own = weights[step.columns.index(pivot)]
    columns, Z = list(state.reduction.columns), state.Z.copy()
    with np.errstate(all="ignore"):
        for k, weight in zip(step.columns, weights, strict=True):
            if k != pivot:
                columns[k] = columns[k].times(columns[pivot], 1, -weight * own)
                Z[:, k] *= state.Z[:, pivot] ** int(-weight * own)
        entered = state.Z[:, pivot] ** float(power * own)
        t, size = state.t / entered, state.factor * np.abs(entered)
    Z = np.delete(Z, pivot, axis=1)
    factor = state.reduction.factor.times(state.reduction.columns[pivot], 1, power * own)
    del columns[pivot]
    if not (np.isfinite(Z).all() and np.isfinite(t).all()):
        return None
    return _State(Z, t, size, _following(state.reduction, columns, factor, step))


def _following(old: Reduction, columns: list[Column], factor: Column, step: _Step) -> Reduction:
    return Reduction(tuple(columns), factor, (*old.steps, step.kind), old)


def _joined(state: _State, step: _Step) -> tuple[Column, FloatArray]:
    """Return the column that takes the place of two, and its values."""
    i, j = step.columns
    left, right = state.reduction.columns[i], state.reduction.columns[j]
    zi, zj = state.Z[:, i], state.Z[:, j]
    if step.kind in ("product", "scaling"):
        a, b = step.numbers[-2:]
        return left.times(right, a, b), zi ** int(a) * zj ** int(b)
    sign, a, b = step.numbers
    left, right = left.times(Column(()), a, 1), right.times(Column(()), b, 1)
    tokens = ("add" if sign > 0 else "sub", *left.tokens(), *right.tokens())
    return Column(((tokens, Fraction(1)),)), zi ** int(a) + int(sign) * zj ** int(b)
