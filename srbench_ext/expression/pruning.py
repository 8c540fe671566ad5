"""Terms and factors that the data do not need, taken out of a formula."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from srbench_ext.expression.constants import fit_constants
from srbench_ext.expression.core import Expression, subtree_end
from srbench_ext.expression.operators import CONSTANT

__all__ = ["Allowance", "pruned"]

_EXACT = 1e-24  # relative loss that rounding alone explains
_ITERATIONS = 10
_LONGEST = 200  # tokens; a longer formula has too many parts to try


@dataclass(frozen=True, slots=True, eq=False)
class Allowance:
    """Data, and how much worse a simpler formula may fit them.

    Attributes
    ----------
    X : (n, d) array_like
        The table.
    y : (n,) float64 array
        The target.
    rise : float
        Relative rise of the mean squared error that one step may cost.
    deadline : float or None
        A time of ``time.monotonic()`` after which nothing more is tried.
    """

    X: npt.ArrayLike
    y: npt.NDArray[np.float64]
    rise: float
    deadline: float | None = None

    @property
    def expired(self) -> bool:
        """Whether the time is over."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    @property
    def floor(self) -> float:
        """Mean squared error that is allowed in any case."""
        unit = float(np.abs(self.y).max(initial=0.0)) or 1.0
        return _EXACT * float(np.mean((self.y / unit) ** 2)) * unit * unit

    def limit(self, loss: float) -> float:
        """Largest loss allowed after a step from ``loss``."""
        return max(loss * (1.0 + self.rise), self.floor)

    def refitted(self, e: Expression, iterations: int = _ITERATIONS) -> tuple[Expression, float]:
        """Return the formula with its constants adjusted from where they are, and its loss."""
        fit = fit_constants(
            e,
            self.X,
            self.y,
            scale_and_offset=False,
            n_starts=1,
            max_iterations=iterations,
            deadline=self.deadline if iterations else None,
        )
        return fit.expression, fit.loss

    def loss(self, e: Expression) -> float:
        """Mean squared error of the formula as it is."""
        return self.refitted(e, iterations=0)[1]


def pruned(e: Expression, allowance: Allowance) -> Expression:
    """Drop terms and factors as long as the loss, the other constants adjusted, stays within the allowance.

    The shortest formulas are tried first, and the search begins anew after each success.

    Parameters
    ----------
    e : Expression
        The fitted formula.
    allowance : Allowance
        The data and what is allowed.

    Returns
    -------
    Expression
        Never longer than ``e``.
    """
    loss = allowance.loss(e)
    if not math.isfinite(loss) or len(e.prefix) > _LONGEST:
        return e
    shorter: Expression | None = e
    while shorter is not None:
        e, shorter = shorter, None
        for trial in sorted(_without_one_part(e), key=lambda t: t.complexity):
            if allowance.expired:
                return e
            adjusted, new = allowance.refitted(trial)
            if new <= allowance.limit(loss):
                shorter, loss = adjusted, new
                break
    return e


def _without_one_part(e: Expression) -> Iterator[Expression]:
    """Yield the formulas in which one operand of a sum, product or quotient is missing."""
    prefix = e.prefix
    for start, token in enumerate(prefix):
        if token not in _ALONE:
            continue
        middle = subtree_end(prefix, start + 1)
        end = subtree_end(prefix, middle)
        for left, right, sign in ((start + 1, middle, ()), (middle, end, _ALONE[token])):
            tokens = (*prefix[:start], *sign, *prefix[left:right], *prefix[end:])
            if not any(t[0] == "x" for t in tokens):
                continue
            before, skipped = prefix[:start].count(CONSTANT), prefix[start:left].count(CONSTANT)
            kept = prefix[left:right].count(CONSTANT)
            after = before + prefix[start:end].count(CONSTANT)
            first = before + skipped
            constants = (*e.constants[:before], *e.constants[first : first + kept], *e.constants[after:])
            yield Expression(tokens, constants, e.names)


_ALONE: dict[str, tuple[str, ...]] = {"add": (), "sub": ("neg",), "mul": (), "div": ("inv",)}
"""What the second operand needs in front when the first one is dropped."""
