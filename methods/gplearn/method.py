"""gplearn, one generation after the other until the deadline."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gplearn.functions import _Function
from gplearn.genetic import SymbolicRegressor

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Method, SearchRun

__all__ = ["GplearnRegressor", "to_expression"]

FloatArray = npt.NDArray[np.float64]

_FUNCTIONS = ("add", "sub", "mul", "div", "sqrt", "log", "sin", "cos")
_TOKENS = {
    "add": ("add",),
    "sub": ("sub",),
    "mul": ("mul",),
    "div": ("div",),
    "sqrt": ("sqrt", "abs"),
    "log": ("log", "abs"),
    "sin": ("sin",),
    "cos": ("cos",),
}
"""gplearn's functions by name; its square root and logarithm are those of the absolute value."""


class GplearnRegressor(Method):
    """Genetic programming with gplearn's defaults, its parsimony set by itself.

    After each generation the best program of each length on the front is offered.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take.
    random_state : int
        Seed.
    population_size : int
        Programs in a generation.
    tournament_size : int
        Programs that compete to become a parent.
    n_generations : int
        Most generations.
    """

    name = "gplearn"
    version = "1"

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        population_size: int = 1000,
        tournament_size: int = 20,
        n_generations: int = 10_000,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.population_size = population_size
        self.tournament_size = tournament_size
        self.n_generations = n_generations

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield the front of every generation."""
        estimator = SymbolicRegressor(
            population_size=self.population_size,
            tournament_size=self.tournament_size,
            function_set=_FUNCTIONS,
            metric="mse",
            parsimony_coefficient="auto",
            generations=0,
            warm_start=True,
            low_memory=True,
            random_state=int(run.rng.integers(2**31)),
        )
        longest = 0.0
        for generation in range(1, self.n_generations + 1):
            # a generation cannot be interrupted, so one that would not fit is not begun
            if run.remaining < 1.2 * longest:
                return
            started = time.monotonic()
            estimator.set_params(generations=generation)
            estimator.fit(X, y)
            run.count("generations")
            for program in _front(estimator._programs[-1]):
                yield Candidate(to_expression(program.program), source=f"generation {generation}")
            longest = max(longest, time.monotonic() - started)


def to_expression(program: Sequence[Any]) -> Expression:
    """Convert a gplearn program, a list of functions, column numbers and constants in prefix order.

    gplearn's protected functions are defined everywhere; the formula is not: where a divisor or the argument
    of a logarithm is at most 0.001 in size, gplearn returns 1 or 0 and the formula its true value.
    """
    tokens: list[str] = []
    constants: list[float] = []
    for node in program:
        if isinstance(node, _Function):
            if node.name not in _TOKENS:
                raise ExpressionError(
                    f"The gplearn function {node.name!r} has no operator. Known: {sorted(_TOKENS)}."
                )
            tokens += _TOKENS[node.name]
        elif isinstance(node, int | np.integer):
            tokens.append(f"x{node}")
        else:
            tokens.append("C")
            constants.append(float(node))
    return Expression(tuple(tokens), tuple(constants))


def _front(programs: Sequence[Any]) -> list[Any]:
    """Return the programs that are better than every shorter one."""
    best, front = math.inf, []
    for program in sorted((p for p in programs if p is not None), key=lambda p: (p.length_, p.raw_fitness_)):
        if program.raw_fitness_ < best:
            best = program.raw_fitness_
            front.append(program)
    return front
