"""The base class of every method."""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, final

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from srbench_ext.errors import InputError
from srbench_ext.expression import Expression, warm_up
from srbench_ext.method.candidate import Candidate, Collector, FitResult, OpaqueModel, predict_quietly
from srbench_ext.method.choice import one_se
from srbench_ext.method.inputs import InputTable, most_correlated, read_table, read_target, unique_names
from srbench_ext.method.parameters import Limits, check_parameters
from srbench_ext.method.run import PhaseListener, SearchRun

__all__ = ["Method"]

FloatArray = npt.NDArray[np.float64]


class Method(RegressorMixin, BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn is untyped
    """A symbolic regressor: a plugin writes :meth:`search`, this class does the rest.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take, loading of weights apart.
    random_state : int
        Seed of the generator that the search is given; equal seeds give equal results as long as the deadline
        does not cut the search short.

    Attributes
    ----------
    name, version : str
        Class attributes: the registered name, and the version that records carry. Raise the version
        whenever the results change.
    max_features : int or None
        Class attribute: the most columns that the method takes. Given more, the most correlated are kept.
    limits : dict of str to (least, largest)
        Class attribute: the allowed range of parameters that are numbers, None for an open side. Named
        choices need no entry: a parameter annotated as ``Literal[...]`` is checked against its values.
    choice_rule : str
        Class attribute: the name of the rule of :meth:`choose`; an override of it names its own.
    result_ : FitResult
        Everything that the fit found.
    expression_ : Expression or None
        The chosen formula in the caller's columns and names; None when the chosen model is opaque.
    n_features_in_ : int
        Number of columns seen.
    feature_names_in_ : ndarray of str
        Their names as the caller gave them; ``x0``, ``x1``, ... for an array.
    selected_features_ : tuple of int
        The columns that the search was given.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    max_features: ClassVar[int | None] = None
    limits: ClassVar[Limits] = {}
    choice_rule: ClassVar[str] = "one-se"

    _phase_listener: PhaseListener | None = None

    def __init__(self, *, max_seconds: float = 60.0, random_state: int = 0) -> None:
        self.max_seconds = max_seconds
        self.random_state = random_state

    @property
    def weights_sha256(self) -> str | None:
        """The sha256 of the weights that the method runs on; None for a method without weights."""
        return None

    @abstractmethod
    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield candidates, as early as possible and as often as there is a better or a simpler one.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Finite float64 rows, at most ``max_features`` columns; a copy that the search may write to.
        y : ndarray of shape (n,)
            The target, finite and not constant.
        run : SearchRun
            Randomness, deadline, phases, counters. The search is stopped at the first yield past the
            deadline; it has to yield or return in time.

        Yields
        ------
        Candidate
            With an expression over the columns of this X.
        """

    def choose(self, front: Sequence[Candidate], X: FloatArray, y: FloatArray, run: SearchRun) -> Candidate:
        """Choose one candidate of the front; see :func:`srbench_ext.method.one_se`.

        An override sets ``choice_rule``, so that records name it.
        """
        return one_se(front, X, y)

    @final
    def fit(self, X: object, y: object) -> Self:
        """Search for a formula of y in the columns of X.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, d)
            Finite numbers. The formula comes back in a DataFrame's column names.
        y : array-like of shape (n,)
            Finite numbers.

        Returns
        -------
        Method
            This object, with :attr:`result_` and :attr:`expression_` set.

        Raises
        ------
        InputError
            On NaN or infinity (naming the columns), on shapes that do not fit, and on bad parameters.
        """
        self.check_parameters()
        warm_up()  # kernels are compiled once on a machine, before any clock
        run = SearchRun(
            np.random.default_rng(int(self.random_state)),
            (),
            float(self.max_seconds),
            listener=self._phase_listener,
        )
        table = read_table(X)
        target = read_target(y, table.X.shape[0])
        selected = self._select(table, target, run)
        given = np.ascontiguousarray(table.X[:, selected])
        names = unique_names(table.names)
        run.names = tuple(names[index] for index in selected)
        if names != table.names:
            run.note("column_names", list(names))
        result = self._drain(given, target, run)
        self._remember(result, table, names, selected)
        return self

    @final
    def predict(self, X: object) -> FloatArray:
        """Evaluate the chosen model.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, d)
            The columns of the fit, in the same order.

        Returns
        -------
        ndarray of shape (n,)
            NaN or infinity where the formula is not defined.
        """
        check_is_fitted(self, "result_")
        table = read_table(X)
        if table.X.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {table.X.shape[1]} columns, but {type(self).__name__} was fitted on "
                f"{self.n_features_in_}. Give the same columns in the same order."
            )
        fitted = tuple(self.feature_names_in_)
        if table.named and self._named and table.names != fitted:
            raise InputError(
                f"The columns of X are {list(table.names)}, but the fit had {list(fitted)}. "
                "Give the same columns in the same order."
            )
        model: Expression | OpaqueModel = self.result_.best.model
        return predict_quietly(model, table.X)

    @final
    def check_parameters(self) -> None:
        """Raise :class:`~srbench_ext.errors.InputError` on a parameter's value that is not allowed.

        A fit does so first, and the runner before the first of its runs.
        """
        owner = type(self).__name__
        seconds = self.max_seconds
        if not isinstance(seconds, numbers.Real) or not math.isfinite(seconds) or seconds <= 0:
            raise InputError(
                f"The 'max_seconds' parameter of {owner} must be a positive number. Got {seconds!r} instead."
            )
        seed = self.random_state
        if not isinstance(seed, numbers.Integral) or isinstance(seed, bool) or seed < 0:
            raise InputError(
                f"The 'random_state' parameter of {owner} must be an integer of at least 0. "
                f"Got {seed!r} instead."
            )
        check_parameters(self, self.limits)

    def _select(self, table: InputTable, y: FloatArray, run: SearchRun) -> tuple[int, ...]:
        n_columns = table.X.shape[1]
        if self.max_features is None or n_columns <= self.max_features:
            return tuple(range(n_columns))
        selected = most_correlated(table.X, y, self.max_features)
        run.note("selected_features", [table.names[index] for index in selected])
        run.note("dropped_features", [table.names[i] for i in range(n_columns) if i not in selected])
        return selected

    def _drain(self, X: FloatArray, y: FloatArray, run: SearchRun) -> FitResult:
        """Run the search to its end or to the deadline; the result is in the search's columns."""
        collector = Collector(X, y, run)
        if np.all(y == y[0]):
            run.note("constant_target", True)
            collector.offer(Candidate(_constant(float(y[0])), source="constant target"))
        else:
            candidates = iter(self.search(X.copy(), y.copy(), run))
            try:
                for candidate in candidates:
                    collector.offer(candidate)
                    if run.expired:
                        run.note("stopped_at_deadline", True)
                        break
            finally:
                close = getattr(candidates, "close", None)
                if close is not None:
                    close()
        if not collector.front:
            run.note("fallback", "no candidate was finite on all rows; the mean of y stands in")
            collector.offer(Candidate(_constant(float(np.mean(y))), source="mean of y"))
        return self._finish(collector, X, y, run)

    def _finish(self, collector: Collector, X: FloatArray, y: FloatArray, run: SearchRun) -> FitResult:
        front = collector.front
        best = self.choose(front, X, y, run)
        run.note("choice", self.choice_rule)
        if type(self).choose is not Method.choose:
            run.note("one_se_complexity", one_se(front, X, y).complexity)
        return FitResult(best, front, collector.curve, run.timings, run.counts, run.notes)

    def _remember(
        self, result: FitResult, table: InputTable, names: tuple[str, ...], selected: tuple[int, ...]
    ) -> None:
        """Set the learned attributes, with every model in the caller's columns."""
        caller_names = names if table.named else None
        whole = len(selected) == len(names)

        def in_caller_columns(candidate: Candidate) -> Candidate:
            model: Expression | OpaqueModel
            if isinstance(candidate.model, Expression):
                model = candidate.model
                if not whole:
                    model = model.substitute_variables(dict(enumerate(selected)))
                model = model.with_names(caller_names)
            else:
                model = candidate.model if whole else _OnColumns(candidate.model, selected)
            return replace(candidate, model=model)

        self.result_ = replace(
            result,
            best=in_caller_columns(result.best),
            front=tuple(map(in_caller_columns, result.front)),
            curve=tuple(map(in_caller_columns, result.curve)),
        )
        chosen = self.result_.best.model
        self.expression_ = chosen if isinstance(chosen, Expression) else None
        self.n_features_in_ = len(names)
        self.feature_names_in_ = np.array(table.names, dtype=object)
        self.selected_features_ = selected
        self._named = table.named

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_phase_listener", None)
        return state


@dataclass(frozen=True, slots=True)
class _OnColumns:
    """An opaque model that sees only some columns of the caller's table."""

    model: OpaqueModel
    columns: tuple[int, ...]

    def predict(self, X: FloatArray) -> FloatArray:
        return self.model.predict(X[:, self.columns])


def _constant(value: float) -> Expression:
    return Expression(("C",), (value,))
