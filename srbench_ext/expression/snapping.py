"""Fitted constants replaced by the plain numbers they are near to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from srbench_ext.expression.core import Expression
from srbench_ext.expression.operators import CONSTANT, PI
from srbench_ext.expression.pruning import Allowance, pruned
from srbench_ext.expression.simplification import rewritten, simplify

__all__ = ["plain_number", "snap_constants"]

_QUANTILE = 3.841458820694124  # of chi-squared with one degree of freedom, at 95%
_ROUNDS = 3
_NEAR = 1e-2  # how near a fraction, a multiple of pi or a root must be, relative
_LARGEST = 1000  # largest integer that is tried


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
    normal form. The formula never becomes longer.

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
        ``exp(3.84 / n) - 1``: the likelihood-ratio test of one parameter at 95% with normal errors. A loss
        below ``1e-24`` of the mean square of y is always allowed.
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
    rise = math.expm1(_QUANTILE / max(len(target), 1)) if tolerance is None else tolerance
    allowance = Allowance(X, target, rise, deadline)
    for _ in range(_ROUNDS):
        short = pruned(e, allowance)
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
        for tokens, value in _candidates(slots[index].value):
            trial = [*slots[:index], _Slot(value, tokens), *slots[index + 1 :]]
            refitted, new = _refitted(e, trial, allowance)
            if new <= allowance.limit(loss):
                slots, loss = refitted, new
                break
    return _tidied(e, slots, allowance)


def plain_number(value: float, tolerance: float) -> tuple[str, ...] | None:
    """Return the tokens of a plain number within the relative tolerance of the value, or None."""
    for tokens, number in _candidates(value):
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
    snapped = _write(e, slots, literal=False)
    short = simplify(snapped)
    if short is snapped:
        return snapped
    limit = max(allowance.loss(snapped) * (1.0 + 1e-9), allowance.floor)
    return short if allowance.loss(short) <= limit else snapped


def _distance(value: float) -> float:
    return min((abs(value - v) for _, v in _candidates(value)), default=math.inf) / (abs(value) + 1e-12)


def _candidates(value: float) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield plain numbers near to the value, plainest first, as tokens and value."""
    nearest = round(value)
    if abs(nearest) <= _LARGEST and abs(value - nearest) <= max(0.1, _NEAR * abs(value)):
        yield (str(nearest),), float(nearest)
    yield from _fractions(value, 1.0, ())
    yield from _fractions(value, math.pi, (PI,))
    yield from _fractions(value, 1.0 / math.pi, ("inv", PI))
    sign = ("neg",) if value < 0 else ()
    for number in range(2, 21):
        root = math.copysign(math.sqrt(number), value)
        if number not in (4, 9, 16) and abs(value - root) <= _NEAR * abs(root):
            yield (*sign, "sqrt", str(number)), root
        if number not in (4, 9, 16) and abs(value - 1.0 / root) <= _NEAR / abs(root):
            yield (*sign, "inv", "sqrt", str(number)), 1.0 / root


def _fractions(value: float, unit: float, tokens: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield ``p / q`` times a unit, by rising q; whole multiples only of units other than 1."""
    for q in (1, 2, 3, 4, 5, 6, 8, 10, 12):
        p = round(value / unit * q)
        plain = p == 0 or (q == 1 and unit == 1.0) or math.gcd(p, q) > 1 or abs(p) > 20
        if plain or abs(value - p * unit / q) > _NEAR / q * abs(value):
            continue
        number = (str(p),) if q == 1 else ("div", str(p), str(q))
        if not tokens:
            yield number, p / q
        else:
            yield (tokens if number == ("1",) else ("mul", *number, *tokens)), p * unit / q
