"""Values as data: a coefficient times bases to rational powers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from srbench_ext.expression.operators import PI

__all__ = ["ONE", "ZERO", "Base", "Factor", "Number", "Value", "is_number", "limited", "magnitude"]

Number = Fraction | float

_LARGEST = 10**9  # exact numbers beyond it become floats


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """What a product is made of; ``head`` is a leaf, a prime, a function, ``pow``, or ``+``: a sum."""

    head: str
    operands: tuple[Value, ...]
    text: str

    @classmethod
    def of(cls, head: str, *operands: Value) -> Base:
        """Return the base with its text."""
        return cls(head, operands, f"{head}({','.join(o.text for o in operands)})" if operands else head)


Factor = tuple[Base, Fraction]


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A coefficient times bases to rational powers, ordered by text; equal to another of the same text."""

    coefficient: Number
    factors: tuple[Factor, ...]
    product_text: str

    @classmethod
    def of(cls, coefficient: Number, factors: Iterable[Factor] = ()) -> Value:
        """Return the value as given: neither ordered nor merged."""
        kept = tuple(factors)
        return cls(coefficient, kept, "*".join(b.text if n == 1 else f"{b.text}^{n}" for b, n in kept))

    @property
    def text(self) -> str:
        """The whole value written out."""
        return f"{self.coefficient}*{self.product_text}"

    def scaled(self, number: Number) -> Value:
        """Return a multiple."""
        return Value(self.coefficient * number, self.factors, self.product_text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


ZERO, ONE = Value.of(Fraction(0)), Value.of(Fraction(1))


def is_number(base: Base) -> bool:
    """Whether the base is pi or a root of a prime."""
    return base.head == PI or base.head.isdigit()


def limited(number: Number) -> Number:
    """Return a number, a large fraction as a float; ArithmeticError if it is not finite."""
    if isinstance(number, Fraction):
        if max(abs(number.numerator), number.denominator) <= _LARGEST:
            return number
        number = float(number)
    if not math.isfinite(number):
        raise ArithmeticError("A number became infinite.")
    return number


def magnitude(number: Number) -> Number:
    """Return a number without its sign, exact if it is."""
    return -number if number < 0 else number
