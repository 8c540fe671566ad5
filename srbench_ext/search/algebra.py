"""Algebra on the rows of a table: products of bases to rational powers, with the signs that the rows have.

A value is ``coefficient * product of bases to rational powers``; a base is a column, a root of a prime, pi, a
function of values or a sum of values. Where a base is positive on every row, ``sqrt(base**2)`` is ``base``.
Common factors stand outside of sums, exponentials of sums are products, and numbers stay exact.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from srbench_ext.expression.core import Expression
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, is_integer
from srbench_ext.expression.snapping import EXACT_NUMBER, plain_number
from srbench_ext.search.values import ONE, ZERO, Base, Factor, Number, Value, is_number, limited, magnitude

__all__ = ["Algebra"]

_DIGITS = 6  # decimal constants of at most so many are taken as exact
_LARGEST_POWER, _LARGEST_ROOT = 64, 12
_NEGLIGIBLE = 1e-12
_ODD = frozenset({"sinh", "tanh", "asin", "atan"})
_HALF = Fraction(1, 2)
_PI = Base.of(PI)


class Algebra:
    """Operations on values.

    What has no value (division by 0, roots of negative numbers) raises ArithmeticError.

    Parameters
    ----------
    sign : callable
        1 or -1 if a base has that sign on every row, else 0.
    """

    def __init__(self, sign: Callable[[Base], int]) -> None:
        self.sign = sign

    def read(self, e: Expression) -> Value:
        """Return a formula's value."""
        return self._read(e.prefix, e.constants)

    def _read(self, prefix: Sequence[str], constants: Sequence[float]) -> Value:
        rest = list(constants)
        stack: list[Value] = []
        for token in reversed(prefix):
            if token in OPERATORS:
                stack.append(self.operator(token, *(stack.pop() for _ in range(OPERATORS[token].arity))))
            elif token == CONSTANT:
                stack.append(self.number(rest.pop()))
            elif is_integer(token):
                stack.append(Value.of(Fraction(int(token))))
            else:
                stack.append(Value.of(Fraction(1), [(Base.of(token), Fraction(1))]))
        return stack[0]

    def number(self, value: float) -> Value:
        """Return a constant: exactly if it is a plain number to its last bits, or a short decimal."""
        tokens = plain_number(value, EXACT_NUMBER)
        if tokens is not None:
            return self._read(tokens, ())
        text = repr(value)
        short = "e" not in text and len(text.strip("-0").replace(".", "")) <= _DIGITS
        return Value.of(Fraction(text) if short else value)

    def operator(self, token: str, a: Value, b: Value = ONE) -> Value:
        """Return an operator's value on one or two operands."""
        if token in ("add", "sub"):
            return self.total([a, b if token == "add" else b.scaled(Fraction(-1))])
        if token in ("mul", "div"):
            return self.product(a, b if token == "mul" else self.power(b, Fraction(-1)))
        if token == "neg":
            return a.scaled(Fraction(-1))
        if token in _POWERS:
            return self.power(a, _POWERS[token])
        if token == "pow":
            return self.general_power(a, b)
        if token in ("max", "min"):
            pair = sorted((a, b), key=lambda v: v.text)
            return Value.of(Fraction(1), [(Base.of(token, *pair), Fraction(1))])
        return self.function(token, a)

    def product(self, *values: Value) -> Value:
        """Return the product of values."""
        coefficient: Number = Fraction(1)
        merged: dict[str, Factor] = {}
        for value in values:
            coefficient *= value.coefficient
            for base, n in value.factors:
                old = merged.get(base.text)
                merged[base.text] = (base, n + old[1] if old else n)
        kept = []
        for base, n in merged.values():
            if base.head.isdigit():  # whole powers of a prime belong to the coefficient
                whole = math.floor(n)
                coefficient *= Fraction(int(base.head)) ** whole
                n -= whole
            if n:
                kept.append((base, n))
        kept.sort(key=lambda factor: factor[0].text)
        return Value.of(limited(coefficient), kept) if coefficient else ZERO

    def power(self, v: Value, n: Fraction) -> Value:
        """Return a value to a rational power."""
        if n == 1:
            return v
        if n.denominator == 1:
            coefficient = v.coefficient ** int(n)
            return self.product(Value.of(coefficient, ((b, m * n) for b, m in v.factors)))
        if not v.coefficient:
            return ZERO
        outside = [self._root(magnitude(v.coefficient), n)]
        negative, inside = v.coefficient < 0, []
        for base, m in v.factors:
            sign = 1 if m.denominator > 1 else self.sign(base)
            if sign > 0:
                outside.append(Value.of(Fraction(1), [(base, m * n)]))
            elif (m * n).denominator == 1 and (sign < 0 or m % 2 == 0):
                negative ^= bool(m % 2)
                size = self.function("abs", Value.of(Fraction(1), [(base, Fraction(1))]))
                outside.append(self.power(size, m * n))
            else:
                inside.append((base, m))
        if negative and not inside:
            raise ArithmeticError(f"A root of the negative value {v.text} was asked for.")
        if inside:
            outside.append(self._group(negative, inside, n))
        return self.product(*outside)

    def _group(self, negative: bool, inside: Sequence[Factor], n: Fraction) -> Value:
        """Return a root of a product whose factors' signs are not known."""
        if not negative and len(inside) == 1 and inside[0][1] == 1:
            return Value.of(Fraction(1), [(inside[0][0], n)])
        whole = Value.of(Fraction(-1 if negative else 1), inside)
        return Value.of(Fraction(1), [(Base.of("+", whole), n)])

    def _root(self, number: Number, n: Fraction) -> Value:
        if isinstance(number, float):
            return Value.of(number ** float(n))
        factors: list[Factor] = []
        for part, sign in ((number.numerator, 1), (number.denominator, -1)):
            left, prime = part, 2
            while left > 1 and prime < 1000:
                while left % prime == 0:
                    factors.append((Base.of(str(prime)), n * sign))
                    left //= prime
                prime += 1
            if left > 1:
                return Value.of(float(number) ** float(n))
        return self.product(*(Value.of(Fraction(1), [f]) for f in factors))

    def general_power(self, a: Value, b: Value) -> Value:
        """Return a value to the power of another."""
        n = b.coefficient
        if not b.factors and isinstance(n, Fraction) and _is_small_power(n):
            return self.power(a, n) if n else ONE
        if a.coefficient == 1 and all(base.head == "exp" for base, _ in a.factors):
            arguments = (self.product(base.operands[0].scaled(m), b) for base, m in a.factors)
            return self.product(*(self.function("exp", v) for v in arguments))
        return Value.of(Fraction(1), [(Base.of("pow", a, b), Fraction(1))])

    def total(self, values: Iterable[Value]) -> Value:
        """Return the sum of values: like terms added, common factors outside."""
        terms: dict[str, Value] = {}
        for term in itertools.chain.from_iterable(map(self.terms, values)):
            old = terms.get(term.product_text, ZERO).coefficient
            new = old + term.coefficient
            gone = new == 0 or (isinstance(new, float) and abs(new) <= _NEGLIGIBLE * abs(float(old)))
            terms[term.product_text] = term.scaled(0) if gone else Value.of(limited(new), term.factors)
        kept = sorted((t for t in terms.values() if t.coefficient), key=lambda t: t.product_text)
        if len(kept) < 2:
            return kept[0] if kept else ZERO
        shared = Value.of(Fraction(1), _common(kept))
        if shared.factors:
            inverse = self.power(shared, Fraction(-1))
            return self.product(shared, self.total([self.product(t, inverse) for t in kept]))
        lead = magnitude(kept[0].coefficient)
        base = Base.of("+", *(t.scaled(1 / lead) for t in kept))
        sign = self.sign(base)
        if sign < 0 or (sign == 0 and kept[0].coefficient < 0):
            base, lead = Base.of("+", *(t.scaled(Fraction(-1)) for t in base.operands)), -lead
        return Value.of(lead, [(base, Fraction(1))])

    def terms(self, v: Value) -> tuple[Value, ...]:
        """Return the terms of a value that is a multiple of a sum, else the value."""
        if len(v.factors) == 1 and v.factors[0][0].head == "+" and v.factors[0][1] == 1:
            return tuple(t.scaled(v.coefficient) for t in v.factors[0][0].operands)
        return (v,)

    def distributed(self, v: Value) -> list[Value]:
        """Return the terms of a value with its sums to small whole powers multiplied out."""
        done, rest = [ONE], []
        for base, n in v.factors:
            if base.head == "+" and n in (1, 2, 3):
                for _ in range(int(n)):
                    done = [self.product(a, b) for a in done for b in base.operands]
            else:
                rest.append((base, n))
        return [self.product(Value.of(v.coefficient, rest), t) for t in done]

    def function(self, name: str, v: Value) -> Value:
        """Return a function of a value."""
        if name in ("exp", "log"):
            return self._exponential(v) if name == "exp" else self._logarithm(v)
        if name in ("sin", "cos", "tan"):
            return self._circular(name, v)
        if name == "abs":
            return self._size(v)
        sign = 1
        if v.coefficient < 0 and (name in _ODD or name == "cosh"):
            v, sign = v.scaled(Fraction(-1)), -1 if name in _ODD else 1
        if not v.coefficient and name in _ODD:
            return ZERO
        return Value.of(Fraction(sign), [(Base.of(name, v), Fraction(1))])

    def _exponential(self, v: Value) -> Value:
        has_log = any(b.head == "log" for t in self.distributed(v) for b, _ in t.factors)
        parts = []
        for term in self.distributed(v) if has_log else self.terms(v):
            logs = [b for b, n in term.factors if b.head == "log" and n == 1]
            if len(logs) == 1:
                rest = Value.of(term.coefficient, (f for f in term.factors if f[0] is not logs[0]))
                parts.append(self.general_power(logs[0].operands[0], rest))
            elif not term.factors and isinstance(term.coefficient, float):
                parts.append(Value.of(math.exp(term.coefficient)))
            elif term.coefficient:
                exact = isinstance(term.coefficient, Fraction)
                size = term.coefficient if exact else Fraction(1 if term.coefficient > 0 else -1)
                argument = term.scaled(1 / size)
                parts.append(Value.of(Fraction(1), [(Base.of("exp", argument), Fraction(size))]))
        return self.product(*parts)

    def _logarithm(self, v: Value) -> Value:
        terms = [b.operands[0].scaled(n) for b, n in v.factors if b.head == "exp"]
        rest = Value.of(v.coefficient, (f for f in v.factors if f[0].head != "exp"))
        if not rest.factors and isinstance(rest.coefficient, float):
            if rest.coefficient <= 0:
                raise ArithmeticError("The logarithm of a number that is not positive was asked for.")
            terms.append(Value.of(math.log(rest.coefficient)))
        elif rest.coefficient == 1 and len(rest.factors) == 1 and self.sign(rest.factors[0][0]) > 0:
            base, n = rest.factors[0]
            whole = Value.of(Fraction(1), [(base, Fraction(1))])
            terms.append(Value.of(n, [(Base.of("log", whole), Fraction(1))]))
        elif rest.factors or rest.coefficient != 1:
            terms.append(Value.of(Fraction(1), [(Base.of("log", rest), Fraction(1))]))
        return self.total(terms)

    def _circular(self, name: str, v: Value) -> Value:
        """Take multiples of a quarter turn out of the argument, and its sign."""
        quarters, rest = Fraction(0), []
        for term in self.terms(v):
            if term.product_text == PI and isinstance(term.coefficient, Fraction):
                quarters += 2 * term.coefficient
            elif not term.factors and isinstance(term.coefficient, float):
                rest.append(Value.of(math.remainder(term.coefficient, 2 * math.pi)))
            else:
                rest.append(term)
        k = round(quarters)
        if quarters != k:
            rest.append(Value.of((quarters - k) / 2, [(_PI, Fraction(1))]))
        inner = self.total(rest)
        sign = -1 if inner.coefficient < 0 else 1
        inner = inner.scaled(Fraction(sign))
        if name == "tan":
            flip = -sign if k % 2 else sign
            tangent = Value.of(Fraction(1), [(Base.of("tan", inner), Fraction(-1 if k % 2 else 1))])
            return tangent.scaled(Fraction(flip)) if inner.coefficient or k % 2 else ZERO
        index = (k + (1 if name == "cos" else 0)) % 4  # quarter turns ahead of the sine
        if index % 2 == 0:
            turned = (1 if index == 0 else -1) * sign
            return self._plain_circular("sin", inner).scaled(Fraction(turned))
        return self._plain_circular("cos", inner).scaled(Fraction(1 if index == 1 else -1))

    def _plain_circular(self, name: str, v: Value) -> Value:
        if not v.coefficient:
            return ZERO if name == "sin" else ONE
        inverse = v.factors[0][0] if v.coefficient == 1 and len(v.factors) == 1 else None
        if inverse is not None and inverse.head in ("asin", "acos") and v.factors[0][1] == 1:
            x = inverse.operands[0]
            if inverse.head == f"a{name}":
                return x
            return self.power(self.total([ONE, self.power(x, Fraction(2)).scaled(Fraction(-1))]), _HALF)
        return Value.of(Fraction(1), [(Base.of(name, v), Fraction(1))])

    def _size(self, v: Value) -> Value:
        factors: list[Factor] = []
        number = magnitude(v.coefficient)
        for base, n in v.factors:
            sign = self.sign(base)
            if sign < 0 and n % 2 == 1:
                number = -number
            if sign or n.denominator > 1 or n % 2 == 0 or base.head == "abs":
                factors.append((base, n))
            else:
                factors.append((Base.of("abs", Value.of(Fraction(1), [(base, Fraction(1))])), n))
        return self.product(Value.of(number, factors))


def _is_small_power(n: Fraction) -> bool:
    return abs(n) <= _LARGEST_POWER and n.denominator <= _LARGEST_ROOT


def _common(terms: Sequence[Value]) -> list[Factor]:
    """Return the factors of all terms, and the denominators of any that are not sums."""
    exponents = [{base.text: n for base, n in t.factors} for t in terms]
    bases = {base.text: base for t in terms for base, _ in t.factors}
    shared = []
    for text, base in bases.items():
        powers = [e.get(text, Fraction(0)) for e in exponents]
        least = min(powers)
        if is_number(base):
            least = least if least == max(powers) else Fraction(0)
        elif base.head == "+":
            least = max(least, Fraction(0))
        if least:
            shared.append((base, least))
    return sorted(shared, key=lambda factor: factor[0].text)


_POWERS = {
    "inv": Fraction(-1),
    "pow2": Fraction(2),
    "pow3": Fraction(3),
    "sqrt": _HALF,
}
