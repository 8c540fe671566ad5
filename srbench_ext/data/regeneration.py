"""Tables made from the facts of a problem: uniform draws from a formula, or the trajectories of an ODE."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from srbench_ext.data.problem import OdeSystem, Problem, Table, parse_formula
from srbench_ext.data.streams import data_stream
from srbench_ext.errors import DataError

__all__ = ["regenerate"]

# Far below the error of the original trajectories, far above rounding.
_RELATIVE_TOLERANCE = 1e-11
_ABSOLUTE_TOLERANCE = 1e-12


def regenerate(problem: Problem) -> Table:
    """Make the table of a problem without any file.

    Inputs are drawn uniformly from the box, by the problem's own stream of randomness, or follow the ODE from its
    initial states (every ``step``, ``n_steps`` rows each); the target is the formula at these inputs.

    Parameters
    ----------
    problem : Problem
        One with ``can_be_regenerated``.

    Returns
    -------
    Table
        ``source`` is ``"regenerated"``; ``sha256`` is that of the bytes of X (C order) and then y as little-endian
        float64. The last digits may depend on the versions of numpy and scipy.

    Raises
    ------
    DataError
        The facts do not give a table, or the formula is not finite somewhere.
    """
    truth = problem.truth()
    if truth is None or not problem.can_be_regenerated:
        raise DataError(f"{problem.name} cannot be regenerated: its suite gives no formula with a box or an ODE.")
    X = _trajectories(problem, problem.system) if problem.system is not None else _uniform_rows(problem)
    y = np.asarray(truth.evaluate(X), dtype=np.float64)
    bad = int((~np.isfinite(y)).sum())
    if bad:
        raise DataError(
            f"{problem.name}: the formula {problem.formula!r} is not finite on {bad} of {len(y)} regenerated rows. "
            "Check the formula and the ranges of the suite."
        )
    digest = hashlib.sha256(X.astype("<f8").tobytes() + y.astype("<f8").tobytes()).hexdigest()
    X.setflags(write=False)
    y.setflags(write=False)
    return Table(X, y, problem.feature_names, "regenerated", digest)


def _uniform_rows(problem: Problem) -> npt.NDArray[np.float64]:
    """Draw (uniform_rows, n_features) numbers from the box."""
    if problem.lows is None or problem.highs is None or problem.uniform_rows is None:
        raise DataError(f"{problem.name} cannot be regenerated: its suite gives no lows and highs.")
    rng = data_stream(problem.suite, problem.name)
    return rng.uniform(problem.lows, problem.highs, size=(problem.uniform_rows, problem.n_features))


def _trajectories(problem: Problem, system: OdeSystem) -> npt.NDArray[np.float64]:
    """Integrate from each initial state; shape (trajectories * n_steps, n_features)."""
    from scipy.integrate import solve_ivp  # a second of import that readers of a cache do without

    expressions = [parse_formula(formula, problem.feature_names) for formula in system.derivatives]

    def derivative(_: float, state: npt.NDArray[np.float64]) -> list[float]:
        row = state.reshape(1, -1)
        return [float(e.evaluate(row)[0]) for e in expressions]

    times = system.step * np.arange(system.n_steps)
    parts = []
    for initial in system.initial_states:
        solution = solve_ivp(
            derivative,
            (0.0, float(times[-1])),
            initial,
            method="DOP853",
            t_eval=times,
            rtol=_RELATIVE_TOLERANCE,
            atol=_ABSOLUTE_TOLERANCE,
        )
        if not solution.success:
            raise DataError(f"{problem.name}: no trajectory from {initial}: {solution.message}")
        parts.append(solution.y.T)
    return np.ascontiguousarray(np.concatenate(parts))
