"""PSRN on the processor, its front read at the end."""

from __future__ import annotations

import contextlib
import io
import random
import re
import time
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import parse_infix
from srbench_ext.method import Candidate, Limits, Method, SearchRun

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its dependencies; and what it sets for all is undone
    from psrn.model.regressor import PSRN_Regressor

__all__ = ["PsrnRegressor"]

FloatArray = npt.NDArray[np.float64]

_OPERATORS = ("Add", "Mul", "Sub", "Div", "Identity", "Sin", "Cos", "Exp", "Log")
_WHOLE_EXPONENT = re.compile(r"\*\*(\d+)\.0(?!\d)")
_EXACT = 1e-12  # of the mean square of the target, in single precision


class PsrnRegressor(Method):
    """Parallel symbolic enumeration with constants: the basic operators over a few inputs.

    Of the authors' defaults, made for a large GPU, two are smaller: two layers of symbols instead of three
    (three take minutes and gigabytes on a processor), and 10 formulas of each round are fitted instead of 30.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take.
    random_state : int
        Seed.
    n_layers : int
        Layers of symbols.
    n_inputs : int
        Columns and subtrees that a round starts from.
    n_rows : int
        Rows on which all formulas are evaluated.
    n_fitted : int
        Formulas of a round whose constants are fitted.
    n_rounds : int
        Most rounds.
    """

    name = "psrn"
    version = "1"
    limits: ClassVar[Limits] = {
        "n_layers": (1, None), "n_inputs": (2, None), "n_rows": (2, None), "n_fitted": (1, None),
        "n_rounds": (1, None),
    }  # fmt: skip

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        n_layers: int = 2,
        n_inputs: int = 5,
        n_rows: int = 20,
        n_fitted: int = 10,
        n_rounds: int = 10**6,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.n_layers = n_layers
        self.n_inputs = n_inputs
        self.n_rows = n_rows
        self.n_fitted = n_fitted
        self.n_rounds = n_rounds

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield the front that it has reached when the time is over."""
        silence = io.StringIO()
        seed = int(run.rng.integers(2**31))
        with (
            contextlib.redirect_stdout(silence),
            contextlib.redirect_stderr(silence),
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
            _seeded(seed),
        ):
            warnings.simplefilter("ignore")
            front = self._front(X, y, run)
        for text in front:
            try:
                # sympy writes whole exponents as 2.0; as integers they read as squares and cubes
                yield Candidate(parse_infix(_WHOLE_EXPONENT.sub(r"**\1", text)), source="front")
            except ExpressionError:
                run.count("formulas_not_read")

    def _front(self, X: FloatArray, y: FloatArray, run: SearchRun) -> list[str]:
        operators = list(_OPERATORS)
        inputs = {"n_psrn_inputs": self.n_inputs, "n_sample_variables": min(3, X.shape[1])}
        searcher = _Searcher(
            run,
            self.n_rounds,
            variables=[f"x{i}" for i in range(X.shape[1])],
            use_const=True,
            n_symbol_layers=self.n_layers,
            use_dr_mask=False,
            device="cpu",
            token_generator_config={"base": {"has_const": True, "tokens": operators}},
            stage_config={
                "default": {"operators": operators, "time_limit": run.remaining, **inputs},
                "stages": [{}],
            },
        )
        with contextlib.suppress(_EnoughError):
            searcher.fit(
                X,
                y.reshape(-1, 1),
                n_down_sample=self.n_rows,
                threshold=_EXACT * float(np.mean(y**2)),
                real_time_display=False,
                top_k=self.n_fitted,
            )
        return list(dict.fromkeys([*(str(each[0]) for each in searcher.pareto_frontier), *searcher.fitted]))


class _EnoughError(Exception):
    """Ends a search from inside of PSRN, which looks at the clock once a round only."""


class _Searcher(PSRN_Regressor):  # type: ignore[misc]  # psrn is untyped
    """PSRN's search, stopped in time; formulas of a round that is cut short are not lost."""

    def __init__(self, run: SearchRun, n_rounds: int, **settings: Any) -> None:
        super().__init__(**settings)
        self._run = run
        self._rounds_left = n_rounds
        self._longest_fit = self._longest_round = 0.0
        self._round_started = time.monotonic()
        self.fitted: list[str] = []

    def get_best_expr_and_MSE_topk(self, X: Any, Y: Any, n_top: int) -> Any:  # noqa: N802
        """Count a round, and evaluate its formulas."""
        if self._run.expired or self._rounds_left == 0:
            raise _EnoughError
        self._rounds_left -= 1
        self._run.count("rounds")
        now = time.monotonic()
        self._longest_round = max(self._longest_round, now - self._round_started)
        self._round_started = now
        # its own clock is looked at between rounds: none is begun that would not end in time
        self.time_limit = time.time() - self.start_time + max(0.0, self._run.remaining - self._longest_round)
        return super().get_best_expr_and_MSE_topk(X, Y, n_top)

    def fit_LS(self, *arguments: Any, **settings: Any) -> Any:  # noqa: N802
        """Fit the constants of one formula."""
        if self._run.remaining <= self._longest_fit:
            raise _EnoughError
        self._run.count("fits")
        started = time.monotonic()
        values, loss, skeleton, formula = super().fit_LS(*arguments, **settings)
        self._longest_fit = max(self._longest_fit, time.monotonic() - started)
        if values is not None:
            self.fitted.append(str(formula))
        return values, loss, skeleton, formula


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the global generators that PSRN draws from, and put their states back."""
    plain, numpy, tensor = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(plain)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(tensor)
