"""Whether a found formula is the true one: three verdicts side by side.

*srbench* follows the definition of SRBench (La Cava et al., 2021): floats are rounded to three decimals
(those below 1e-4 to zero), the prediction is simplified, and it counts when it is not zero and its difference
from the truth is zero or constant, or their ratio is constant; only for a test R² above 0.5. A constant that
is a plain number to its last bits, such as 1/3 or 4 pi, is that number and no float to round: how a formula
writes its numbers, as ``x0/3`` or as ``0.3333333333333333*x0``, is not what the verdict is about.

*symbolic* asks the same of the unrounded formulas, numbers equal within 1e-6 relative being one.

*numeric* compares values on fresh points in and around the box of the data, up to scale and offset.

None is a fourth state, unknown: the check ran out of time or had too few points. What values can refute is
refuted by values, at no cost; what the normal form can prove is proved there; only the rest goes to sympy, in
a child that is killed when its time is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import InputError
from srbench_ext.expression.canonical import equal_up_to_a_constant, normalise
from srbench_ext.expression.child import results_within
from srbench_ext.expression.core import Expression
from srbench_ext.expression.evaluation import evaluate
from srbench_ext.expression.operators import CONSTANT
from srbench_ext.expression.snapping import EXACT_NUMBER, plain_number
from srbench_ext.expression.sympy_form import to_sympy

__all__ = ["Recovery", "complexity_simplified", "recovered"]

_TOLERANCE = 1e-6
_POINTS = 400
_AROUND = 0.1  # how far points lie outside of the box, in widths
_REFUTED = 1e-4  # relative deviation beyond which formulas differ in more than rounding
_DECIMALS, _ZERO, _LEAST_R2 = 3, 1e-4, 0.5

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recovery:
    """Three verdicts; None is unknown.

    Attributes
    ----------
    srbench : bool or None
        By SRBench's definition.
    symbolic : bool or None
        By symbols, without rounding.
    numeric : bool or None
        By values.
    """

    srbench: bool | None
    symbolic: bool | None
    numeric: bool | None


def recovered(
    expression: Expression,
    truth: Expression,
    lows: npt.ArrayLike,
    highs: npt.ArrayLike,
    *,
    y_rms: float,
    rng: np.random.Generator,
    timeout_seconds: float = 10.0,
    r2_test: float | None = None,
) -> Recovery:
    """Compare a found formula with the truth.

    Parameters
    ----------
    expression, truth : Expression
        Both over the same columns.
    lows, highs : (d,) array_like
        The box of the training data.
    y_rms : float
        Root mean square of the target.
    rng : numpy.random.Generator
        Draws the points.
    timeout_seconds : float
        Time for sympy, for both symbolic verdicts together.
    r2_test : float or None
        R² on test rows; the srbench verdict is False unless it is above 0.5. None skips this condition.

    Returns
    -------
    Recovery

    Raises
    ------
    InputError
        If the box does not fit the formulas.
    """
    low, high = _box(lows, highs, (expression, truth))
    inside, around = _points(low, high, rng)
    numeric = _numeric(expression, truth, np.concatenate([inside, around]), y_rms)
    rounded = _rounded(expression), _rounded(truth)
    plain = _plain(expression), _plain(truth)
    poor = r2_test is not None and not r2_test > _LEAST_R2
    srbench = False if poor else _by_rules(*rounded, X=inside, tolerance=1e-7)
    symbolic = _by_rules(*plain, X=inside, tolerance=_REFUTED)
    wanted = (srbench is None, symbolic is None)
    if any(wanted):
        import sympy  # noqa: F401 - loaded here once, so that no child has to

        answers = dict(results_within(timeout_seconds, _by_sympy, rounded, plain, wanted))
        srbench = answers.get("srbench", srbench)
        symbolic = answers.get("symbolic", symbolic)
    return Recovery(srbench, symbolic, numeric)


def _box(
    lows: npt.ArrayLike, highs: npt.ArrayLike, formulas: Sequence[Expression]
) -> tuple[FloatArray, FloatArray]:
    low, high = np.asarray(lows, dtype=np.float64), np.asarray(highs, dtype=np.float64)
    width = max((v for e in formulas for v in e.variables), default=-1) + 1
    if low.ndim != 1 or low.shape != high.shape or len(low) < width or not np.all(low <= high):
        raise InputError(
            f"The box must have one low and one high, not below it, for each of at least {width} columns. "
            f"Got shapes {low.shape} and {high.shape}."
        )
    return low, high


def _points(low: FloatArray, high: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Points in the box, and in a wider one that does not cross zero where the box does not."""
    margin = _AROUND * (high - low)
    wide_low = np.where(low >= 0, np.maximum(low - margin, 0.5 * low), low - margin)
    wide_high = np.where(high <= 0, np.minimum(high + margin, 0.5 * high), high + margin)
    size = (_POINTS, len(low))
    return rng.uniform(low, high, size), rng.uniform(wide_low, wide_high, size)


def _numeric(expression: Expression, truth: Expression, X: FloatArray, y_rms: float) -> bool | None:
    expected, got = evaluate(truth, X), evaluate(expression, X)
    rows = np.isfinite(expected)
    if rows.mean() < 0.5:
        return None
    expected, got = expected[rows], got[rows]
    if not np.isfinite(got).all():
        return False
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(expected), y_rms)
        if not (size > 0).all():
            return bool(np.all(got == got[0]))
        scale, offset = _line(got, expected, 1.0 / size)
        deviation = np.abs(scale * got + offset - expected)
        return bool(scale != 0.0 or np.ptp(expected) == 0.0) and bool(np.all(deviation <= _TOLERANCE * size))


