"""Trees to test with, and an evaluator of their values that shares no code with the package."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from srbench_ext.corpus.grammar import MOST_VARIABLES
from srbench_ext.corpus.normal import Node
from srbench_ext.expression.operators import OPERATORS

FloatArray = NDArray[np.float64]

_UNARY: dict[str, Callable[[FloatArray], FloatArray]] = {
    "neg": np.negative,
    "inv": lambda a: 1.0 / a,
    "pow2": np.square,
    "pow3": lambda a: a**3,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "tanh": np.tanh,
}
_BINARY: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
}


def values(node: Node, X: FloatArray, jitter: float = 0.0, seed: int = 0) -> FloatArray:
    """Return the values (n,); NaN where a step leaves the numbers between 1e-90 and 1e90.

    ``jitter`` changes every leaf by that relative size, each occurrence on its own: the spread of the
    values says how exactly the formula can be computed at all.
    """
    rng = np.random.default_rng(seed)

    def walk(at: Node) -> FloatArray:
        if not isinstance(at, tuple):
            if isinstance(at, str) and at[0] == "x":
                leaf = X[:, int(at[1:])]
            else:
                leaf = np.full(len(X), np.pi if at == "pi" else float(at))
            return leaf * (1.0 + jitter * rng.uniform(-1.0, 1.0, len(X)))
        function = np.power if at[0] == "pow" else (_UNARY | _BINARY)[at[0]]
        result = function(*(walk(child) for child in at[1:]))
        size = np.abs(result)
        return np.where((size > 1e90) | ((size < 1e-90) & (size > 0)), np.nan, result)

    with np.errstate(all="ignore"):
        return walk(node)


def assert_same_values(a: Node, b: Node, X: FloatArray) -> int:
    """Assert equality within what the conditioning allows; return how many rows were compared."""
    left, right = values(a, X), values(b, X)
    spread = np.zeros(len(X))
    for seed in range(3):
        for node, exact in ((a, left), (b, right)):
            spread = np.fmax(spread, np.abs(values(node, X, 1e-12, seed) - exact))
    rows = np.isfinite(left) & np.isfinite(right)
    allowed = 30.0 * spread + 1e-13 * np.abs(left)
    wrong = rows & (np.abs(left - right) > allowed)
    assert not wrong.any(), f"{a} -> {b}: {left[wrong]} against {right[wrong]}"
    return int(rows.sum())


def trees(leaves: Sequence[object] = ("x0", "x1", "x2", 2.5, -0.75, "pi")) -> st.SearchStrategy[Node]:
    """Return small trees over the operators that the grammars use."""
    return st.recursive(
        st.sampled_from(leaves),
        lambda inner: (
            st.tuples(st.sampled_from(sorted(_UNARY)), inner)
            | st.tuples(st.sampled_from(sorted(_BINARY)), inner, inner)
        ),
        max_leaves=8,
    )


def n_variables_of(grammar: str, i: int) -> int:
    """Return the number of variables of the i-th formula to test a grammar with."""
    return 1 + i % min(5, MOST_VARIABLES.get(grammar, 5))


def rewrite(node: Node, rng: random.Random, names: dict[str, str]) -> Node:
    """Return the formula with other constants, renamed variables and operands in another order."""
    if isinstance(node, float):
        return node * rng.uniform(0.5, 2.0)
    if not isinstance(node, tuple):
        return names.get(node, node)
    children = [rewrite(child, rng, names) for child in node[1:]]
    if OPERATORS[node[0]].commutative and rng.random() < 0.5:
        children.reverse()
    return (node[0], *children)
