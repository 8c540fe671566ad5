"""What a search yields, what a fit returns, and the collector between the two."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import InputError
from srbench_ext.expression import Expression
from srbench_ext.method.run import SearchRun
from srbench_ext.search.front import ParetoFront

__all__ = ["Candidate", "Collector", "FitResult", "OpaqueModel", "predict_quietly"]

FloatArray = npt.NDArray[np.float64]


@runtime_checkable
class OpaqueModel(Protocol):
    """A model that can only predict, such as a forest or a network."""

    def predict(self, X: FloatArray, /) -> FloatArray:
        """Return the predictions (n,) on a table X (n, d)."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model that a search found.

    Attributes
    ----------
    model : Expression or OpaqueModel
        In the columns of the table that the search was given.
    source : str
        Where it came from, in the method's own words (``"beam"``, ``"refined"``).
    loss : float or None
        Mean squared error on all rows given; computed by the base class, whatever the search put here.
    complexity : int or None
        Number of tokens; None for an opaque model. Computed by the base class.
    seconds : float or None
        Seconds on the clock (loading not counted) when it was yielded. Set by the base class.
    """

    model: Expression | OpaqueModel
    source: str = ""
    loss: float | None = None
    complexity: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class FitResult:
    """Everything a fit found, in the caller's columns and units.

    Attributes
    ----------
    best : Candidate
        The chosen model.
    front : tuple of Candidate
        The Pareto front of complexity and loss, simplest first.
    curve : tuple of Candidate
        Every model that was the best by loss when it came, in order, with its second.
    timings : dict
        Seconds by phase: ``load``, ``search``, ``refine``.
    counts : dict
        ``candidates``, ``duplicates``, ``non_finite`` and what the method counted.
    notes : dict
        ``choice`` (the rule that chose), ``selected_features`` where columns were dropped, and what the
        method noted.
    """

    best: Candidate
    front: tuple[Candidate, ...]
    curve: tuple[Candidate, ...]
    timings: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


def predict_quietly(model: Expression | OpaqueModel, X: FloatArray) -> FloatArray:
    """Return the predictions (n,) of either kind of model."""
    if isinstance(model, Expression):
        return model.evaluate(X)
    predictions = np.asarray(model.predict(X), dtype=np.float64)
    if predictions.shape != (X.shape[0],):
        raise InputError(
            f"{type(model).__name__}.predict must return {X.shape[0]} numbers for {X.shape[0]} rows. "
            f"Got an array of shape {predictions.shape}."
        )
    return predictions


class Collector:
    """Takes candidates as they come: recomputes the loss, drops duplicates, keeps front and curve.

    Parameters
    ----------
    X, y : ndarray of shape (n, d) and (n,)
        All rows of the search.
    run : SearchRun
        Its clock dates the candidates; its counters count them.
    """

    def __init__(self, X: FloatArray, y: FloatArray, run: SearchRun) -> None:
        self._X = X
        self._y = y
        self._run = run
        self._seen: set[tuple[tuple[str, ...], tuple[float, ...]]] = set()
        self._front: ParetoFront[Candidate] = ParetoFront()
        self._curve: list[Candidate] = []

    @property
    def front(self) -> tuple[Candidate, ...]:
        """The Pareto front so far, simplest first."""
        return tuple(self._front)

    @property
    def curve(self) -> tuple[Candidate, ...]:
        """The best models by loss so far, in order of time."""
        return tuple(self._curve)

    def offer(self, candidate: Candidate) -> None:
        """Score one candidate and keep it where it belongs."""
        if not isinstance(candidate, Candidate):
            raise InputError(
                f"A search must yield Candidate objects. Got {type(candidate).__name__}. "
                "Yield Candidate(expression, source='...')."
            )
        self._run.count("candidates")
        if self._is_duplicate(candidate.model):
            return
        loss = self._loss(candidate.model)
        if not math.isfinite(loss):
            self._run.count("non_finite")
            return
        complexity = candidate.model.complexity if isinstance(candidate.model, Expression) else None
        scored = replace(candidate, loss=loss, complexity=complexity, seconds=self._run.elapsed)
        self._front.add(math.inf if complexity is None else complexity, loss, scored)
        best = self._curve[-1].loss if self._curve else None
        if best is None or loss < best:
            self._curve.append(scored)

    def _is_duplicate(self, model: Expression | OpaqueModel) -> bool:
        if not isinstance(model, Expression):
            return False
        key = (model.prefix, model.constants)
        if key in self._seen:
            self._run.count("duplicates")
            return True
        self._seen.add(key)
        return False

    def _loss(self, model: Expression | OpaqueModel) -> float:
        predictions = predict_quietly(model, self._X)
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.mean((predictions - self._y) ** 2))