def _line(f: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """Scale and offset that bring f to y, rows weighted."""
    total = float(np.sum(weights**2))
    mean_f, mean_y = float(weights**2 @ f) / total, float(weights**2 @ y) / total
    df, dy = (f - mean_f) * weights, (y - mean_y) * weights
    unit = float(np.abs(df).max())
    if unit <= 1e-13 * abs(mean_f) * float(weights.max()) or not np.isfinite(unit):
        return 0.0, mean_y
    df = df / unit
    scale = float(df @ dy) / float(df @ df) / unit
    return scale, mean_y - scale * mean_f


def _by_rules(a: Expression, b: Expression, X: FloatArray, tolerance: float) -> bool | None:
    """Refute by values (False) or show by the normal form (True) that difference or ratio is constant."""
    f, t = evaluate(a, X), evaluate(b, X)
    rows = np.isfinite(t)
    if rows.sum() >= 20:
        f, t = f[rows], t[rows]
        if not np.isfinite(f).any() or np.ptp(f[np.isfinite(f)]) == 0.0 < np.ptp(t):
            return False
        fine = np.isfinite(f)
        if fine.sum() >= 20 and not _constant_apart(f[fine], t[fine], tolerance):
            return False
    exact = [normalise(e.prefix, [Fraction(repr(c)) for c in e.constants]) for e in (a, b)]
    if not exact[0].factors and exact[0].coefficient == 0:
        return False
    return True if equal_up_to_a_constant(*exact) else None


def _constant_apart(f: FloatArray, t: FloatArray, tolerance: float) -> bool:
    with np.errstate(all="ignore"):
        size = np.maximum(np.maximum(np.abs(f), np.abs(t)), np.median(np.abs(t))) + np.abs(np.median(f - t))
        difference = np.abs(f - t - np.median(f - t))
        if np.all(difference <= tolerance * size):
            return True
        ratio = np.median(f[t != 0.0] / t[t != 0.0]) if (t != 0.0).any() else 1.0
        size = np.maximum(np.maximum(np.abs(f), np.abs(ratio * t)), np.median(np.abs(f)))
        return bool(np.all(np.abs(f - ratio * t) <= tolerance * size))


def _rounded(e: Expression) -> Expression:
    """Constants as SRBench rounds them, but for those that are plain numbers to their last bits."""
    return _written_out(e, EXACT_NUMBER, lambda c: 0.0 if abs(c) < _ZERO else round(c, _DECIMALS))


def _plain(e: Expression) -> Expression:
    """Constants within 1e-6 of a plain number written as that number."""
    return _written_out(e, _TOLERANCE, lambda c: float(f"{c:.7g}"))


def _written_out(e: Expression, tolerance: float, otherwise: Callable[[float], float]) -> Expression:
    """Constants within the tolerance of a plain number as its tokens, the others as a function makes them."""
    values = iter(e.constants)
    prefix: list[str] = []
    constants: list[float] = []
    for token in e.prefix:
        value = next(values) if token == CONSTANT else 0.0
        tokens = plain_number(value, tolerance) if token == CONSTANT else (token,)
        prefix += tokens or (CONSTANT,)
        if tokens is None:
            constants.append(otherwise(value))
    return Expression(tuple(prefix), tuple(constants))


def _by_sympy(
    rounded: Sequence[Expression], plain: Sequence[Expression], wanted: tuple[bool, bool]
) -> Iterator[tuple[str, bool]]:
    """Yield the verdicts that are wanted; runs in a child."""
    import sympy

    if wanted[0]:
        found, truth = (to_sympy(e, real=True) for e in rounded)
        found = sympy.simplify(found, ratio=1)
        degenerate = found == 0 or found.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo)
        yield "srbench", not degenerate and _is_constant_apart(found, truth, 0.0)
    if wanted[1]:
        found, truth = (to_sympy(e, real=True) for e in plain)
        yield "symbolic", _is_constant_apart(found, truth, _TOLERANCE)


def _is_constant_apart(found: Any, truth: Any, tolerance: float) -> bool:
    import sympy

    difference = sympy.simplify(truth - found, ratio=1)
    if _is_constant(difference, truth, tolerance):
        return True
    if truth == 0:
        return False
    return _is_constant(sympy.simplify(found / truth, ratio=1), sympy.Integer(1), tolerance)


def _is_constant(value: Any, scale: Any, tolerance: float) -> bool:
    """Whether no symbol is left; terms far smaller than the largest of ``scale`` do not count."""
    import sympy

    if value.has(sympy.nan, sympy.zoo, sympy.oo):
        return False
    if not value.free_symbols or tolerance == 0.0:
        return not value.free_symbols
    largest = max(abs(_coefficient(term)) for term in sympy.Add.make_args(sympy.expand(scale)))
    terms = [t for t in sympy.Add.make_args(sympy.expand(value)) if t.free_symbols]
    return all(abs(_coefficient(term)) <= tolerance * largest for term in terms)


def _coefficient(term: Any) -> float:
    return float(term.as_coeff_Mul()[0])


def complexity_simplified(e: Expression, timeout_seconds: float = 10.0) -> int | None:
    """Return the number of nodes after sympy's simplification, as SRBench 2025 counts size.

    Parameters
    ----------
    e : Expression
        The formula; its constants are not rounded.
    timeout_seconds : float
        Time for sympy.

    Returns
    -------
    int or None
        None if the time was over.
    """
    if e.complexity == 1 and timeout_seconds > 0:  # a lone variable or number is not worth a child
        return 1
    import sympy  # noqa: F401 - loaded here once, so that no child has to

    counts = results_within(timeout_seconds, _simplified_nodes, e)
    return counts[0] if counts else None


def _simplified_nodes(e: Expression) -> Iterator[int]:
    import sympy

    yield sum(1 for _ in sympy.preorder_traversal(sympy.simplify(to_sympy(e, real=True))))
