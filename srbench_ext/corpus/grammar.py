"""Random formulas: the grammars by name, and the one of short laws (``science``).

Each returns a nested tuple (see :mod:`srbench_ext.corpus.normal`) over the variables ``x0`` to
``x{d-1}``, each of which appears at least once. Nothing here looks at a benchmark problem: the
grammar has families (products of powers, sums of squares, differences inside a sine, bells of a
shifted variable), not formulas.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from srbench_ext.corpus.grammar_e2e import draw_e2e
from srbench_ext.corpus.grammar_nesymres import draw_nesymres
from srbench_ext.corpus.normal import Node
from srbench_ext.corpus.weighted import Weighted

__all__ = ["GRAMMARS", "MOST_VARIABLES", "constant", "draw_science"]

_JOINS = Weighted(("add", "sub", "mul", "div"), (0.27, 0.22, 0.33, 0.18))
_UNARIES = Weighted(
    (
        "pow2", "sqrt", "exp_neg", "exp", "sin", "cos", "inv", "log", "neg", "tanh", "pow3", "asin", "acos",
        "tan", "abs",
    ),
    (22, 18, 10, 9, 11, 11, 6, 6, 3, 3, 3, 1.2, 0.8, 1, 0.5),
)  # fmt: skip
_EXPONENTS = Weighted((1, 2, 3, 4, 0.5, 1.5), (0.66, 0.19, 0.05, 0.03, 0.05, 0.02))
_REUSED = Weighted((0, 1, 2, 3), (0.55, 0.27, 0.13, 0.05))


def constant(rng: random.Random) -> Node:
    """Draw a constant: mostly of order one, sometimes a small integer or a multiple of pi."""
    kind = rng.random()
    if kind < 0.35:
        return rng.uniform(0.3, 5.0)
    if kind < 0.60:
        return 10.0 ** rng.uniform(-1.5, 1.5)
    if kind < 0.75:
        return rng.choice((0.5, 1.5, 0.25, 2.5, 1 / 3, 2 / 3, 4.0, 5.0, 6.0, 8.0, 10.0, 3.0))
    if kind < 0.85:
        return rng.choice(("pi", 2 * 3.141592653589793, 4 * 3.141592653589793))
    return rng.choice((-1, 1)) * rng.uniform(0.1, 3.0)


def draw_science(rng: random.Random, n_variables: int) -> Node:
    """Draw a short law.

    Parameters
    ----------
    rng : random.Random
        Source of all draws.
    n_variables : int
        How many variables the law has.

    Returns
    -------
    Node
        The law; half of the joins are products of powers, the others split the variables in two.
    """
    group = [f"x{i}" for i in range(n_variables)]
    extra = _REUSED.draw(rng)
    if n_variables == 1:
        extra += rng.random() < 0.6
    group += [rng.choice(group) for _ in range(extra)]
    rng.shuffle(group)
    return _law(rng, group, depth=0)


def _law(rng: random.Random, group: list[str], depth: int) -> Node:
    if len(group) == 1:
        node: Node = group[0]
        if rng.random() < 0.12:
            node = _power(node, _EXPONENTS.draw(rng))
    elif rng.random() < 0.22:
        node = _motif(rng, group, depth)
    elif rng.random() < 0.5:
        node = _monomial(rng, group)
    else:
        cut = rng.randint(1, len(group) - 1)
        join = _JOINS.draw(rng)
        node = (join, _law(rng, group[:cut], depth + 1), _law(rng, group[cut:], depth + 1))
    if rng.random() < 0.2:
        node = _unary(rng, node)
    if rng.random() < 0.16:
        number: Node = constant(rng) if rng.random() < 0.45 else rng.choice(("1", "1", "2"))
        join = _JOINS.draw(rng)
        node = (join, node, number) if rng.random() < 0.5 else (join, number, node)
    return node


def _unary(rng: random.Random, node: Node) -> Node:
    name = _UNARIES.draw(rng)
    if name == "exp_neg":
        return ("exp", ("neg", node))
    if name in ("sin", "cos") and rng.random() < 0.25:
        node = ("mul", constant(rng), node)
    return (name, node)


def _power(node: Node, exponent: float) -> Node:
    if exponent == 1:
        return node
    if exponent == 0.5:
        return ("sqrt", node)
    if exponent == 1.5:
        return ("pow3", ("sqrt", node))
    return {2: ("pow2", node), 3: ("pow3", node), 4: ("pow2", ("pow2", node))}[int(exponent)]


def _monomial(rng: random.Random, group: list[str]) -> Node:
    """Return a product or ratio of powers of the group's variables."""
    above = rng.choice((0.5, 0.7, 1.0))
    node: Node | None = None
    for variable in group:
        factor = _power(variable, _EXPONENTS.draw(rng))
        if rng.random() < above:
            node = factor if node is None else ("mul", node, factor)
        else:
            node = ("inv", factor) if node is None else ("div", node, factor)
    assert node is not None
    if rng.random() < 0.1:
        node = ("mul", constant(rng), node)
    return node


