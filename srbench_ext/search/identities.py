"""Rewritings of a value that keep it: fractions, roots, exponentials, hyperbolic and circular functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from srbench_ext.search.algebra import Algebra
from srbench_ext.search.values import ONE, Base, Value

__all__ = ["Identities"]

_HALF, _ONE, _TWO = Fraction(1, 2), Fraction(1), Fraction(2)
_COMPOSED = ("tan", "tanh", "sinh", "cosh")
_QUOTIENTS = {"sin": ("cos", "tan"), "sinh": ("cosh", "tanh")}


class Identities:
    """One step away from a value: an identity applied at one place of it.

    Parameters
    ----------
    algebra : Algebra
        What the results are put together with.
    """

    def __init__(self, algebra: Algebra) -> None:
        self._algebra = algebra

    def variants(self, v: Value) -> Iterator[Value]:
        """Yield values equal to ``v``, some of them ``v`` itself; what has no value is left out."""
        for rule in (self._multiplied, self._double_angles, self._quotients, self._turned_logarithms):
            yield from _tried(rule, v)
        for i, (base, n) in enumerate(v.factors):
            rest = Value.of(v.coefficient, (f for j, f in enumerate(v.factors) if j != i))
            for other in self._bases(base):
                yield from _tried(self._replaced, rest, other, n)

    def steps(self, v: Value) -> Iterator[Value]:
        """Yield the variants, and the value with one function written by simpler ones wherever it stands."""
        yield from self.variants(v)
        for base in _written_by_others(v).values():
            yield from _tried(self._everywhere, v, base)

    def _everywhere(self, v: Value, base: Base) -> Iterator[Value]:
        for form in self._forms(base):
            yield self._rebuilt(v, base.text, form)

    def _rebuilt(self, v: Value, text: str, form: Value) -> Value:
        """Return a value with a base replaced, sums that came to hold fractions brought together."""
        parts = [Value.of(v.coefficient)]
        for base, n in v.factors:
            if base.text == text:
                new = form
            elif base.head == "+":
                terms = [self._rebuilt(t, text, form) for t in base.operands]
                new = next(self._together(terms), None) or self._algebra.total(terms)
            elif base.operands:
                operands = (self._rebuilt(o, text, form) for o in base.operands)
                new = self._algebra.operator(base.head, *operands)
            else:
                new = Value.of(_ONE, [(base, _ONE)])
            parts.append(self._algebra.power(new, n))
        return self._algebra.product(*parts)

    def _replaced(self, rest: Value, other: Value, n: Fraction) -> Iterator[Value]:
        yield self._algebra.product(rest, self._algebra.power(other, n))

    def _bases(self, base: Base) -> Iterator[Value]:
        if base.head == "+":
            yield from self._sums(base.operands)
            return
        yield from _tried(self._forms, base)
        for i, operand in enumerate(base.operands):
            for other in self.variants(operand):
                operands = (*base.operands[:i], other, *base.operands[i + 1 :])
                yield from _tried(self._applied, base.head, operands)

    def _applied(self, head: str, operands: Sequence[Value]) -> Iterator[Value]:
        yield self._algebra.operator(head, *operands)

    def _sums(self, terms: Sequence[Value]) -> Iterator[Value]:
        for rule in (
            self._together,
            self._expanded,
            self._half_angles,
            self._hyperbolic,
            self._joined_logarithms,
            self._squares,
            self._collected,
        ):
            yield from _tried(rule, terms)
        for i, term in enumerate(terms):
            for other in self.variants(term):
                yield from _tried(self._summed, (*terms[:i], other, *terms[i + 1 :]))

    def _summed(self, terms: Sequence[Value]) -> Iterator[Value]:
        yield self._algebra.total(terms)

    def _multiplied(self, v: Value) -> Iterator[Value]:
        """Multiply sums of one power, as in ``(a + b)*(a - b)``."""
        sums = [(i, f) for i, f in enumerate(v.factors) if f[0].head == "+"]
        for (i, (a, n)), (j, (b, m)) in itertools.combinations(sums, 2):
            if n == m:
                both = Value.of(_ONE, [(a, _ONE), (b, _ONE)])
                whole = self._algebra.total(self._algebra.distributed(both))
                rest = Value.of(v.coefficient, (f for k, f in enumerate(v.factors) if k not in (i, j)))
                yield self._algebra.product(rest, self._algebra.power(whole, n))

    def _double_angles(self, v: Value) -> Iterator[Value]:
        """Write ``sin(u)*cos(u)`` as ``sin(2*u)/2``, and the same for the hyperbolic functions."""
        known = {b.text: n for b, n in v.factors}
        for base, n in v.factors:
            if base.head not in _QUOTIENTS:
                continue
            u = base.operands[0]
            other = Base.of(_QUOTIENTS[base.head][0], u)
            m = known.get(other.text, Fraction(0))
            k = min(n, m) if n > 0 else max(n, m)
            if n * m > 0 and k.denominator == 1:
                double = self._algebra.function(base.head, u.scaled(_TWO)).scaled(_HALF)
                rest = Value.of(_ONE, [(base, -k), (other, -k)])
                yield self._algebra.product(v, rest, self._algebra.power(double, k))

    def _turned_logarithms(self, v: Value) -> Iterator[Value]:
        """Write ``-log(a/b)`` as ``log(b/a)``."""
        for base, n in v.factors:
            if base.head == "log" and n == 1 and v.coefficient < 0:
                turned = self._algebra.function("log", self._algebra.power(base.operands[0], -_ONE))
                rest = Value.of(-v.coefficient, (f for f in v.factors if f[0] is not base))
                yield self._algebra.product(rest, turned)

    def _quotients(self, v: Value) -> Iterator[Value]:
        """Write ``sin(u)/cos(u)`` as ``tan(u)``, and the same for the hyperbolic functions."""
        known = {b.text: n for b, n in v.factors}
        for base, n in v.factors:
            if base.head not in _QUOTIENTS:
                continue
            below, whole = _QUOTIENTS[base.head]
            other = Base.of(below, *base.operands)
            m = known.get(other.text, Fraction(0))
            if n * m < 0:
                k = min(abs(n), abs(m)) * (1 if n > 0 else -1)
                tangent = Base.of(whole, *base.operands)
                yield self._algebra.product(v, Value.of(_ONE, [(base, -k), (other, k), (tangent, k)]))

    def _forms(self, base: Base) -> Iterator[Value]:
        """Write a function by simpler ones: tan by sin and cos, hyperbolic functions by exponentials."""
        if base.head not in _COMPOSED:
            return
        u, algebra = base.operands[0], self._algebra
        if base.head == "tan":
            yield algebra.operator("div", algebra.function("sin", u), algebra.function("cos", u))
            return
        minus = ONE.scaled(-_ONE)
        square = algebra.function("exp", u.scaled(_TWO))
        above = algebra.total([square, ONE if base.head == "cosh" else minus])
        below = algebra.total([square, ONE])
        if base.head != "tanh":
            below = algebra.function("exp", u).scaled(_TWO)
        yield algebra.operator("div", above, below)

    def _together(self, terms: Sequence[Value]) -> Iterator[Value]:
        """Bring fractions over one denominator, the numerator multiplied out."""
        least: dict[str, tuple[Base, Fraction]] = {}
        for base, n in itertools.chain.from_iterable(t.factors for t in terms):
            if base.head == "+" and n < 0:
                least[base.text] = (base, min(n, least.get(base.text, (base, n))[1]))
        if not least:
            return
        shared = Value.of(_ONE, sorted(least.values(), key=lambda factor: factor[0].text))
        inverse = self._algebra.power(shared, -_ONE)
        parts = [self._algebra.distributed(self._algebra.product(t, inverse)) for t in terms]
        yield self._algebra.product(shared, self._algebra.total(itertools.chain.from_iterable(parts)))

    def _expanded(self, terms: Sequence[Value]) -> Iterator[Value]:
        """Multiply out the sums in the terms."""
        parts = [self._algebra.distributed(t) for t in terms]
        if any(len(p) > 1 for p in parts):
            yield self._algebra.total(itertools.chain.from_iterable(parts))

    def _half_angles(self, terms: Sequence[Value]) -> Iterator[Value]:
        """Exchange ``sin(u)**2`` and ``cos(u)**2`` in a term, and write ``cos(u)`` by squares of ``u/2``."""
        algebra = self._algebra
        for i, term in enumerate(terms):
            for j, (base, n) in enumerate(term.factors):
                if base.head not in ("sin", "cos") or n.denominator != 1 or n < 1:
                    continue
                u = base.operands[0]
                rest = Value.of(term.coefficient, (f for k, f in enumerate(term.factors) if k != j))
                forms = []
                if n >= 2:
                    other = self._square("cos" if base.head == "sin" else "sin", u)
                    left = Value.of(_ONE, [(base, n - 2)] if n > 2 else [])
                    forms.append((left, [ONE, other.scaled(-_ONE)]))
                elif base.head == "cos":
                    sine, cosine = (self._square(name, u.scaled(_HALF)) for name in ("sin", "cos"))
                    forms.append((ONE, [ONE, sine.scaled(-_TWO)]))
                    forms.append((ONE, [cosine.scaled(_TWO), ONE.scaled(-_ONE)]))
                for left, parts in forms:
                    new = [algebra.product(rest, left, part) for part in parts]
                    yield algebra.total([*terms[:i], *new, *terms[i + 1 :]])

    def _square(self, name: str, u: Value) -> Value:
        return self._algebra.power(self._algebra.function(name, u), _TWO)

    def _hyperbolic(self, terms: Sequence[Value]) -> Iterator[Value]:
        """Write ``1 + exp(u)`` by ``cosh(u/2)`` and ``1 - exp(u)`` by ``sinh(u/2)``."""
        if len(terms) != 2:
            return
        algebra = self._algebra
        ratio = algebra.operator("div", terms[1], terms[0])
        if abs(ratio.coefficient) != 1 or not ratio.factors or any(b.head != "exp" for b, _ in ratio.factors):
            return
        root = algebra.power(ratio.scaled(ratio.coefficient), _HALF)
        half = algebra.function("log", root)
        name, sign = ("cosh", _TWO) if ratio.coefficient > 0 else ("sinh", -_TWO)
        yield algebra.product(terms[0], root, algebra.function(name, half).scaled(sign))

    def _joined_logarithms(self, terms: Sequence[Value]) -> Iterator[Value]:
        """Write a sum of logarithms as one."""
        algebra = self._algebra
        logs = [t for t in terms if len(t.factors) == 1 and t.factors[0][0].head == "log"]
        logs = [t for t in logs if t.factors[0][1] == 1 and isinstance(t.coefficient, Fraction)]
        if len(logs) < 2:
            return
        first = logs[0].coefficient
        powers = [
            algebra.power(t.factors[0][0].operands[0], Fraction(t.coefficient) / Fraction(first))
            for t in logs
        ]
        joined = algebra.function("log", algebra.product(*powers)).scaled(first)
        yield algebra.total([joined, *(t for t in terms if t not in logs)])

    def _squares(self, terms: Sequence[Value]) -> Iterator[Value]:
        """Factor differences of squares and squares of sums."""
        algebra = self._algebra
        if len(terms) == 2 and terms[0].coefficient * terms[1].coefficient < 0:
            roots = [algebra.power(t.scaled(1 if t.coefficient > 0 else -1), _HALF) for t in terms]
            if all(n.denominator == 1 for r in roots for _, n in r.factors):
                a, b = roots if terms[0].coefficient > 0 else reversed(roots)
                yield algebra.product(algebra.total([a, b]), algebra.total([a, b.scaled(-_ONE)]))
        if len(terms) != 3:
            return
        for i in range(3):
            a, b = (algebra.power(t, _HALF) for k, t in enumerate(terms) if k != i)
            for sign in (_ONE, -_ONE):
                if algebra.product(a, b).scaled(2 * sign) == terms[i]:
                    yield algebra.power(algebra.total([a, b.scaled(sign)]), _TWO)

    def _collected(self, terms: Sequence[Value]) -> Iterator[Value]:
        """Take a factor that some of the terms share out of them."""
        algebra = self._algebra
        bases = {b.text: b for t in terms for b, _ in t.factors}
        for text, base in bases.items():
            for side in (1, -1):
                powers = [n for t in terms for b, n in t.factors if b.text == text and n * side > 0]
                if not 1 < len(powers) < len(terms):
                    continue
                least = min(powers, key=abs)
                factor, inverse = Value.of(_ONE, [(base, least)]), Value.of(_ONE, [(base, -least)])
                inside = [t for t in terms if any(b.text == text and n * side > 0 for b, n in t.factors)]
                group = algebra.total([algebra.product(t, inverse) for t in inside])
                yield algebra.total([algebra.product(factor, group), *(t for t in terms if t not in inside)])


def _written_by_others(v: Value) -> dict[str, Base]:
    """Return the bases in a value that simpler functions can write, by text."""
    found: dict[str, Base] = {}
    for base, _ in v.factors:
        if base.head in _COMPOSED:
            found[base.text] = base
        for operand in base.operands:
            found |= _written_by_others(operand)
    return found


def _tried(rule: Callable[..., Iterator[Value]], *arguments: object) -> Iterator[Value]:
    """Yield what a rule gives until it comes to something without a value."""
    try:
        yield from rule(*arguments)
    except ArithmeticError:
        return
