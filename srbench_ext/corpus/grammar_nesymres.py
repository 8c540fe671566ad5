"""NeSymReS's random formulas: unary-binary trees with a few constants at random places.

The generator of arXiv 2106.06427 as its authors released it. Formulas are simplified by the corpus's
normal form where the authors call sympy, which takes a hundred times as long.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from srbench_ext.corpus.normal import (
    Node,
    factors_of,
    flatten,
    normalise,
    power_of,
    strip_affine,
    terms_of,
)
from srbench_ext.corpus.weighted import Weighted
from srbench_ext.errors import InputError
from srbench_ext.expression.operators import is_integer

__all__ = ["draw_nesymres"]

_LARGEST = 3  # variables
_UNARIES = Weighted(
    ("asin", "cos", "exp", "log", "pow2", "pow3", "pow4", "pow5", "sin", "sqrt", "tan"),
    (2, 4, 4, 4, 4, 2, 1, 1, 4, 4, 4),
)
_BINARIES = Weighted(("add", "mul", "sub", "div"), (10, 10, 5, 5))
_MOST_OPERATORS = 5
_MOST_CONSTANTS = 3
_SCALED = frozenset({"sin", "cos", "tan", "exp", "asin"})  # not log: the authors' list calls it ln


def _counts() -> list[list[int]]:
    """Return T[n][e]: how many ways n operators can be put into e open places."""
    table = [[1] * (2 * _MOST_OPERATORS + 2)]
    for n in range(1, _MOST_OPERATORS + 1):
        row = [0]
        for e in range(1, len(table[0]) - n):
            row.append(row[e - 1] + table[n - 1][e] + table[n - 1][e + 1])
        table.append(row)
    return table


_COUNTS = _counts()


def draw_nesymres(rng: random.Random, n_variables: int) -> Node:
    """Draw a formula of NeSymReS's generator.

    A uniform unary-binary tree of 3 to 5 operators, simplified, without its outer scale and offset;
    then up to 3 constants, each a factor on [0.1, 5] or a term on [-2, 2] with 3 decimals, at a leaf, a
    number, an exponent or around a sine, cosine, tangent, exponential or arcsine.

    Parameters
    ----------
    rng : random.Random
        Source of all draws.
    n_variables : int
        1 to 3; trees with another number are drawn again. The authors' trees have 1, 2 and 3
        variables in about 28, 47 and 25 of 100 cases.

    Raises
    ------
    InputError
        If the number of variables is not 1 to 3.
    """
    if not 1 <= n_variables <= _LARGEST:
        raise InputError(f"The grammar 'nesymres' has 1 to {_LARGEST} variables. Got {n_variables}.")
    wanted = {f"x{i}" for i in range(n_variables)}
    while True:
        tokens = _draw_prefix(rng)
        if not wanted <= set(tokens):
            continue
        bare = strip_affine(normalise(_read(iter(tokens))))
        left = {token for token in flatten(bare) if isinstance(token, str) and token[0] in "x0"}
        if left == wanted:  # no other variable, no 0 where terms have cancelled
            return _with_constants(rng, bare)


def _draw_prefix(rng: random.Random) -> list[str]:
    """Draw a tree, uniform over shapes (arXiv 1912.01412, appendix C), with its leaves."""
    n_operators = rng.randint(3, _MOST_OPERATORS)
    tokens: list[str] = [""]  # an empty place
    n_open = 1
    first_open = 0
    for left in range(n_operators, 0, -1):
        ways = [_COUNTS[left - 1][n_open - i] for i in range(n_open)]
        ways += [_COUNTS[left - 1][n_open - i + 1] for i in range(n_open)]
        (place,) = rng.choices(range(2 * n_open), ways)
        binary, skipped = divmod(place, n_open)
        for _ in range(skipped):  # become leaves
            first_open = tokens.index("", first_open) + 1
        first_open = tokens.index("", first_open)
        operator = (_BINARIES if binary else _UNARIES).draw(rng)
        tokens[first_open : first_open + 1] = [operator, *[""] * (1 + binary)]
        n_open += binary - skipped
    used = 0
    for i, token in enumerate(tokens):
        if not token:  # one of the variables so far, or the next
            index = rng.randrange(min(used + 1, _LARGEST))
            used = max(used, index + 1)
            tokens[i] = f"x{index}"
    return tokens


def _read(tokens: Iterator[str]) -> Node:
    """Return the tree of prefix tokens, without functions of their inverse, which sympy drops."""
    head = next(tokens)
    if head in ("add", "mul", "sub", "div"):
        return (head, _read(tokens), _read(tokens))
    if head[0] == "x":
        return head
    child = _read(tokens)
    inner = child[0] if isinstance(child, tuple) else ""
    if (head, inner) in (("exp", "log"), ("log", "exp")):
        return child[1]
    if (head, inner) == ("sqrt", "pow2"):
        return ("abs", child[1])
    return power_of(child, int(head[3:])) if head in ("pow4", "pow5") else (head, child)


@dataclass
class _Places:
    """The places that may take a factor and a term; those chosen beforehand get one."""

    rng: random.Random
    chosen: frozenset[int] = frozenset()
    seen: int = field(default=0, init=False)

    def _draw(self, low: float, high: float) -> float | None:
        self.seen += 1
        return round(self.rng.uniform(low, high), 3) if self.seen - 1 in self.chosen else None

    def around(self, node: Node) -> Node:
        factor, term = self._draw(0.1, 5.0), self._draw(-2.0, 2.0)
        node = node if factor is None else ("mul", factor, node)
        return ("add", term, node) if term else node

    def number(self, value: float) -> float | None:
        """Return another number for one that stands in the formula, None if it stays."""
        factor, term = self._draw(0.1, 5.0), self._draw(-2.0, 2.0)
        if factor is None and not term:
            return None
        return (1.0 if factor is None else factor) * value + (term or 0.0)


def _with_constants(rng: random.Random, bare: Node) -> Node:
    count = _Places(rng)
    _placed(bare, count)
    most = rng.randint(0, min(_MOST_CONSTANTS, count.seen))
    return _placed(bare, _Places(rng, frozenset(rng.sample(range(count.seen), most))))


def _placed(node: Node, places: _Places) -> Node:
    """Return the formula with the constants that are drawn for its places, in sympy's form.

    There a difference is a sum with the number -1 and a quotient a product with the power -1, and -1
    takes no constant; other numbers and exponents do.
    """
    if not isinstance(node, tuple):
        if not is_integer(node):
            return places.around(node)
        number = places.number(float(node))
        return node if number is None else number
    head = node[0]
    if head in ("add", "sub", "neg"):
        plus, minus = terms_of(node, positive=True)
        terms = [_placed(term, places) for term in plus]
        terms += [("neg", _placed(term, places)) for term in minus]
        total = terms[0]
        for term in terms[1:]:
            total = ("add", total, term)
        return total
    if head in ("mul", "div", "inv", "pow2", "pow3", "sqrt"):
        return _placed_product(node, places)
    node = (head, *(_placed(child, places) for child in node[1:]))
    return places.around(node) if head in _SCALED else node


def _placed_product(node: Node, places: _Places) -> Node:
    factors = {node: 1} if node[0] == "sqrt" else factors_of(node)
    negative = bool(factors.pop(-1.0, 0) % 2)
    number = 1.0
    numbers: list[Node] = []
    placed: list[Node] = []
    for base, power in factors.items():
        if isinstance(base, str) and is_integer(base):
            number *= float(base) ** power
            numbers.append(_raised(base, power))
        else:
            placed.append(_placed_power(base, power, places))
    if number != 1.0:  # one number to sympy, with the sign
        other = places.number(-number if negative else number)
        if other is not None:
            numbers, negative = [other], False
    product, *others = [*numbers, *placed] or ["1"]
    for factor in others:
        product = ("mul", product, factor)
    return ("neg", product) if negative else product


def _placed_power(base: Node, power: int, places: _Places) -> Node:
    root = isinstance(base, tuple) and base[0] == "sqrt"
    exponent = power / 2 if root else float(power)
    inner = _placed(base[1] if root else base, places)
    other = places.number(exponent) if abs(exponent) != 1.0 else None
    if other is not None:
        return ("pow", inner, other)
    return _raised(("sqrt", inner) if root else inner, power)


def _raised(base: Node, power: int) -> Node:
    factor = power_of(base, abs(power))
    return ("inv", factor) if power < 0 else factor
