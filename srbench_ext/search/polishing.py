"""Shorter writings of a formula that hold on the rows of its table.

A search often ends with ``sqrt((a**2 + b**2)*m**2)`` where ``m`` is positive on every row: exact, but neither
short nor equal by the rules of the whole plane. Identities are applied, best first, to a normal form that
knows the rows' signs; what comes out is compared with the formula on all rows.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from srbench_ext.expression import Expression, compile_prefix, evaluate
from srbench_ext.expression.operators import CONSTANT
from srbench_ext.expression.program import as_columns
from srbench_ext.search.algebra import Algebra
from srbench_ext.search.identities import Identities
from srbench_ext.search.values import Base, is_number
from srbench_ext.search.writing import Writer, cost

__all__ = ["polished"]

FloatArray = npt.NDArray[np.float64]

_ROWS = 500  # that signs are read from; the results are held against all rows
_LONGEST = 80  # tokens
_SIGNED = 1000  # tokens of the longest base whose sign is read: products of sums multiply out without end
_LONGER = 10  # tokens that a step on the way may add
_STATES = 400
_RESULTS = 3
_RELATIVE, _OF_LARGEST = 1e-9, 1e-13
_EXACT = 1e-24  # relative loss that rounding alone explains


def polished(
    expression: Expression, X: npt.ArrayLike, y: npt.ArrayLike, deadline: float, max_states: int = _STATES
) -> list[Expression]:
    """Return shorter formulas with the same values on the rows, the best first.

    Roots of squares, exponentials of logarithms, sums of fractions, common factors, hyperbolic and circular
    identities are applied where the signs that the columns have on the rows allow it.

    Parameters
    ----------
    expression : Expression
        The formula.
    X : (n, d) array_like
        The rows on which the values have to stay.
    y : (n,) array_like
        The target; its mean squared error may not rise by more than rounding.
    deadline : float
        A ``time.monotonic()`` after which no further step is taken.
    max_states : int
        Most formulas that are looked at.

    Returns
    -------
    list of Expression
        At most three: fewer tokens than ``expression``, or as many and fewer constants. Empty where there are
        none, or where the formula is not finite on every row.
    """
    table, target = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if expression.complexity > _LONGEST or not expression.variables:
        return []
    expected = evaluate(expression, table)
    if not np.all(np.isfinite(expected)):
        return []
    sample = table[np.linspace(0, len(table) - 1, min(len(table), _ROWS)).astype(int)]
    found = sorted(_search(expression, sample, deadline, max_states), key=_expression_cost)
    limit = max(_loss(expected, target) * (1.0 + 1e-6), _EXACT * float(np.mean(target**2)))
    kept = []
    for candidate in found:
        values = evaluate(candidate, table)
        if _agree(values, expected) and _loss(values, target) <= limit:
            kept.append(candidate)
            if len(kept) == _RESULTS:
                break
    return kept


def _search(e: Expression, sample: FloatArray, deadline: float, most: int) -> Iterator[Expression]:
    """Yield shorter formulas with the same values on a sample of the rows."""
    signs = _Signs(sample)
    algebra = Algebra(signs)
    identities, expected = Identities(algebra), evaluate(e, sample)
    try:
        start = algebra.read(e)
    except ArithmeticError:
        return
    limit, count = _expression_cost(e), itertools.count()
    seen = {start.text}
    queue = [(cost(signs.writer.tokens(start)), next(count), start)]
    while queue and time.monotonic() < deadline:
        price, _, value = heapq.heappop(queue)
        formula = signs.writer.expression(value, e.names)
        if not _agree(evaluate(formula, sample), expected):
            continue
        if price < limit:
            yield formula
        for other in identities.steps(value):
            if len(seen) >= most or time.monotonic() >= deadline:
                break
            if other.text in seen or not other.factors:
                continue
            seen.add(other.text)
            price = cost(signs.writer.tokens(other))
            if price[0] <= limit[0] + _LONGER:
                heapq.heappush(queue, (price, next(count), other))


class _Signs:
    """The sign of a base on every row; each is worked out once."""

    def __init__(self, rows: FloatArray) -> None:
        self._columns = as_columns(rows)
        self._known: dict[str, int] = {}
        self.writer = Writer(self)

    def __call__(self, base: Base) -> int:
        if base.head == "exp" or is_number(base):
            return 1
        known = self._known.get(base.text)
        if known is None:
            known = self._known[base.text] = self._measured(base)
        return known

    def _measured(self, base: Base) -> int:
        tokens = self.writer.base(base)
        if len(tokens) > _SIGNED:
            return 0
        program = compile_prefix(tuple(CONSTANT if isinstance(t, float) else t for t in tokens))
        values = program.evaluate_columns(self._columns, [t for t in tokens if isinstance(t, float)])
        if np.all(values > 0.0):
            return 1
        return -1 if np.all(values < 0.0) else 0


def _expression_cost(e: Expression) -> tuple[int, int]:
    return e.complexity, e.n_constants


def _agree(values: FloatArray, expected: FloatArray) -> bool:
    size = _RELATIVE * np.abs(expected) + _OF_LARGEST * float(np.max(np.abs(expected)))
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.abs(values - expected) <= size))


def _loss(values: FloatArray, target: FloatArray) -> float:
    return float(np.mean((values - target) ** 2))
