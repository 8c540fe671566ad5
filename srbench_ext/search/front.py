"""The Pareto front of complexity and loss."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["ParetoFront"]

Item = TypeVar("Item")


class ParetoFront(Generic[Item]):
    """Items of which no other is at most as complex and at most as wrong.

    Kept sorted: complexity strictly rises and loss strictly falls along the front.

    Examples
    --------
    >>> front = ParetoFront()
    >>> front.add(3, 0.5, "a"), front.add(5, 0.7, "b"), front.add(5, 0.1, "c")
    (True, False, True)
    >>> list(front)
    ['a', 'c']
    """

    def __init__(self) -> None:
        self._complexities: list[float] = []
        self._losses: list[float] = []
        self._items: list[Item] = []

    def would_add(self, complexity: float, loss: float) -> bool:
        """Whether an item of this complexity and loss would enter the front."""
        if math.isnan(complexity) or not math.isfinite(loss):
            return False
        before = bisect.bisect_right(self._complexities, complexity)
        return before == 0 or loss < self._losses[before - 1]

    def add(self, complexity: float, loss: float, item: Item) -> bool:
        """Add an item and drop those that it dominates.

        Parameters
        ----------
        complexity : float
            Number of tokens; ``inf`` for a model without one.
        loss : float
            A non-finite loss never enters. Of equals the first stays.
        item : object
            What is kept.

        Returns
        -------
        bool
            Whether the item entered.
        """
        if not self.would_add(complexity, loss):
            return False
        start = bisect.bisect_left(self._complexities, complexity)
        end = start
        while end < len(self._losses) and self._losses[end] >= loss:
            end += 1
        self._complexities[start:end] = [complexity]
        self._losses[start:end] = [loss]
        self._items[start:end] = [item]
        return True

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)
