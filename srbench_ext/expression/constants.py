"""Fitting the constants of a formula to data: Levenberg-Marquardt with an analytic Jacobian.

Constants that enter linearly, and an outer scale and offset, are solved in closed form at every step
(variable projection: Golub and Pereyra, SIAM J. Numer. Anal. 10:413, 1973; the Jacobian is that of Kaufman,
BIT 15:49, 1975), so that only the others are searched for. The target is divided by its root mean square
first: the result does not depend on its unit.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import InputError
from srbench_ext.expression.affine import with_affine
from srbench_ext.expression.canonical import canonical_key
from srbench_ext.expression.core import Expression
from srbench_ext.expression.kernels import (
    affine_kernel,
    column_kernel,
    fit_kernel,
    loss_kernel,
    size_kernel,
    target_kernel,
    value_kernel,
)
from srbench_ext.expression.plan import FitPlan, fit_plan
from srbench_ext.expression.program import FloatArray, as_columns, as_prefix, compile_prefix

__all__ = ["ConstantFit", "fit_constants", "fit_constants_many", "warm_up"]

_FAR = 1e3  # columns whose size is further from 1 always set the size of the constants beside them
_ELSEWHERE = 32  # starts that are only looked at, where a formula is not finite at the others
_SLOW_WORK = 2e6  # nodes x rows x iterations above which starts are run one by one to keep a deadline
_NODES_PER_SECOND = 1e8  # a cautious figure for nodes x rows, derivative included

Skeleton = tuple[str, ...] | list[str] | Expression


@dataclass(frozen=True, slots=True)
class ConstantFit:
    """A fitted formula.

    Attributes
    ----------
    expression : Expression
        The formula with its constants, scale and offset included where they matter.
    loss : float
        Mean squared error of exactly this formula on the given rows; infinite if any value is not finite.
    n_evaluations : int
        How often the formula was evaluated on all rows.
    n_starts : int
        How many starts were used.
    converged : bool
        Whether the search ended by itself rather than at its limits.
    """

    expression: Expression
    loss: float
    n_evaluations: int
    n_starts: int
    converged: bool


@dataclass(frozen=True, slots=True)
class _Options:
    scale_and_offset: bool
    n_starts: int
    max_iterations: int
    deadline: float | None
    max_constant: float
    variable_projection: bool


class _Target:
    """A table and its target in the form the kernels take, prepared once for many skeletons."""

    def __init__(self, X: npt.ArrayLike, y: npt.ArrayLike) -> None:
        self.columns = as_columns(X)
        self.y = np.array(y, dtype=np.float64)
        if self.y.shape != (self.columns.shape[1],) or self.y.size == 0:
            raise InputError(
                f"y must have one value for each of the {self.columns.shape[1]} rows of X, and at least one. "
                f"Got shape {self.y.shape}."
            )
        self.centred, self.scaled = np.empty_like(self.y), np.empty_like(self.y)
        bad, self.mean, self.rms, self.varies = target_kernel(self.y, self.centred, self.scaled)
        if bad:
            raise InputError(f"y has {bad} values that are not finite. Remove them.")

    def check_columns(self, needed: int) -> None:
        if len(self.columns) < needed:
            raise InputError(
                f"The formula uses column x{needed - 1} but X has {len(self.columns)} columns. "
                "Give the table the formula was made for."
            )

    def loss(self, expression: Expression) -> float:
        values = compile_prefix(expression.prefix).evaluate_columns(self.columns, expression.constants)
        return self.loss_of(values)

    def loss_of(self, values: FloatArray) -> float:
        return float(loss_kernel(values, self.y, self.rms))


def fit_constants(
    skeleton: Skeleton,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    scale_and_offset: bool = True,
    n_starts: int = 3,
    max_iterations: int = 30,
    rng: np.random.Generator | None = None,
    deadline: float | None = None,
    max_constant: float = 1e8,
    variable_projection: bool = True,
) -> ConstantFit:
    """Fit the constants of one skeleton by least squares.

    Parameters
    ----------
    skeleton : sequence of str or Expression
        Prefix tokens. The constants of an Expression are the first start; else the first start is all ones.
    X : (n, d) array_like
        The table.
    y : (n,) array_like
        The target, finite.
    scale_and_offset : bool
        Fit ``a * f + b`` instead of ``f``. The scale and the offset become part of the formula where they
        differ from 1 and 0 by more than 1e-9 (relative), and take the place of constants of the skeleton
        that do the same.
    n_starts : int
        How many starts in all; the search stops early at an exact fit.
    max_iterations : int
        Steps a start, accepted or not.
    rng : numpy.random.Generator or None
        Draws the starts; None draws always the same.
    deadline : float or None
        A time of ``time.monotonic()`` after which the best so far is returned.
    max_constant : float
        Largest size of a constant inside of the formula; scale and offset are free.
    variable_projection : bool
        Solve constants that enter linearly at every step instead of searching for them.

    Returns
    -------
    ConstantFit
        The best point seen, never merely the last.

    Raises
    ------
    InputError
        If X or y are no table of numbers or do not fit each other.
    ExpressionError
        If the tokens are not one complete formula.
    """
    options = _Options(
        scale_and_offset, n_starts, max_iterations, deadline, max_constant, variable_projection
    )
    target = _Target(X, y)
    return _fit(target, _prepare(skeleton, options, rng), options)


def fit_constants_many(
    skeletons: Iterable[Skeleton],
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    scale_and_offset: bool = True,
    n_starts: int = 3,
    max_iterations: int = 30,
    rng: np.random.Generator | None = None,
    deadline: float | None = None,
    max_constant: float = 1e8,
    variable_projection: bool = True,
    n_jobs: int = 1,
) -> Iterator[tuple[int, ConstantFit]]:
    """Fit many skeletons to the same data and yield each result with its index as it comes.

    The parameters are those of :func:`fit_constants`. ``n_jobs`` is the number of threads; with one, results
    come in the order given. The results do not depend on ``n_jobs``. After the deadline no further skeleton
    is begun, so that some may be missing. Skeletons are taken from the iterable only as needed.
    """
    options = _Options(
        scale_and_offset, n_starts, max_iterations, deadline, max_constant, variable_projection
    )
    target = _Target(X, y)
    if n_starts > 1:
        rng = rng or np.random.default_rng(0)
    prepared = (_prepare(skeleton, options, rng) for skeleton in skeletons)
    if n_jobs > 1:
        yield from _fit_in_threads(target, prepared, options, n_jobs)
        return
    for index, job in enumerate(prepared):
        if _expired(deadline):
            return
        yield index, _fit(target, job, options)


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A skeleton with starts (s, k) for all its constants, the first ``given`` of them by the caller."""

    prefix: tuple[str, ...]
    starts: FloatArray
    given: int
    names: tuple[str, ...] | None


