"""Tables made from the facts of a problem: uniform draws from a formula, or the trajectories of an ODE."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from srbench_ext.data.problem import OdeSystem, Problem, Table, parse_formula
from srbench_ext.data.streams import data_stream
from srbench_ext.errors import DataError

__all__ = ["regenerate"]

FloatArray = npt.NDArray[np.float64]
Derivative = Callable[[FloatArray], FloatArray]

_RELATIVE_TOLERANCE = 1e-11
_ABSOLUTE_TOLERANCE = 1e-12


def regenerate(problem: Problem) -> Table:
    """Make the table of a problem without any file.

    Inputs are drawn uniformly from the box, by the problem's own stream of randomness, or follow the ODE
    from its initial states (every ``step``, ``n_steps`` rows each); the target is the formula at these
    inputs.

    Parameters
    ----------
    problem : Problem
        One with ``can_be_regenerated``.

    Returns
    -------
    Table
        ``source`` is ``"regenerated"``; ``sha256`` is that of the bytes of X (C order) and then y as
        little-endian float64. The last digits may depend on the versions of numpy and scipy.

    Raises
    ------
    DataError
        The facts do not give a table, or the formula is not finite somewhere.
    """
    truth = problem.truth()
    if truth is None or not problem.can_be_regenerated:
        raise DataError(
            f"{problem.name} cannot be regenerated: its suite gives no formula with a box or an ODE."
        )
    X = _trajectories(problem, problem.system) if problem.system is not None else _uniform_rows(problem)
    y = np.asarray(truth.evaluate(X), dtype=np.float64)
    bad = int((~np.isfinite(y)).sum())
    if bad:
        raise DataError(
            f"{problem.name}: the formula {problem.formula!r} is not finite on {bad} of {len(y)} regenerated "
            "rows. Check the formula and the ranges of the suite."
        )
    digest = hashlib.sha256(X.astype("<f8").tobytes() + y.astype("<f8").tobytes()).hexdigest()
    X.setflags(write=False)
    y.setflags(write=False)
    return Table(X, y, problem.feature_names, "regenerated", digest)


def _uniform_rows(problem: Problem) -> FloatArray:
    """Draw (uniform_rows, n_features) numbers from the box."""
    if problem.lows is None or problem.highs is None or problem.uniform_rows is None:
        raise DataError(f"{problem.name} cannot be regenerated: its suite gives no lows and highs.")
    rng = data_stream(problem.suite, problem.name)
    return rng.uniform(problem.lows, problem.highs, size=(problem.uniform_rows, problem.n_features))


def _trajectories(problem: Problem, system: OdeSystem) -> FloatArray:
    """Integrate from each initial state; shape (trajectories * n_steps, n_features)."""
    expressions = [parse_formula(formula, problem.feature_names) for formula in system.derivatives]

    def derivative(state: FloatArray) -> FloatArray:
        row = state.reshape(1, -1)
        return np.array([e.evaluate(row)[0] for e in expressions])

    solve = _SOLVERS[system.solver]
    paths = [solve(derivative, np.array(s), system.step, system.n_steps) for s in system.initial_states]
    return np.ascontiguousarray(np.concatenate(paths))


def _solve_adaptively(derivative: Derivative, initial: FloatArray, step: float, n_steps: int) -> FloatArray:
    """Follow the ODE itself: Dormand-Prince of order 8 at tight tolerances; shape (n_steps, states)."""
    from scipy.integrate import solve_ivp  # a second of import that others do without

    times = step * np.arange(n_steps)
    solution = solve_ivp(
        lambda _, state: derivative(state),
        (0.0, float(times[-1])),
        initial,
        method="DOP853",
        t_eval=times,
        rtol=_RELATIVE_TOLERANCE,
        atol=_ABSOLUTE_TOLERANCE,
    )
    if not solution.success:
        raise DataError(f"No trajectory from {initial.tolist()}: {solution.message}")
    return np.asarray(solution.y.T)


def _solve_like_simulink(
    derivative: Derivative, initial: FloatArray, step: float, n_steps: int
) -> FloatArray:
    """Repeat the fixed steps of the original Strogatz tables; shape (n_steps, states).

    Within a step the derivative of the first state is held (explicit Euler), and the other states take a
    step of the third-order method of Bogacki and Shampine (Simulink's ode3). Found by comparison: real rows
    follow from the row before within rounding, in all 7 systems.
    """
    path = np.empty((n_steps, len(initial)))
    path[0] = initial
    for i in range(1, n_steps):
        start = path[i - 1]
        first = derivative(start)
        middle = derivative(start + step / 2 * first)
        middle[0] = first[0]
        late = derivative(start + 3 * step / 4 * middle)
        late[0] = first[0]
        path[i] = start + step / 9 * (2 * first + 3 * middle + 4 * late)
    return path


_SOLVERS = {"adaptive": _solve_adaptively, "simulink": _solve_like_simulink}
