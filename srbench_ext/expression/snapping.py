"""Fitted constants replaced by the plain numbers they are near to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from srbench_ext.expression.core import Expression
from srbench_ext.expression.operators import CONSTANT, PI
from srbench_ext.expression.phases import reduced_phases
from srbench_ext.expression.pruning import Allowance, pruned
from srbench_ext.expression.simplification import rewritten, simplify

__all__ = ["EXACT_NUMBER", "plain_number", "snap_constants"]

EXACT_NUMBER = 4e-16
"""Relative distance below which a double stands for a plain number: two roundings of its last bit."""

_QUANTILE = 3.841458820694124  # of chi-squared with one degree of freedom, at 95%
_ROUNDS = 3
_NEAR = 1e-2  # how near a fraction, a multiple of pi or a root must be, relative
_LARGEST = 1000  # largest integer that is tried
_DENOMINATORS, _NUMERATOR = (1, 2, 3, 4, 5, 6, 8, 10, 12), 20
_ALL_DENOMINATORS, _LARGEST_NUMERATOR = (*range(1, 13), 15, 16, 24, 32), 40
_UNITS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (math.pi, (PI,)),
    (1.0 / math.pi, ("inv", PI)),
)
_RARE_UNITS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (math.pi**2, ("pow2", PI)),
    (1.0 / math.pi**2, ("inv", "pow2", PI)),
    (math.sqrt(math.pi), ("sqrt", PI)),
    (1.0 / math.sqrt(math.pi), ("inv", "sqrt", PI)),
    (math.sqrt(2.0 * math.pi), ("sqrt", "mul", "2", PI)),
    (1.0 / math.sqrt(2.0 * math.pi), ("inv", "sqrt", "mul", "2", PI)),
    *((math.sqrt(n), ("sqrt", str(n))) for n in (2, 3, 5)),
)
"""What fractions are taken of only where the fit is exact, since so many numbers are near to something."""


@dataclass(frozen=True, slots=True)
class _Slot:
    """One constant of the formula: free (``tokens`` is None) or snapped to the number that tokens write."""

    value: float
    tokens: tuple[str, ...] | None = None


def snap_constants(
    e: Expression,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    tolerance: float | None = None,
    deadline: float | None = None,
) -> Expression:
    """Snap constants one by one to integers, small fractions, multiples of pi and roots of small integers.

    A constant is snapped when the loss, after the free constants were adjusted, does not rise by more than
    the tolerance. An integer or pi becomes a token of its own; a fraction, a multiple or a root stays a
    constant with exactly that value. Terms and factors that the data do not need are dropped first, and what
    became superfluous (a factor 1, a term 0) after; products of sums with constants are also tried in their
    normal form. Phases are reduced to a turn, multiples of pi / 2 taken out of them. Where the fit is exact
    more numbers are tried: larger fractions, squares and roots of pi. The formula never becomes longer.

    Parameters
    ----------
    e : Expression
        The fitted formula.
    X : (n, d) array_like
        The table it was fitted on.
    y : (n,) array_like
        The target.
    tolerance : float or None
        Largest relative rise of the mean squared error for each constant. None stands for
        ``exp(max(3.84, ln n) / n) - 1``: the likelihood-ratio test of one parameter with normal errors, at
        95% or, from 47 rows on, by Schwarz's criterion (99.7% at 7,500 rows), since at 95% one in twenty of
        a formula's true constants would be lost. A loss below ``1e-24`` of the mean square of y is always
        allowed.
    deadline : float or None
        A time of ``time.monotonic()`` after which the best so far is returned.

    Returns
    -------
    Expression

    Raises
    ------
    InputError
        If X or y are no table of numbers or do not fit each other.
    """
    target = np.asarray(y, dtype=np.float64)
    n = max(len(target), 1)
    rise = math.expm1(max(_QUANTILE, math.log(n)) / n) if tolerance is None else tolerance
    allowance = Allowance(X, target, rise, deadline)
    for _ in range(_ROUNDS):
        short = pruned(_with_reduced_phases(e, allowance), allowance)
        forms = [short, *(f for f in (rewritten(short),) if f is not None and f.prefix != short.prefix)]
        snapped = min((_snapped(f, allowance) for f in forms), key=lambda f: f.complexity)
        if snapped.prefix == e.prefix or allowance.expired:
            return snapped if snapped.complexity <= e.complexity else e
        e = snapped
    return e


def _snapped(e: Expression, allowance: Allowance) -> Expression:
    """Snap the constants one by one, the one nearest to a plain number first."""
    slots = [_Slot(c) for c in e.constants]
    loss = allowance.loss(e)
    waiting = set(range(len(slots)))
    while waiting and math.isfinite(loss) and not allowance.expired:
        index = min(waiting, key=lambda i: _distance(slots[i].value))
        waiting.remove(index)
        for tokens, value in _candidates(slots[index].value, rare=loss <= allowance.floor):
            trial = [*slots[:index], _Slot(value, tokens), *slots[index + 1 :]]
            refitted, new = _refitted(e, trial, allowance)
            if new <= allowance.limit(loss):
                slots, loss = refitted, new
                break
    return _tidied(e, slots, allowance)


def plain_number(value: float, tolerance: float) -> tuple[str, ...] | None:
    """Return the tokens of a plain number within the relative tolerance of the value, or None."""
    for tokens, number in _candidates(value, rare=True):
        if abs(value - number) <= tolerance * abs(number):
            return tokens
    return None


def _refitted(e: Expression, slots: Sequence[_Slot], allowance: Allowance) -> tuple[list[_Slot], float]:
    adjusted, loss = allowance.refitted(_write(e, slots, literal=True))
    values = iter(adjusted.constants)
    return [s if s.tokens is not None else _Slot(next(values)) for s in slots], loss


def _write(e: Expression, slots: Sequence[_Slot], *, literal: bool) -> Expression:
    """Put the slots into the formula; fractions and the like as fixed tokens (literal) or as constants."""
    rest = iter(slots)
    prefix: list[str] = []
    constants: list[float] = []
    for token in e.prefix:
        slot = next(rest) if token == CONSTANT else None
        if slot is None:
            prefix.append(token)
        elif slot.tokens is not None and (literal or len(slot.tokens) == 1):
            prefix += slot.tokens
        else:
            prefix.append(CONSTANT)
            constants.append(slot.value)
    return Expression(tuple(prefix), tuple(constants), e.names)


def _tidied(e: Expression, slots: Sequence[_Slot], allowance: Allowance) -> Expression:
    snapped = _with_reduced_phases(_write(e, slots, literal=False), allowance)
    short = simplify(snapped)
    return short if short is snapped or _as_good(short, snapped, allowance) else snapped


def _with_reduced_phases(e: Expression, allowance: Allowance) -> Expression:
    reduced = reduced_phases(e)
    return reduced if reduced is e or _as_good(reduced, e, allowance) else e


def _as_good(new: Expression, old: Expression, allowance: Allowance) -> bool:
    return allowance.loss(new) <= max(allowance.loss(old) * (1.0 + 1e-9), allowance.floor)


def _distance(value: float) -> float:
    return min((abs(value - v) for _, v in _candidates(value)), default=math.inf) / (abs(value) + 1e-12)


def _candidates(value: float, *, rare: bool = False) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield plain numbers near to the value, plainest first, as tokens and value."""
    nearest = round(value)
    if abs(nearest) <= _LARGEST and abs(value - nearest) <= max(0.1, _NEAR * abs(value)):
        yield (str(nearest),), float(nearest)
    for unit, tokens in ((1.0, ()), *_UNITS):
        yield from _fractions(value, unit, tokens, _DENOMINATORS, _NUMERATOR)
    sign = ("neg",) if value < 0 else ()
    for number in range(2, 21):
        root = math.copysign(math.sqrt(number), value)
        if number not in (4, 9, 16) and abs(value - root) <= _NEAR * abs(root):
            yield (*sign, "sqrt", str(number)), root
        if number not in (4, 9, 16) and abs(value - 1.0 / root) <= _NEAR / abs(root):
            yield (*sign, "inv", "sqrt", str(number)), 1.0 / root
    if rare:
        for unit, tokens in ((1.0, ()), *_UNITS, *_RARE_UNITS):
            yield from _fractions(value, unit, tokens, _ALL_DENOMINATORS, _LARGEST_NUMERATOR)


def _fractions(
    value: float, unit: float, tokens: tuple[str, ...], denominators: Sequence[int], largest: int
) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield ``p / q`` times a unit, by rising q; whole multiples only of units other than 1."""
    for q in denominators:
        p = round(value / unit * q)
        plain = p == 0 or (q == 1 and unit == 1.0) or math.gcd(p, q) > 1 or abs(p) > largest
        if plain or abs(value - p * unit / q) > _NEAR / q * abs(value):
            continue
        number = (str(p),) if q == 1 else ("div", str(p), str(q))
        if not tokens:
            yield number, p / q
        else:
            yield (tokens if number == ("1",) else ("mul", *number, *tokens)), p * unit / q
