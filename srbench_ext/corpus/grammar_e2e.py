"""E2E's random formulas: binary trees with unaries and affine constants.

The generator of arXiv 2204.10532 as its authors released it, not as the paper describes it where the
two differ.
"""

from __future__ import annotations

import random

from srbench_ext.corpus.normal import Node
from srbench_ext.corpus.weighted import Weighted

__all__ = ["draw_e2e"]

_UNARIES = Weighted(
    ("sqrt", "pow2", "inv", "abs", "log", "exp", "sin", "cos", "pow3", "tan", "atan"),
    (5, 3, 3, 1, 1, 1, 1, 1, 1, 0.2, 0.2),
)


def draw_e2e(rng: random.Random, n_variables: int, unaries: Weighted[str] = _UNARIES) -> Node:
    """Draw a tree of E2E's generator (arXiv 2204.10532, released defaults).

    Uniform binary shape of d - 1 to d + 3 joins by +, - or x, up to 4 unaries on subtrees of at
    most 5 tokens, and the reduced scheme of affine constants.

    Parameters
    ----------
    rng : random.Random
        Source of all draws.
    n_variables : int
        How many variables the formula has.
    unaries : Weighted of str
        The unary operators; the released weights by default.
    """
    joins = n_variables - 1 + rng.randint(0, 4)
    leaves = [f"x{i}" for i in range(n_variables)]
    leaves += [f"x{rng.randrange(n_variables)}" for _ in range(joins + 1 - n_variables)]
    rng.shuffle(leaves)
    node = _binary_tree(rng, leaves)
    node = _add_unaries(rng, node, rng.randint(0, 4), unaries)
    return ("add", _constant(rng), _affine(rng, node))


def _binary_tree(rng: random.Random, leaves: list[str]) -> Node:
    """Split the leaves with the probability of a uniform binary shape (Catalan numbers)."""
    if len(leaves) == 1:
        return leaves[0]
    cut = 1 + _CUTS[len(leaves) - 1].draw(rng)
    return (
        rng.choice(("add", "sub", "mul")),
        _binary_tree(rng, leaves[:cut]),
        _binary_tree(rng, leaves[cut:]),
    )


_CATALAN = [1]
for _n in range(24):
    _CATALAN.append(_CATALAN[-1] * 2 * (2 * _n + 1) // (_n + 2))
_CUTS = [Weighted((0,), (1,))] + [
    Weighted(range(n), [_CATALAN[i] * _CATALAN[n - 1 - i] for i in range(n)]) for n in range(1, 25)
]


def _size(node: Node) -> int:
    return 1 + sum(_size(child) for child in node[1:]) if isinstance(node, tuple) else 1


def _add_unaries(rng: random.Random, node: Node, count: int, unaries: Weighted[str]) -> Node:
    places: list[tuple[int, ...]] = []

    def visit(at: Node, path: tuple[int, ...]) -> None:
        if path and _size(at) < 6:
            places.append(path)
        if isinstance(at, tuple):
            for i, child in enumerate(at[1:], start=1):
                visit(child, (*path, i))

    visit(node, ())
    chosen = set(rng.sample(places, min(count, len(places))))

    def build(at: Node, path: tuple[int, ...]) -> Node:
        if isinstance(at, tuple):
            at = (at[0], *(build(child, (*path, i)) for i, child in enumerate(at[1:], start=1)))
        return (unaries.draw(rng), at) if path in chosen else at

    return build(node, ())


def _constant(rng: random.Random) -> float:
    return rng.choice((-1, 1)) * rng.randint(1, 999) * 10.0 ** rng.choice((-3, -2, -1))


def _affine(rng: random.Random, node: Node) -> Node:
    if not isinstance(node, tuple):
        return ("mul", _constant(rng), node)

    def is_sum(at: Node) -> bool:
        return isinstance(at, tuple) and at[0] in ("add", "sub")

    def walk(at: Node) -> Node:
        if not isinstance(at, tuple):
            return at
        children = [walk(child) for child in at[1:]]
        if at[0] in ("add", "sub"):
            children = [
                child if is_sum(old) else ("mul", _constant(rng), child)
                for old, child in zip(at[1:], children, strict=True)
            ]
        elif len(children) == 1 and not is_sum(at[1]):
            children = [("add", _constant(rng), ("mul", _constant(rng), children[0]))]
        return (at[0], *children)

    changed = walk(node)
    return changed if changed != node else ("mul", _constant(rng), node)
