"""Values written out as formulas, in as few tokens as the ways that are tried take."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction

from srbench_ext.expression.core import Expression
from srbench_ext.expression.operators import CONSTANT, PI
from srbench_ext.search.values import Base, Factor, Number, Value, is_number, magnitude

__all__ = ["Tokens", "Writer", "cost"]

Tokens = list[str | float]
"""Prefix tokens; a float stands for a constant."""

_HALF = Fraction(1, 2)
_LARGEST_DIVISOR = 10**6
_LARGEST_LITERAL = 10**15  # a longer token is no exact number, and refused


def cost(tokens: Sequence[str | float]) -> tuple[int, int]:
    """Return the number of tokens and of constants: the smaller the better."""
    return len(tokens), sum(isinstance(t, float) for t in tokens)


class Writer:
    """Writes values; what was written is remembered.

    Parameters
    ----------
    sign : callable
        1 or -1 if a base has that sign on every row, else 0; a base of unknown sign does not go under a root.
    """

    def __init__(self, sign: Callable[[Base], int]) -> None:
        self._sign = sign
        self._known: dict[str, Tokens] = {}

    def expression(self, v: Value, names: tuple[str, ...] | None = None) -> Expression:
        """Return a value as a formula."""
        tokens = self.tokens(v)
        prefix = tuple(CONSTANT if isinstance(t, float) else t for t in tokens)
        return Expression(prefix, tuple(t for t in tokens if isinstance(t, float)), names)

    def tokens(self, v: Value) -> Tokens:
        """Return a value in prefix order."""
        known = self._known.get(v.text)
        if known is None:
            ways = [t for way in self._ways(v) for t in self._products(way.coefficient, way.factors)]
            known = self._known[v.text] = min(ways, key=cost)
        return known

    def _ways(self, v: Value) -> Iterator[Value]:
        """Yield the value as it is, and with factors moved into one of its sums."""
        yield v
        for i, (base, n) in enumerate(v.factors):
            if base.head != "+":
                continue
            others = [f for j, f in enumerate(v.factors) if j != i]
            inside = {b.text for t in base.operands for b, _ in t.factors}
            movable = [f for f in others if f[0].text in inside and self._may_move(f, n)]
            chosen: list[list[Factor]] = [[], *([f] for f in movable)]
            if len(movable) > 1:
                chosen.append(movable)
            for factors in chosen:
                left = [f for f in others if f not in factors]
                if factors:
                    way = _moved(v.coefficient, left, (base, n), factors, Fraction(1))
                    if n.denominator > 1 and not _has_positive_number(way.factors[-1][0]):
                        continue  # 1 - (v/c)**2 may stand under a root, 1/v**2 - 1/c**2 is no simpler
                    yield way
                numbers = [f for f in left if is_number(f[0])]
                left = [f for f in left if not is_number(f[0])]
                sign = -1 if v.coefficient < 0 and n.denominator == 1 and n.numerator % 2 else 1
                if v.coefficient < 0 and sign < 0:
                    yield _moved(
                        magnitude(v.coefficient), [*left, *numbers], (base, n), factors, Fraction(-1)
                    )
                size = _power(magnitude(v.coefficient), 1 / n) * sign
                outside = Fraction(-1 if v.coefficient < 0 < sign else 1)
                yield _moved(outside, left, (base, n), [*factors, *numbers], size)

    def _may_move(self, factor: Factor, n: Fraction) -> bool:
        inner = factor[1] / n
        return (inner.denominator == 1 and n.denominator == 1) or self._sign(factor[0]) > 0

    def _products(self, coefficient: Number, factors: Sequence[Factor]) -> Iterator[Tokens]:
        """Yield ways to write a product."""
        if len(factors) == 1 and factors[0][0].head == "+" and factors[0][1] == 1:
            operands = factors[0][0].operands
            if coefficient == 1:
                yield self._sum(operands)
                return
            if coefficient == -1:
                yield self._sum([t.scaled(Fraction(-1)) for t in operands])
        numbers = [f for f in factors if is_number(f[0])]
        powers = [f for f in factors if f[0].head == "exp"]
        rest = [f for f in factors if f not in numbers and f not in powers]
        variants = [(coefficient, numbers, rest)]
        rooted = [f for f in numbers if f[1].denominator == 2]
        if rooted and abs(coefficient) == 1:
            variants.append((coefficient, [f for f in numbers if f not in rooted], [*rest, *rooted]))
        for c, kept, parts in variants:
            number = _number(c, kept)
            for roots in self._roots(parts):
                for below in (False, True) if powers else (False,):
                    yield self._quotient(number, roots, powers, exponential_below=below)

    def _roots(self, factors: Sequence[Factor]) -> Iterator[list[tuple[Tokens, Fraction]]]:
        """Yield written parts with their powers: whole ones, and roots put together in several ways."""
        whole = [(self.base(b), n) for b, n in factors if n.denominator != 2 and b.head != "pow"]
        whole += [self._general(b, n) for b, n in factors if b.head == "pow"]
        halves = [f for f in factors if f[1].denominator == 2 and f[0].head != "pow"]
        if not halves:
            yield whole
            return
        splits = [[(b, Fraction(int(n))) for b, n in halves if abs(n) > 1], []]
        for split in splits if splits[0] else [[]]:
            out = [(self.base(b), n) for b, n in split]
            left = [(b, n - dict(_by_text(split)).get(b.text, Fraction(0))) for b, n in halves]
            above, below = [(b, 2 * n) for b, n in left if n > 0], [(b, -2 * n) for b, n in left if n < 0]
            sides = [(_root(self._bare(side)), sign) for side, sign in ((above, 1), (below, -1)) if side]
            yield [*whole, *out, *((tokens, Fraction(sign)) for tokens, sign in sides)]
            if above and below:
                yield [*whole, *out, (_root(self._bare([(b, 2 * n) for b, n in left])), Fraction(1))]
                yield [*whole, *out, (_root(self._bare([(b, -2 * n) for b, n in left])), Fraction(-1))]

    def _bare(self, factors: Sequence[Factor]) -> Tokens:
        return min(self._products(Fraction(1), factors), key=cost)

    def _general(self, base: Base, n: Fraction) -> tuple[Tokens, Fraction]:
        body, exponent = base.operands
        sign = -1 if exponent.coefficient * n < 0 else 1
        return ["pow", *self.tokens(body), *self.tokens(exponent.scaled(n * sign))], Fraction(sign)

    def _quotient(
        self,
        number: Number | str,
        parts: Sequence[tuple[Tokens, Fraction]],
        powers: Sequence[Factor],
        *,
        exponential_below: bool,
    ) -> Tokens:
        parts = list(parts)
        if powers:
            sign = Fraction(-1 if exponential_below else 1)
            terms = [b.operands[0].scaled(n * sign) for b, n in powers]
            parts.append((["exp", *self._sum(terms)], sign))
        above, below = _grouped(parts)
        negative = not isinstance(number, str) and number < 0
        size = number if isinstance(number, str) else magnitude(number)
        if (above or below) and _is_divisor(size):
            below.insert(0, [str(Fraction(size).denominator)])
            size = Fraction(1)
        if isinstance(size, str):
            (below if size.startswith("1/") else above).insert(0, [PI])
        elif size != 1 or not (above or below):
            above.insert(0, _literal(-size if negative else size))
            negative = False
        tokens = _fraction(above, below)
        return ["neg", *tokens] if negative else tokens

    def _sum(self, terms: Iterable[Value]) -> Tokens:
        """Write a sum, terms with a plus sign first."""
        flat = [t for term in terms for t in _terms(term)]
        ordered = sorted(flat, key=lambda t: t.coefficient < 0)
        if len(ordered) > 1 and all(t.coefficient < 0 for t in ordered):
            negated = ["neg", *self._sum([t.scaled(Fraction(-1)) for t in ordered])]
            return min(negated, self._chain(ordered), key=cost)
        return self._chain(ordered)

    def _chain(self, terms: Sequence[Value]) -> Tokens:
        tokens = self.tokens(terms[0])
        for term in terms[1:]:
            if term.coefficient < 0:
                tokens = ["sub", *tokens, *self.tokens(term.scaled(Fraction(-1)))]
            else:
                tokens = ["add", *tokens, *self.tokens(term)]
        return tokens

    def base(self, base: Base) -> Tokens:
        """Return a base in prefix order."""
        if base.head == "+":
            return self._sum(base.operands)
        written = [self.tokens(o) for o in base.operands]
        return [base.head, *itertools.chain.from_iterable(written)]


def _terms(v: Value) -> Sequence[Value]:
    if len(v.factors) == 1 and v.factors[0][0].head == "+" and v.factors[0][1] == 1:
        return [t.scaled(v.coefficient) for t in v.factors[0][0].operands]
    return [v]


def _has_positive_number(base: Base) -> bool:
    return any(not t.factors and t.coefficient > 0 for t in base.operands)


def _by_text(factors: Sequence[Factor]) -> list[tuple[str, Fraction]]:
    return [(base.text, n) for base, n in factors]


def _power(number: Number, n: Fraction) -> Number:
    return number ** int(n) if n.denominator == 1 else float(number) ** float(n)


def _moved(
    coefficient: Number, left: Sequence[Factor], sum_: Factor, factors: Sequence[Factor], size: Number
) -> Value:
    """Return a product in which factors and a number were multiplied into the terms of a sum."""
    base, n = sum_
    terms = []
    for term in base.operands:
        merged = {b.text: (b, m) for b, m in term.factors}
        for b, m in factors:
            merged[b.text] = (b, merged.get(b.text, (b, Fraction(0)))[1] + m / n)
        kept = sorted((f for f in merged.values() if f[1]), key=lambda f: f[0].text)
        terms.append(Value.of(term.coefficient * size, kept))
    return Value.of(coefficient, [*left, (Base.of("+", *terms), n)])


def _number(coefficient: Number, factors: Sequence[Factor]) -> Number | str:
    """Return a coefficient with pi and roots of primes; ``pi`` and ``1/pi`` stay symbols."""
    if coefficient == 1 and len(factors) == 1 and factors[0][0].head == PI and abs(factors[0][1]) == 1:
        return PI if factors[0][1] == 1 else f"1/{PI}"
    if not factors:
        return coefficient
    value = float(coefficient)
    for base, n in factors:
        size = math.pi if base.head == PI else float(base.head)
        value *= math.sqrt(size) if n == _HALF else size ** float(n)
    return Fraction(value) if value.is_integer() else value


def _is_divisor(number: Number | str) -> bool:
    exact = isinstance(number, Fraction) and number.numerator == 1
    return exact and 1 < Fraction(number).denominator <= _LARGEST_DIVISOR


def _literal(number: Number) -> Tokens:
    if isinstance(number, Fraction) and number.denominator == 1 and abs(number) < _LARGEST_LITERAL:
        return [str(number.numerator)]
    return [float(number)]


def _root(tokens: Tokens) -> Tokens:
    return ["sqrt", *tokens]


def _grouped(parts: Sequence[tuple[Tokens, Fraction]]) -> tuple[list[Tokens], list[Tokens]]:
    """Return numerator and denominator; parts of one power stand under it together, quotients too."""
    groups: dict[Fraction, tuple[list[Tokens], list[Tokens]]] = {}
    for tokens, n in parts:
        groups.setdefault(abs(n), ([], []))[0 if n > 0 else 1].append(tokens)
    above: list[Tokens] = []
    below: list[Tokens] = []
    for n, (up, down) in sorted(groups.items()):
        if n == 1:
            above += up
            below += down
        elif up:
            above.append(_raised(_fraction(up, down), n))
        else:
            below.append(_raised(_join(down), n))
    return above, below


def _raised(tokens: Tokens, n: Fraction) -> Tokens:
    if n in (2, 3):
        return [f"pow{n}", *tokens]
    return ["pow", *tokens, *_literal(n)]


def _fraction(above: Sequence[Tokens], below: Sequence[Tokens]) -> Tokens:
    if not below:
        return _join(above)
    if not above:
        return ["inv", *_join(below)]
    return ["div", *_join(above), *_join(below)]


def _join(parts: Sequence[Tokens]) -> Tokens:
    joined = itertools.chain.from_iterable(["mul", *part] for part in parts[:-1])
    return [*joined, *parts[-1]]
