"""The edit distance of two formulas as ordered trees (Zhang and Shasha, SIAM J. Comput. 18:1245, 1989)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from srbench_ext.expression.operators import arity

__all__ = ["tree_distance", "tree_edits"]

IntArray = NDArray[np.int64]


def tree_distance(a: tuple[str, ...], b: tuple[str, ...]) -> float:
    """Return the least number of edits over the length of the longer formula, at most 1.

    Parameters
    ----------
    a, b : tuple of str
        Prefix tokens of complete formulas.
    """
    return min(1.0, tree_edits(a, b) / max(len(a), len(b)))


@lru_cache(maxsize=100_000)
def tree_edits(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Return the least number of nodes to insert, delete or rename that makes one tree the other.

    Examples
    --------
    >>> tree_edits(("add", "x0", "sin", "x1"), ("add", "x0", "x1"))
    1
    """
    if a == b:
        return 0
    names = {token: number for number, token in enumerate(dict.fromkeys((*a, *b)))}
    return int(_edits(*_postorder(a, names), *_postorder(b, names)))


def _postorder(prefix: tuple[str, ...], names: dict[str, int]) -> tuple[IntArray, IntArray, IntArray]:
    """Return label and first leaf below of the nodes in postorder, and the roots of the subproblems."""
    labels: list[int] = []
    first: list[int] = []

    def visit(start: int) -> tuple[int, int]:
        """Walk the subtree at ``start``; return where it ends and its first leaf."""
        at, leaf = start + 1, -1
        for child in range(arity(prefix[start])):
            at, below = visit(at)
            leaf = below if child == 0 else leaf
        labels.append(names[prefix[start]])
        first.append(len(labels) - 1 if leaf < 0 else leaf)
        return at, first[-1]

    visit(0)
    roots = sorted({leaf: node for node, leaf in enumerate(first)}.values())
    return np.array(labels, np.int64), np.array(first, np.int64), np.array(roots, np.int64)


@njit(cache=True)
def _edits(
    labels_a: IntArray,
    first_a: IntArray,
    roots_a: IntArray,
    labels_b: IntArray,
    first_b: IntArray,
    roots_b: IntArray,
) -> int:
    trees = np.zeros((len(labels_a), len(labels_b)), np.int64)
    forest = np.zeros((len(labels_a) + 1, len(labels_b) + 1), np.int64)
    for i in roots_a:
        for j in roots_b:
            low_i, low_j = first_a[i], first_b[j]
            n, m = i - low_i + 1, j - low_j + 1
            for p in range(n + 1):
                forest[p, 0] = p
            for q in range(m + 1):
                forest[0, q] = q
            for p in range(1, n + 1):
                for q in range(1, m + 1):
                    u, v = low_i + p - 1, low_j + q - 1
                    best = min(forest[p - 1, q], forest[p, q - 1]) + 1
                    if first_a[u] == low_i and first_b[v] == low_j:
                        renamed = forest[p - 1, q - 1] + (labels_a[u] != labels_b[v])
                        best = min(best, renamed)
                        trees[u, v] = best
                    else:
                        kept = forest[first_a[u] - low_i, first_b[v] - low_j] + trees[u, v]
                        best = min(best, kept)
                    forest[p, q] = best
    return int(trees[-1, -1])
