"""RILS-ROLS in one call."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import rils_rols_cpp

from srbench_ext.expression import parse_infix
from srbench_ext.method import Candidate, Method, SearchRun

__all__ = ["RilsRolsRegressor"]

FloatArray = npt.NDArray[np.float64]

_OVERRUN = 1.05  # seconds by which a call is late, since it counts whole ones
_LONGEST = 10**9


class RilsRolsRegressor(Method):
    """RILS-ROLS's regressor with its default penalty and length, on one thread.

    It takes whole seconds, cannot be interrupted and comes back up to one second late: it is given what is
    left of the clock less a second, and at least one. Its formulas have constants of six decimals; the
    formula is what predicts here, not its unrounded model.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take.
    random_state : int
        Seed.
    complexity_penalty : float
        Weight of the length against the error.
    max_complexity : int
        Most nodes of a formula.
    max_fits : int
        Most least-squares fits.
    """

    name = "rilsrols"
    version = "1"

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        complexity_penalty: float = 0.001,
        max_complexity: int = 50,
        max_fits: int = _LONGEST,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.complexity_penalty = complexity_penalty
        self.max_complexity = max_complexity
        self.max_fits = max_fits

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield the one formula that it returns."""
        searcher = rils_rols_cpp.rils_rols(
            False,  # no classification
            self.max_fits,
            max(1, int(run.remaining - _OVERRUN)),
            self.complexity_penalty,
            self.max_complexity,
            1.0,  # all rows
            False,
            int(run.rng.integers(2**31)),
        )
        searcher.fit(np.ascontiguousarray(X).reshape(-1, 1), y, *X.shape)
        run.count("fits", int(searcher.get_fit_calls()))
        formula = str(searcher.get_model_string())
        run.note("model", formula)
        yield Candidate(parse_infix(formula), source="best")
