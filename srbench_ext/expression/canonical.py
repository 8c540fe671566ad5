"""A normal form of formulas: the same key for formulas that are the same by the rules of arithmetic.

Every subtree is held as ``coefficient * product of atoms to integer powers``; an atom is a variable, a
constant, a function of such a value, or a sum whose first term has coefficient 1. So operands are ordered,
like terms and powers collected, numbers and signs folded, odd and even functions cleared of signs.

Two formulas with one key have the same values wherever the numbers stay finite. Only rules that hold on the
whole domain are used: ``sqrt(x)**2`` is not ``x``, and ``log(x) - log(x)`` is not 0.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from srbench_ext.expression.core import check_prefix
from srbench_ext.expression.fingerprint import fingerprint
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, is_integer, is_variable

__all__ = [
    "Atom",
    "Normal",
    "canonical_form",
    "canonical_key",
    "canonical_skeleton_key",
    "equal_up_to_a_constant",
    "normalise",
]

Number = Any  # int, Fraction or float: exact as long as the formula's own numbers are

_ODD = frozenset({"sin", "tan", "asin", "atan", "sinh", "tanh"})
_EVEN = frozenset({"cos", "cosh", "abs"})
_PARTIAL = frozenset({"log", "sqrt", "asin", "acos", "pow"})
_LARGEST = 10**15  # exact numbers beyond this stay as they are written
_LARGEST_POWER = 64


@dataclass(frozen=True, slots=True, eq=False)
class Atom:
    """What a product is made of.

    Attributes
    ----------
    head : str
        A leaf token, a function's name, ``+`` for a sum, or ``nan``.
    operands : tuple of Normal
        A function's operands, or a sum's terms in order.
    text : str
        The atom written out; constants without values are all written ``C``.
    constants : tuple of int
        The numbers of those constants in the order in which ``text`` has them.
    partial : bool
        Whether it may be undefined on a part of the plane (logarithms, roots, ...).
    """

    head: str
    operands: tuple[Normal, ...]
    text: str
    constants: tuple[int, ...]
    partial: bool


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """A coefficient times a product of atoms to integer powers, the atoms ordered by their text."""

    coefficient: Number
    factors: tuple[tuple[Atom, int], ...] = ()

    @property
    def product_text(self) -> str:
        """The product without its coefficient."""
        return "*".join(a.text if n == 1 else f"{a.text}^{n}" for a, n in self.factors)

    @property
    def text(self) -> str:
        """The whole value written out."""
        return f"{self.coefficient}*{self.product_text}" if self.factors else str(self.coefficient)

    @property
    def constants(self) -> tuple[int, ...]:
        """The numbers of its constants, as ordered in the text."""
        return tuple(itertools.chain.from_iterable(a.constants for a, _ in self.factors))

    @property
    def partial(self) -> bool:
        """Whether any atom may be undefined on a part of the plane."""
        return any(a.partial for a, _ in self.factors)


def _atom(head: str, operands: tuple[Normal, ...] = ()) -> Normal:
    text = f"{head}({','.join(o.text for o in operands)})"
    constants = tuple(itertools.chain.from_iterable(o.constants for o in operands))
    partial = head in _PARTIAL or any(o.partial for o in operands)
    return Normal(1, ((Atom(head, operands, text, constants, partial), 1),))


_NAN = Normal(1, ((Atom("nan", (), "nan", (), True), 1),))


def _leaf(text: str, constants: tuple[int, ...] = ()) -> Normal:
    return Normal(1, ((Atom(text, (), text, constants, False), 1),))


def _times(a: Normal, b: Normal) -> Normal:
    coefficient = a.coefficient * b.coefficient
    if not isinstance(coefficient, float) and not _small(coefficient):
        coefficient = _float(coefficient)
    if not a.factors and a.coefficient == 1:
        return b
    factors: dict[object, tuple[Atom, int]] = {}
    for atom, power in a.factors + b.factors:
        key: object = atom if atom.constants else atom.text
        factors[key] = (atom, factors[key][1] + power) if key in factors else (atom, power)
    kept = [(x, n) for x, n in factors.values() if n or x.partial]
    if coefficient == 0:
        kept = [(x, n) for x, n in kept if x.partial]
    kept.sort(key=lambda item: (item[0].text, item[1]))
    return Normal(coefficient, tuple(kept))


def _power(a: Normal, n: int) -> Normal:
    if a.coefficient == 0 and n <= 0:
        return Normal(1, a.factors) if n == 0 else _NAN
    base = a.coefficient if n > 0 or isinstance(a.coefficient, float) else Fraction(a.coefficient)
    try:
        coefficient: Number = base**n
    except OverflowError:
        coefficient = math.inf
    if isinstance(coefficient, Fraction) and coefficient.denominator == 1:
        coefficient = coefficient.numerator
    if isinstance(coefficient, (int, Fraction)) and not _small(coefficient):
        coefficient = _float(coefficient)
    kept = tuple((x, m * n) for x, m in a.factors if n or x.partial)
    return Normal(coefficient, kept)


def _float(number: int | Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _small(number: int | Fraction) -> bool:
    return abs(number.numerator) <= _LARGEST and number.denominator <= _LARGEST


def _plus(a: Normal, b: Normal) -> Normal:
    terms: dict[object, Normal] = {}
    for term in (*_terms(a), *_terms(b)):
        key: object = term if term.constants else term.product_text
        if key in terms:
            term = Normal(terms[key].coefficient + term.coefficient, term.factors)
        terms[key] = term
    kept = [t for t in terms.values() if t.coefficient != 0 or t.partial]
    kept.sort(key=lambda t: t.product_text)
    if not kept:
        return Normal(0)
    lead = kept[0].coefficient
    if len(kept) == 1 or lead == 0 or not (abs(lead) < math.inf):
        lead = lead if len(kept) == 1 else 1
    if len(kept) == 1:
        return kept[0]
    scaled = tuple(Normal(_ratio(t.coefficient, lead), t.factors) for t in kept)
    (atom, _), *_rest = _atom("+", scaled).factors
    return Normal(lead, ((atom, 1),))


def _ratio(a: Number, b: Number) -> Number:
    if b == 1:
        return a
    if isinstance(a, float) or isinstance(b, float):
        return _float(a) / _float(b)
    exact = Fraction(a) / b
    return exact.numerator if exact.denominator == 1 else exact


def _terms(a: Normal) -> Iterable[Normal]:
    if len(a.factors) == 1 and a.factors[0][0].head == "+" and a.factors[0][1] == 1:
        return (Normal(a.coefficient * t.coefficient, t.factors) for t in a.factors[0][0].operands)
    return (a,)


def _function(name: str, a: Normal) -> Normal:
    if not a.factors and isinstance(a.coefficient, float):
        return _folded(name, a.coefficient)
    if name in ("cosh", "cos", "abs") and a.coefficient < 0:
        a = Normal(-a.coefficient, a.factors)
    elif name in _ODD and a.coefficient < 0:
        positive = _atom(name, (Normal(-a.coefficient, a.factors),))
        return Normal(-1, positive.factors)
    return _atom(name, (a,))


def _folded(name: str, value: float) -> Normal:
    try:
        result = float(abs(value)) if name == "abs" else float(getattr(math, name)(value))
    except (ValueError, OverflowError):
        return _NAN if name in _PARTIAL else _atom(name, (Normal(value),))
    if name == "log" and value <= 0.0:
        return _NAN
    return Normal(result)


def _general_power(a: Normal, b: Normal) -> Normal:
    if not b.factors:
        n = b.coefficient
        if n == int(n) and abs(n) <= _LARGEST_POWER if math.isfinite(n) else False:
            return _power(a, int(n))
        if n == 0.5:
            return _function("sqrt", a)
    return _atom("pow", (a, b))


def _extreme(name: str, a: Normal, b: Normal) -> Normal:
    operands: dict[object, Normal] = {}
    for x in (a, b):
        inner = x.factors[0][0] if len(x.factors) == 1 and x.coefficient == 1 else None
        for o in inner.operands if inner and inner.head == name and x.factors[0][1] == 1 else (x,):
            operands[o if o.constants else o.text] = o
    ordered = sorted(operands.values(), key=lambda o: o.text)
    return ordered[0] if len(ordered) == 1 else _atom(name, tuple(ordered))


def _operator(token: str, stack: list[Normal]) -> Normal:
    a = stack.pop()
    if token == "neg":
        return Normal(-a.coefficient, a.factors)
    if token in ("inv", "pow2", "pow3"):
        return _power(a, {"inv": -1, "pow2": 2, "pow3": 3}[token])
    if OPERATORS[token].arity == 1:
        return _function(token, a)
    b = stack.pop()
    if token == "add":
        return _plus(a, b)
    if token == "sub":
        return _plus(a, Normal(-b.coefficient, b.factors))
    if token == "mul":
        return _times(a, b)
    if token == "div":
        return _times(a, _power(b, -1))
    if token == "pow":
        return _general_power(a, b)
    return _extreme(token, a, b)


def normalise(prefix: Sequence[str], constants: Sequence[Number] | None = None) -> Normal:
    """Return the normal form of a formula.

    With ``constants`` (floats, or Fractions for exact arithmetic) their values take part in the arithmetic;
    without, each ``C`` is an unknown of its own.
    """
    stack: list[Normal] = []
    seen = prefix.count(CONSTANT)
    for token in reversed(prefix):
        if token in OPERATORS:
            stack.append(_operator(token, stack))
        elif token == CONSTANT:
            seen -= 1
            stack.append(_leaf(CONSTANT, (seen,)) if constants is None else Normal(constants[seen]))
        else:
            stack.append(Normal(int(token)) if is_integer(token) else _leaf(token))
    return stack[0]


def equal_up_to_a_constant(a: Normal, b: Normal) -> bool:
    """Whether the rules show that the difference or the ratio of two values is a constant.

    False means that they do not show it, not that it is false.
    """
    if not a.factors or not b.factors:
        return not a.factors and not b.factors
    difference = _plus(a, Normal(-b.coefficient, b.factors))
    ratio = _times(a, _power(b, -1)) if b.coefficient != 0 and a.coefficient != 0 else a
    return not difference.factors or not ratio.factors


def canonical_form(prefix: Iterable[str]) -> tuple[str, tuple[int, ...]]:
    """Return the normal form as text, and which constant stands at each ``C`` of it.

    If two skeletons have the same text, the first with constants ``c[i] for i in order`` matched to the
    second in the same way has the same values.
    """
    prefix = tuple(prefix)
    check_prefix(prefix)
    normal = normalise(prefix)
    return normal.text, normal.constants


def canonical_key(prefix: Iterable[str], constants: Sequence[float] | None = None) -> bytes:
    """Return 16 bytes that are equal for formulas that are the same by the rules of arithmetic.

    Parameters
    ----------
    prefix : iterable of str
        Prefix tokens.
    constants : sequence of float or None
        Their values; None compares skeletons, in which every ``C`` may take any value.

    Raises
    ------
    ExpressionError
        If the tokens are not one complete formula.
    """
    prefix = tuple(prefix)
    if constants is None:
        key = fingerprint(prefix)
        if key is not None:
            return key
    check_prefix(prefix)
    return _digest(normalise(prefix, constants).text)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def canonical_skeleton_key(prefix: Iterable[str], rename: bool = True) -> bytes:
    """Return a key of what is left without numbers: for the search of known laws in a corpus.

    Scales, offsets and signs are dropped, powers are kept, and with ``rename`` the variables are numbered by
    their role in the formula, so that ``2*a*b + c`` and ``x1 - x0*x2`` have one key.
    """
    prefix = tuple(prefix)
    variables = check_prefix(prefix)[1]
    bare = _without_numbers(prefix)
    if not rename:
        return _digest(_bare_text(bare))
    marked = {
        i: _bare_text(_renamed(bare, {j: "x1" if j == i else "x0" for j in variables})) for i in variables
    }
    groups = [
        list(g) for _, g in itertools.groupby(sorted(variables, key=marked.__getitem__), marked.__getitem__)
    ]
    orders = itertools.product(*(itertools.permutations(group) for group in groups))
    texts = []
    for order in itertools.islice(orders, 48):
        numbers = {j: f"x{n}" for n, j in enumerate(itertools.chain.from_iterable(order))}
        texts.append(_bare_text(_renamed(bare, numbers)))
    return _digest(min(texts))


def _renamed(prefix: tuple[str, ...], names: dict[int, str]) -> tuple[str, ...]:
    return tuple(names[int(t[1:])] if is_variable(t) else t for t in prefix)


@lru_cache(maxsize=1024)
def _bare_text(prefix: tuple[str, ...]) -> str:
    return normalise(prefix).product_text


def _without_numbers(prefix: tuple[str, ...]) -> tuple[str, ...]:
    """Drop every subtree without variables, and all signs; what remains of nothing is ``1``."""
    stack: list[tuple[str, ...] | None] = []
    for token in reversed(prefix):
        arity = OPERATORS[token].arity if token in OPERATORS else 0
        if arity == 0:
            stack.append((token,) if is_variable(token) else None)
        elif arity == 1:
            part = stack.pop()
            stack.append(part if part is None or token == "neg" else (token, *part))
        else:
            a, b = stack.pop(), stack.pop()
            stack.append(_joined(token, a, b))
    return stack[0] or ("1",)


def _joined(token: str, a: tuple[str, ...] | None, b: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if a is not None and b is not None:
        return ("add" if token == "sub" else token, *a, *b)
    if b is None:
        return ("pow", *a, PI) if token == "pow" and a is not None else a
    return ("inv", *b) if token == "div" else ("exp", *b) if token == "pow" else b
