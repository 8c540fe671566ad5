"""FFX, one family of basis functions after the other."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ffx.core.approach import Approach
from ffx.core.bases import OperatorBase, ProductBase, SimpleBase
from ffx.core.build_strategy import FFXBuildStrategy
from ffx.core.constants import OP_ABS, OP_GTH, OP_LOG10, OP_LTH, OP_MAX0, OP_MIN0
from ffx.core.model_factories import FFXModelFactory
from ffx.core.models import FFXModel

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Method, SearchRun

__all__ = ["FfxRegressor", "to_expression"]

FloatArray = npt.NDArray[np.float64]
Piece = tuple[list[str], list[float]]

_MOST_FAMILIES_AT_ONCE = 3  # of interactions, denominator, operators and thresholds: as ffx.run does


class FfxRegressor(Method):
    """FFX's paths of regularised linear models over products, powers, logarithms and hinges of the columns.

    The families of functions are those of ``ffx.run``, the smallest first. Each yields one formula for each
    number of terms; a family that is cut short by the clock yields what its path has reached.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take.
    random_state : int
        Used only where rows are drawn.
    max_rows : int
        Most rows that it is given, drawn at random beyond.
    n_families : int
        Most families of functions, of seven.
    """

    name = "ffx"
    version = "1"

    def __init__(
        self, *, max_seconds: float = 60.0, random_state: int = 0, max_rows: int = 2000, n_families: int = 7
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.max_rows = max_rows
        self.n_families = n_families

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield the formulas of one family after the other."""
        if len(y) > self.max_rows:
            rows = run.rng.permutation(len(y))[: self.max_rows]
            X, y = X[rows], y[rows]
        for approach in _approaches()[: self.n_families]:
            if run.expired:
                return
            for model in _path(approach, X, y, run):
                yield Candidate(to_expression(model), source=str(approach))
            run.count("families")


class _OutOfTimeError(Exception):
    """Ends a path from inside of FFX, which keeps no clock."""


class _Strategy(FFXBuildStrategy):  # type: ignore[misc]  # ffx is untyped
    """FFX's settings; a path asks for one of them at every step, which is where the clock is looked at."""

    def __init__(self, approach: Approach, run: SearchRun) -> None:
        super().__init__(approach)
        self._run = run

    @property
    def l1_ratio(self) -> float:
        if self._run.expired:
            raise _OutOfTimeError
        return float(self._l1_ratio)


class _Factory(FFXModelFactory):  # type: ignore[misc]  # ffx is untyped
    """FFX's builder, which also keeps the last model of each number of terms: the least penalised."""

    def __init__(self) -> None:
        self.reached: dict[int, tuple[Any, ...]] = {}

    def _allocateToNumerDenom(self, ss: Any, bases: Any, coefs: Any) -> tuple[Any, ...]:  # noqa: N802
        parts: tuple[Any, ...] = super()._allocateToNumerDenom(ss, bases, coefs)
        self.reached[len(parts[1]) + len(parts[3])] = parts
        return parts


def _approaches() -> list[Approach]:
    """Return the families of functions of ``ffx.run``, the smallest first."""
    families = []
    for denominator, operators, thresholds in itertools.product((0, 1), repeat=3):
        approach = Approach(1, denominator, 0, operators, thresholds)  # exponents never go with interactions
        if approach.num_feature_types <= _MOST_FAMILIES_AT_ONCE:
            families.append(approach)
    return sorted(families, key=lambda approach: approach.num_feature_types)


def _path(approach: Approach, X: FloatArray, y: FloatArray, run: SearchRun) -> list[FFXModel]:
    """Return the models of one family, the fewest terms first."""
    factory = _Factory()
    names = [f"x{i}" for i in range(X.shape[1])]
    started = time.monotonic()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of not having converged, at every step of a path
            factory.build(X, y, _Strategy(approach, run), names)
    except _OutOfTimeError:
        run.note("cut_short", str(approach))
    except SystemExit:  # how FFX answers columns that are not finite
        run.count("failed_families")
    run.note(f"seconds {approach}", time.monotonic() - started)
    return [FFXModel(*parts, names) for _, parts in sorted(factory.reached.items())]


def to_expression(model: FFXModel) -> Expression:
    """Convert a model, with FFX's own rounding of the coefficients.

    Raises
    ------
    ExpressionError
        For a basis function that has no operators.
    """
    pieces = [_scaled(c, base) for c, base in zip(model.coefs_n[1:], model.bases_n, strict=True)]
    above = _sum([*pieces, (["C"], [float(model.coefs_n[0])])])
    if model.bases_d:
        pieces = [_scaled(c, base) for c, base in zip(model.coefs_d, model.bases_d, strict=True)]
        above = _join("div", above, _sum([*pieces, (["1"], [])]))
    return Expression(tuple(above[0]), tuple(above[1]))


def _scaled(coefficient: float, base: Any) -> Piece:
    return _join("mul", (["C"], [float(coefficient)]), _basis(base))


def _basis(base: Any) -> Piece:
    if isinstance(base, ProductBase):
        return _join("mul", _basis(base.base1), _basis(base.base2))
    if isinstance(base, SimpleBase):
        variable = f"x{base.var}"
        powers = {1.0: [], 0.5: ["sqrt"], -1.0: ["inv"], -0.5: ["inv", "sqrt"], 2.0: ["pow2"], 3.0: ["pow3"]}
        if base.exponent in powers:
            return [*powers[base.exponent], variable], []
        return ["pow", variable, "C"], [float(base.exponent)]
    if isinstance(base, OperatorBase):
        inner = _basis(base.simple_base)
        zero: Piece = (["0"], [])
        if base.nonlin_op == OP_ABS:
            return ["abs", *inner[0]], inner[1]
        if base.nonlin_op == OP_LOG10:
            return ["div", "log", *inner[0], "log", "10"], inner[1]
        if base.nonlin_op in (OP_MAX0, OP_MIN0):
            return _join("max" if base.nonlin_op == OP_MAX0 else "min", zero, inner)
        if base.nonlin_op == OP_GTH:
            return _join("max", zero, _join("sub", (["C"], [float(base.thr)]), inner))
        if base.nonlin_op == OP_LTH:
            return _join("max", zero, _join("sub", inner, (["C"], [float(base.thr)])))
    raise ExpressionError(f"The FFX basis {base} has no operators.")


def _join(operator: str, left: Piece, right: Piece) -> Piece:
    return [operator, *left[0], *right[0]], left[1] + right[1]


def _sum(pieces: Sequence[Piece]) -> Piece:
    total = pieces[-1]
    for piece in reversed(pieces[:-1]):
        total = _join("add", piece, total)
    return total
