"""Operon in one call, and its front of trees as expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pyoperon.sklearn import SymbolicRegressor

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Method, SearchRun

__all__ = ["OperonRegressor", "to_expression"]

FloatArray = npt.NDArray[np.float64]

_SYMBOLS = "add,sub,mul,div,square,sqrt,exp,log,sin,cos,tanh,asin,constant,variable"
_BINARY = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div"}
_UNARY = {
    "Square": "pow2",
    "Sqrt": "sqrt",
    "Exp": "exp",
    "Log": "log",
    "Sin": "sin",
    "Cos": "cos",
    "Tanh": "tanh",
    "Asin": "asin",
}
_UNLIMITED = 10**9
_RESERVE_SECONDS = 0.3


class OperonRegressor(Method):
    """Operon with one thread, its default population, and error and length as objectives.

    Operon takes whole seconds and cannot be interrupted, so it is given what is left of the clock rounded
    down, and at least 1.

    Parameters
    ----------
    max_seconds : float
        Seconds that ``fit`` may take.
    random_state : int
        Seed.
    population_size : int
        Trees in a generation.
    max_length : int
        Most nodes of a tree.
    local_iterations : int
        Iterations of Levenberg-Marquardt for every tree; 0, pyoperon's default, leaves the constants to
        mutation.
    max_rows : int or None
        Rows that it is given, drawn at random; None for all. On 10,000 rows it gets through few generations
        in seconds: of 8 Feynman laws at 8 seconds it fitted 2 to R² > 0.99, with 1,000 rows 4 (5 with 3 local
        iterations), with 200 rows 4 (7).
    n_generations : int
        Most generations.
    """

    name = "operon"
    version = "2"

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        population_size: int = 1000,
        max_length: int = 50,
        local_iterations: int = 3,
        max_rows: int | None = 300,
        n_generations: int = _UNLIMITED,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.population_size = population_size
        self.max_length = max_length
        self.local_iterations = local_iterations
        self.max_rows = max_rows
        self.n_generations = n_generations

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield the front that Operon returns."""
        estimator = SymbolicRegressor(
            allowed_symbols=_SYMBOLS,
            objectives=["r2", "length"],
            population_size=self.population_size,
            max_length=self.max_length,
            optimizer_iterations=self.local_iterations,
            generations=self.n_generations,
            max_evaluations=_UNLIMITED,
            max_time=max(1, int(run.remaining - _RESERVE_SECONDS)),
            n_threads=1,
            random_state=int(run.rng.integers(2**31)),
        )
        if self.max_rows is not None and len(y) > self.max_rows:
            rows = run.rng.permutation(len(y))[: self.max_rows]
            X, y = X[rows], y[rows]
        estimator.fit(X, y)
        run.count("generations", int(estimator.stats_["generations"]))
        run.count("evaluations", int(estimator.stats_["evaluation_count"]))
        columns = {key: index for index, key in enumerate(estimator.variables_)}
        for member in estimator.pareto_front_:
            nodes = member["tree"].Nodes
            if all(np.isfinite(node.Value) for node in nodes):
                yield Candidate(to_expression(nodes, columns), source="front")


def to_expression(nodes: Sequence[Any], columns: Mapping[int, int]) -> Expression:
    """Convert the nodes of an Operon tree.

    Parameters
    ----------
    nodes : sequence of pyoperon.Node
        In postfix order; the first operand of a node stands right before it. A variable carries a factor.
    columns : mapping of int to int
        From the hash of a variable to its column.
    """
    stack: list[tuple[list[str], list[float]]] = []
    for node in nodes:
        kind = node.Type.name
        if kind == "Constant":
            stack.append((["C"], [float(node.Value)]))
        elif kind == "Variable":
            variable = f"x{columns[node.HashValue]}"
            factor = float(node.Value)
            stack.append(([variable], []) if factor == 1 else (["mul", "C", variable], [factor]))
        elif kind in _UNARY and node.Arity == 1:
            tokens, constants = stack.pop()
            stack.append(([_UNARY[kind], *tokens], constants))
        elif kind in _BINARY and node.Arity == 2:
            first, second = stack.pop(), stack.pop()
            stack.append(([_BINARY[kind], *first[0], *second[0]], first[1] + second[1]))
        else:
            raise ExpressionError(f"The Operon node {kind} with {node.Arity} operands has no operator.")
    if len(stack) != 1:
        raise ExpressionError(f"The Operon tree has {len(stack)} roots; it must have one.")
    tokens, constants = stack[0]
    return Expression(tuple(tokens), tuple(constants))