def _fit_in_threads(
    target: _Target, prepared: Iterator[_Prepared], options: _Options, n_jobs: int
) -> Iterator[tuple[int, ConstantFit]]:
    waiting: deque[tuple[int, Future[ConstantFit]]] = deque()
    with ThreadPoolExecutor(n_jobs) as pool:
        for index, job in enumerate(prepared):
            if _expired(options.deadline):
                break
            waiting.append((index, pool.submit(_fit, target, job, options)))
            if len(waiting) >= 4 * n_jobs:
                first, future = waiting.popleft()
                yield first, future.result()
        for index, future in waiting:
            yield index, future.result()


def _expired(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _prepare(skeleton: Skeleton, options: _Options, rng: np.random.Generator | None) -> _Prepared:
    if isinstance(skeleton, Expression):
        prefix, names = skeleton.prefix, skeleton.names
        first = np.array(skeleton.constants)
    else:
        prefix, names = as_prefix(skeleton), None
        first = np.ones(prefix.count("C"))
    starts = np.empty((max(1, options.n_starts), len(first)))
    starts[0] = first
    if starts[1:].size:
        rng = rng or np.random.default_rng(0)  # costs as much as a short fit
        # field experience: half of all constants in formulas lie within a factor of 3 of 1, few are negative
        sizes = np.exp(rng.normal(scale=1.2, size=starts[1:].shape))
        starts[1:] = np.where(rng.random(starts[1:].shape) < 0.25, -sizes, sizes)
    return _Prepared(prefix, starts, int(isinstance(skeleton, Expression)), names)


def _fit(target: _Target, job: _Prepared, options: _Options) -> ConstantFit:
    plan = fit_plan(job.prefix, options.scale_and_offset, options.variable_projection)
    if options.scale_and_offset and not (plan.n_columns and target.varies):
        return _constant_fit(target, job.names)
    columns = np.empty((len(plan.roots), len(target.y)))
    if len(plan.roots):
        target.check_columns(plan.n_columns)
        column_kernel(plan.outer_code, plan.outer_literals, plan.roots, target.columns, columns)
    starts = np.ascontiguousarray(job.starts[:, plan.kept])
    solved = len(plan.kept) == plan.n_linear > 0
    if solved:
        starts = starts[:1]  # all lead to the same solution
    sizes = np.ones(len(plan.kept))
    if not solved and size_kernel(plan.code, columns, sizes):
        far = max(sizes.max(), 1.0 / sizes.min()) > _FAR
        for row in starts[job.given :]:
            both = np.stack([row, row * sizes])
            row[:] = both[1] if far else _lowest(target, plan, columns, both, options)[1]
    values, lowest, evaluations, used, converged = _search(target, plan, columns, starts, options)
    if len(values) and not (solved or math.isfinite(lowest) or _expired(options.deadline)):
        others = spread_constants(len(values)) * sizes
        evaluations += len(others)
        lowest, start = _lowest(target, plan, columns, others, options)
        if math.isfinite(lowest):
            values, _, spent, more, converged = _search(target, plan, columns, start[None], options)
            evaluations, used = evaluations + spent, used + more
    expression, loss = _assemble(target, plan, columns, values, job.prefix, options, job.names)
    return ConstantFit(expression, loss, evaluations, used, converged)


def _lowest(
    target: _Target, plan: FitPlan, columns: FloatArray, starts: FloatArray, options: _Options
) -> tuple[float, FloatArray]:
    """Return the lowest loss of some starts as they are, infinite if none is finite, and that start."""
    found = np.empty(starts.shape[1])
    affine = options.scale_and_offset
    y, unit = (target.centred, 1.0) if affine else (target.scaled, target.rms)
    loss, _, _, _ = fit_kernel(
        plan.code, plan.literals, columns, y, affine, unit, starts, 0, options.max_constant, found
    )
    return float(loss), found


@lru_cache(maxsize=64)
def spread_constants(n_constants: int) -> FloatArray:
    """Return constants (32, k) of very different sizes, for formulas that are not finite at the usual ones.

    A logarithm of columns on both sides of zero wants an offset larger than all of its terms. They are the
    same ones every time; in the first half all are positive.
    """
    rng = np.random.default_rng(n_constants)
    sizes = np.exp(rng.normal(scale=2.0, size=(_ELSEWHERE, n_constants)))
    signs = np.where(rng.random(sizes.shape) < 0.25, -1.0, 1.0)
    signs[: _ELSEWHERE // 2] = 1.0
    return np.asarray(signs * sizes, np.float64)


def _constant_fit(target: _Target, names: tuple[str, ...] | None) -> ConstantFit:
    expression = Expression(("C",), (target.mean,), names)
    return ConstantFit(expression, target.loss(expression), 1, 1, True)


def _search(
    target: _Target, plan: FitPlan, columns: FloatArray, starts: FloatArray, options: _Options
) -> tuple[FloatArray, float, int, int, bool]:
    """Run the starts, all at once or, where a deadline could be overrun, one by one.

    Returns the best constants, their loss, evaluations, starts and whether the best one converged.
    """
    affine = options.scale_and_offset
    y, unit = (target.centred, 1.0) if affine else (target.scaled, target.rms)
    work = (len(plan.code) + plan.n_linear**2 // 2) * len(y)  # the latter for solving
    watched = options.deadline is not None and work * options.max_iterations * len(starts) > _SLOW_WORK
    batches = [starts[i : i + 1] for i in range(len(starts))] if watched else [starts]
    best, lowest, converged = starts[0].copy(), math.inf, False
    evaluations = used = 0
    for batch in batches:
        iterations = options.max_iterations
        if options.deadline is not None:
            left = max(0.0, options.deadline - time.monotonic())
            iterations = min(iterations, int(left * _NODES_PER_SECOND / work))
        if used and iterations == 0:
            break
        found = np.empty(batch.shape[1])
        loss, spent, begun, done = fit_kernel(
            plan.code,
            plan.literals,
            columns,
            y,
            affine,
            unit,
            batch,
            iterations,
            options.max_constant,
            found,
        )
        evaluations += spent
        used += begun
        if loss < lowest:
            best, lowest, converged = found, float(loss), done
        if lowest <= 1e-24 * len(y):
            break
    return best, lowest, evaluations, used, converged


def _assemble(
    target: _Target,
    plan: FitPlan,
    columns: FloatArray,
    values: FloatArray,
    prefix: tuple[str, ...],
    options: _Options,
    names: tuple[str, ...] | None,
) -> tuple[Expression, float]:
    """Return the whole formula, scale and offset included, and its loss."""
    constants = tuple(values.tolist())
    f = np.empty(len(target.y))
    value_kernel(plan.code, plan.literals, values, columns, f)
    if not options.scale_and_offset:
        return Expression(prefix, constants, names), target.loss_of(f)
    a, b = affine_kernel(f, target.y, target.mean, target.rms)
    if not (math.isfinite(a) and math.isfinite(b)):
        return Expression(prefix, _all_constants(prefix, plan, constants), names), np.inf
    if a == 0.0:
        fit = _constant_fit(target, names)
        return fit.expression, fit.loss
    expression = Expression(*with_affine(plan.core, constants, a, b, target.rms), names)
    return expression, target.loss(expression)


def _all_constants(prefix: tuple[str, ...], plan: FitPlan, constants: tuple[float, ...]) -> tuple[float, ...]:
    """Constants of the whole skeleton when nothing could be fitted: ones where the core has none."""
    full = [1.0] * prefix.count("C")
    for index, value in zip(plan.kept, constants, strict=True):
        full[index] = value
    return tuple(full)


def warm_up() -> None:
    """Compile every kernel, or load it from numba's cache: seconds the first time, then milliseconds.

    Call it before a clock starts. numba keeps the machine code beside the package or, where that folder
    cannot be written, in the user's cache folder (``NUMBA_CACHE_DIR``).
    """
    x = np.linspace(1.0, 2.0, 8)
    fit_constants(("exp", "mul", "C", "x0"), x[:, None], np.exp(0.5 * x), n_starts=1)
    compile_prefix(("mul", "C", "x0")).evaluate_with_jacobian(x[:, None], (1.0,))
    canonical_key(("x0",))
