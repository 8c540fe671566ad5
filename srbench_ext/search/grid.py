"""A diversity grid: the best of every size and set of operators, so that no kind crowds out another.

This is the archive of quality-diversity search (Mouret and Clune, Illuminating search spaces by mapping
elites, arXiv 1504.04909) with the size and the operators of a formula as its behaviour.
"""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Iterable
from typing import Generic, TypeVar

from srbench_ext.expression.operators import OPERATORS

__all__ = ["Cell", "DiversityGrid", "cell_of"]

Item = TypeVar("Item")
Cell = tuple[int, int]

_BITS = {name: 1 << bit for bit, name in enumerate(OPERATORS)}
_BITS["sub"] = _BITS["neg"] = _BITS["add"]
_BITS["inv"] = _BITS["div"]
_BITS["pow3"] = _BITS["pow2"]


def cell_of(tokens: Iterable[str | float], size_step: int) -> Cell:
    """Return size class and set of operators; signs and reciprocals make no difference."""
    size = operators = 0
    for token in tokens:
        size += 1
        operators |= _BITS.get(token, 0)  # type: ignore[arg-type]  # a number is in no dict of names
    return size // size_step, operators


class DiversityGrid(Generic[Item]):
    """The best item of every cell, and a ranking of these.

    Parameters
    ----------
    capacity : int
        How many of the best cells take part in the draw of parents and set the bar for new cells.
    """

    def __init__(self, capacity: int = 400) -> None:
        self._capacity = capacity
        self._cells: dict[Cell, tuple[float, int]] = {}
        self._ranking: list[tuple[float, int]] = []
        self._items: dict[int, Item] = {}

    def __len__(self) -> int:
        return len(self._cells)

    @property
    def bar(self) -> float:
        """The score that a new cell has to beat; infinite until the capacity is reached."""
        if len(self._ranking) < self._capacity:
            return math.inf
        return self._ranking[self._capacity - 1][0]

    def would_add(self, cell: Cell, score: float) -> bool:
        """Whether an item of this score (lower is better) would be the best of its cell and above the bar."""
        held = self._cells.get(cell)
        return score < self.bar and (held is None or score < held[0])

    def add(self, cell: Cell, score: float, number: int, item: Item) -> bool:
        """Add an item if it is the best of its cell; ``number`` is its own and breaks ties."""
        held = self._cells.get(cell)
        if not math.isfinite(score) or (held is not None and score >= held[0]):
            return False
        if held is not None:
            del self._ranking[bisect.bisect_left(self._ranking, held)]
            del self._items[held[1]]
        self._cells[cell] = (score, number)
        bisect.insort(self._ranking, (score, number))
        self._items[number] = item
        return True

    def draw(self, rng: random.Random, count: int, pressure: float) -> list[Item]:
        """Draw items, the r-th best with a probability that falls with r.

        Parameters
        ----------
        rng : random.Random
            Source of the draws.
        count : int
            How many, with replacement.
        pressure : float
            Ranks are the capacity times u to this power, u uniform on [0, 1): 1 draws all cells alike.
        """
        size = min(len(self._ranking), self._capacity)
        if not size:
            return []
        ranks = [int(size * rng.random() ** pressure) for _ in range(count)]
        return [self._items[self._ranking[rank][1]] for rank in ranks]