def _parts(rng: random.Random, group: list[str], count: int) -> list[list[str]]:
    cuts = sorted(rng.sample(range(1, len(group)), min(count, len(group)) - 1))
    return [group[a:b] for a, b in zip([0, *cuts], [*cuts, len(group)], strict=True)]


def _motif(rng: random.Random, group: list[str], depth: int) -> Node:
    """Return a member of a family that a free split seldom reaches."""
    return rng.choice(_MOTIFS)(rng, group, depth)


def _atom(rng: random.Random, group: list[str]) -> Node:
    """Return a difference, a sum or a monomial of a small group."""
    if len(group) == 1:
        return group[0]
    if len(group) == 2 and rng.random() < 0.6:
        return (rng.choice(("sub", "sub", "add")), group[0], group[1])
    return _monomial(rng, group)


def _sum_of_squares(rng: random.Random, group: list[str], depth: int) -> Node:
    parts = _parts(rng, group, rng.choice((2, 2, 3, 3, 4)))
    node: Node = ("pow2", _atom(rng, parts[0]))
    for part in parts[1:]:
        node = ("sub" if rng.random() < 0.2 else "add", node, ("pow2", _atom(rng, part)))
    return ("sqrt", node) if rng.random() < 0.45 else node


def _sum_of_products(rng: random.Random, group: list[str], depth: int) -> Node:
    parts = _parts(rng, group, rng.choice((2, 3, 3, 4)))
    node = _monomial(rng, parts[0])
    for part in parts[1:]:
        node = (rng.choice(("add", "add", "sub")), node, _monomial(rng, part))
    return node


def _wave(rng: random.Random, group: list[str], depth: int) -> Node:
    parts = _parts(rng, group, 2)
    inner = _atom(rng, parts[-1])
    if rng.random() < 0.3:
        inner = ("div", inner, "2") if rng.random() < 0.5 else ("mul", constant(rng), inner)
    node: Node = (rng.choice(("sin", "cos")), inner)
    if rng.random() < 0.3:
        node = ("pow2", node)
    if rng.random() < 0.2:
        node = (rng.choice(("add", "sub")), "1", node)
    return (
        node
        if len(parts) == 1
        else (rng.choice(("mul", "mul", "mul", "div", "add")), _law(rng, parts[0], depth + 1), node)
    )


def _bell(rng: random.Random, group: list[str], depth: int) -> Node:
    parts = _parts(rng, group, 2)
    inner: Node = ("pow2", _atom(rng, parts[0]))
    if len(parts) == 2:
        inner = ("div", inner, ("pow2", _atom(rng, parts[1])))
    node: Node = ("exp", ("neg", ("div", inner, "2") if rng.random() < 0.5 else inner))
    if len(parts) == 2 and rng.random() < 0.4:
        node = ("div", node, parts[1][0])
    return node


def _one_and_ratio(rng: random.Random, group: list[str], depth: int) -> Node:
    """1 plus or minus a ratio or its square, often under a root, often dividing."""
    parts = _parts(rng, group, 2)
    ratio: Node = (
        ("div", _monomial(rng, parts[0]), _monomial(rng, parts[-1])) if len(parts) == 2 else parts[0][0]
    )
    if rng.random() < 0.5:
        ratio = ("pow2", ratio)
    node: Node = (rng.choice(("add", "sub")), "1", ratio)
    if rng.random() < 0.5:
        node = ("sqrt", node)
    if rng.random() < 0.6:
        return (rng.choice(("div", "div", "mul")), rng.choice(group), node)
    return node


def _saturation(rng: random.Random, group: list[str], depth: int) -> Node:
    """Return an exponential of a monomial with 1 beside it, or a logistic or tanh of it."""
    inner = _monomial(rng, group)
    kind = rng.random()
    if kind < 0.4:
        node: Node = ("sub", ("exp", inner), "1")
        return ("inv", node) if rng.random() < 0.6 else node
    if kind < 0.6:
        return ("inv", ("add", "1", ("exp", ("neg", inner))))
    if kind < 0.8:
        return ("tanh", inner)
    return ("add", ("exp", inner), ("exp", ("neg", inner)))


def _polynomial(rng: random.Random, group: list[str], depth: int) -> Node:
    variable = group[0]
    node: Node = _power(variable, rng.choice((2, 3, 4)))
    for exponent in rng.sample((1, 2, 3), rng.choice((1, 1, 2))):
        term = _power(variable, exponent)
        if rng.random() < 0.6:
            term = ("mul", constant(rng), term)
        node = (rng.choice(("add", "sub")), node, term)
    if len(group) > 1:
        node = (rng.choice(("add", "sub", "mul")), _law(rng, group[1:], depth + 1), node)
    return node


_MOTIFS: tuple[Callable[[random.Random, list[str], int], Node], ...] = (
    _sum_of_squares,
    _sum_of_products,
    _wave,
    _bell,
    _one_and_ratio,
    _saturation,
    _polynomial,
)

GRAMMARS: dict[str, Callable[[random.Random, int], Node]] = {
    "science": draw_science,
    "e2e": draw_e2e,
    "nesymres": draw_nesymres,
}

MOST_VARIABLES = {"nesymres": 3}
"""The grammars that cannot have any number of variables."""
