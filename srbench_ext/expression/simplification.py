"""Shorter formulas with the same values: the normal form written out in as few tokens as it takes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from srbench_ext.expression.canonical import Atom, Normal, normalise
from srbench_ext.expression.core import Expression
from srbench_ext.expression.evaluation import evaluate
from srbench_ext.expression.operators import CONSTANT

__all__ = ["rewritten", "same_values", "simplify"]

_LONGEST = 500  # tokens; longer formulas are returned as they are
Tokens = list[str | float]
Factor = tuple[Atom, int]


def simplify(e: Expression) -> Expression:
    """Return a formula with the same values that is never longer.

    Numbers are folded, like terms and powers collected, signs moved to where they cost nothing. The result
    is compared with the original at random points; when they differ, or nothing became shorter, the original
    is returned.

    Parameters
    ----------
    e : Expression
        The formula.

    Returns
    -------
    Expression
    """
    shorter = rewritten(e)
    if shorter is None or shorter.complexity >= e.complexity:
        return e
    return shorter if same_values(e, shorter) else e


def rewritten(e: Expression) -> Expression | None:
    """Return the formula in its normal form, be it shorter or not; None if it is too long or not finite.

    The values may differ in rounding, and where the original is not defined.
    """
    if len(e.prefix) > _LONGEST:
        return None
    tokens = _written(normalise(e.prefix, e.constants))
    constants = tuple(t for t in tokens if isinstance(t, float))
    if len(tokens) > _LONGEST or not all(map(math.isfinite, constants)):
        return None
    prefix = tuple(CONSTANT if isinstance(t, float) else t for t in tokens)
    return Expression(prefix, constants, e.names)


def same_values(a: Expression, b: Expression) -> bool:
    """Whether b has a's values at random points, wherever a is finite; False if a is finite nowhere."""
    rng = np.random.default_rng(0)
    width = max((*a.variables, *b.variables, -1)) + 1
    X = np.concatenate([rng.uniform(0.3, 3.0, (24, width)), rng.normal(scale=2.0, size=(24, width))])
    expected, got, nearby = evaluate(a, X), evaluate(b, X), evaluate(a, X * (1 + 1e-14))
    rows = np.isfinite(expected)
    with np.errstate(all="ignore"):
        slack = 1e-9 * np.abs(expected) + 1e3 * np.abs(nearby - expected) + 1e-300
        return bool(rows.any() and np.all(np.abs(got - expected)[rows] <= slack[rows]))


def _written(v: Normal) -> Tokens:
    """Write a value in prefix order; a float stands for a constant."""
    if not v.factors:
        return _number(v.coefficient)
    choices = [_product(v.coefficient, v.factors)]
    first, power = v.factors[0]
    if len(v.factors) == 1 and first.head == "+" and power == 1:
        choices.append(_sum([Normal(v.coefficient * t.coefficient, t.factors) for t in first.operands]))
    if v.coefficient < 0:
        choices += [
            _product(-v.coefficient, v.factors, flipped=atom)
            for atom, n in v.factors
            if atom.head == "+" and n % 2
        ]
    return min(choices, key=len)


def _number(value: Any) -> Tokens:
    if isinstance(value, Fraction):
        return ["div", str(value.numerator), str(value.denominator)]
    return [value] if isinstance(value, float) else [str(value)]


def _sum(terms: Sequence[Normal]) -> Tokens:
    """Write a sum, terms with a plus sign first."""
    ordered = sorted(terms, key=lambda t: t.coefficient < 0)
    if all(t.coefficient < 0 for t in terms):
        negated = _sum([Normal(-t.coefficient, t.factors) for t in terms])
        plain = _chain_terms(ordered)
        return min(["neg", *negated], plain, key=len)
    return _chain_terms(ordered)


def _chain_terms(terms: Sequence[Normal]) -> Tokens:
    tokens = _written(terms[0])
    for term in terms[1:]:
        if term.coefficient < 0:
            tokens = ["sub", *tokens, *_written(Normal(-term.coefficient, term.factors))]
        else:
            tokens = ["add", *tokens, *_written(term)]
    return tokens


def _product(coefficient: Any, factors: Sequence[Factor], flipped: Atom | None = None) -> Tokens:
    """Write a product; the signs of the sum ``flipped`` are reversed."""
    if coefficient == -1:
        return ["neg", *_product(1, factors)]
    above = _powers([(a, n) for a, n in factors if n >= 0], flipped)
    below = _powers([(a, -n) for a, n in factors if n < 0], flipped)
    if isinstance(coefficient, Fraction):
        if coefficient.numerator != 1:
            above.insert(0, [str(coefficient.numerator)])
        below.insert(0, [str(coefficient.denominator)])
    elif coefficient != 1:
        above.insert(0, _number(coefficient))
    if not below:
        return _chain("mul", above)
    if not above:
        return ["inv", *_chain("mul", below)]
    return ["div", *_chain("mul", above), *_chain("mul", below)]


def _chain(operator: str, parts: Sequence[Tokens]) -> Tokens:
    joined = itertools.chain.from_iterable([operator, *part] for part in parts[:-1])
    return [*joined, *parts[-1]]


def _powers(factors: Iterable[Factor], flipped: Atom | None) -> list[Tokens]:
    """Write powers, atoms that share an exponent under one."""
    groups: dict[int, list[Tokens]] = {}
    for atom, n in factors:
        groups.setdefault(n, []).append(_atom(atom, atom is flipped))
    written = []
    for n, atoms in sorted(groups.items()):
        if n == 1:
            written += atoms
        elif n in (2, 3):
            written.append([f"pow{n}", *_chain("mul", atoms)])
        else:
            written.append(["pow", *_chain("mul", atoms), str(n)])
    return written


def _atom(atom: Atom, flip: bool = False) -> Tokens:
    if atom.head == "+":
        sign = -1 if flip else 1
        return _sum([Normal(sign * t.coefficient, t.factors) for t in atom.operands])
    if atom.head == "nan":
        return ["inv", "0"]
    if not atom.operands:
        return [atom.head]
    operands = [_written(o) for o in atom.operands]
    if atom.head in ("max", "min"):
        return _chain(atom.head, operands)
    return [atom.head, *itertools.chain.from_iterable(operands)]
