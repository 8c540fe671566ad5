"""PySR in one call, and its table of equations as expressions."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import parse_infix
from srbench_ext.method import Candidate, Method, SearchRun

__all__ = ["PysrRegressor"]

FloatArray = npt.NDArray[np.float64]

_UNLIMITED = 10**8
_BINARY = ("+", "-", "*", "/")
_UNARY = ("square", "sqrt", "exp", "log", "sin", "cos", "tanh")
_RESERVE = 0.95  # of the clock: it looks at its own between iterations


class PysrRegressor(Method):
    """PySR with one thread and its own defaults but for the operators, which are those of the other methods.

    Julia is started, and SymbolicRegression.jl compiled, in phase ``load``.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take.
    random_state : int
        Seed.
    max_size : int
        Most nodes of a formula.
    n_iterations : int
        Most iterations.
    """

    name = "pysr"
    version = "1"

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        max_size: int = 30,
        n_iterations: int = _UNLIMITED,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.max_size = max_size
        self.n_iterations = n_iterations

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield every equation of the table that PySR returns."""
        names = [f"x{i}" for i in range(X.shape[1])]
        with tempfile.TemporaryDirectory(prefix="srbench-ext-pysr-") as scratch:
            with run.phase("load"):
                import pysr  # starts Julia, which must not happen when methods are listed

                _compile(pysr, scratch)
            regressor = pysr.PySRRegressor(
                **_settings(scratch),
                maxsize=self.max_size,
                niterations=self.n_iterations,
                timeout_in_seconds=_RESERVE * run.remaining,
                random_state=int(run.rng.integers(2**31)),
                deterministic=True,
            )
            regressor.fit(X, y, variable_names=names)
            equations = [str(equation) for equation in regressor.equations_["equation"]]
        for equation in equations:
            try:
                yield Candidate(parse_infix(equation, names=names).with_names(None), source="table")
            except ExpressionError:
                run.count("formulas_not_read")


def _settings(scratch: str) -> dict[str, Any]:
    return {
        "binary_operators": list(_BINARY),
        "unary_operators": list(_UNARY),
        "parallelism": "serial",
        "progress": False,
        "verbosity": 0,
        "output_directory": scratch,
    }


def _compile(pysr: Any, scratch: str) -> None:
    """Fit a few rows, so that Julia compiles before the clock runs."""
    rows = np.linspace(0.0, 1.0, 8).reshape(-1, 1)
    pysr.PySRRegressor(**_settings(scratch), niterations=1).fit(rows, rows[:, 0], variable_names=["x0"])
