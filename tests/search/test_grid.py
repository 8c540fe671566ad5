from __future__ import annotations

import math
import random
from collections import Counter

from srbench_ext.search.grid import DiversityGrid, cell_of


def test_a_cell_is_a_size_class_and_a_set_of_operators():
    assert cell_of(("add", "x0", "x1"), 3) == cell_of(("sub", 2.5, "x0"), 3)
    assert cell_of(("add", "x0", "x1"), 3) != cell_of(("mul", "x0", "x1"), 3)
    assert cell_of(("add", "x0", "x1"), 3) != cell_of(("add", "x0", "add", "x1", "add", "x2", "x3"), 3)


def test_only_the_best_of_a_cell_stays():
    grid: DiversityGrid[str] = DiversityGrid()
    assert grid.add((1, 0), 0.5, 1, "a")
    assert not grid.add((1, 0), 0.5, 2, "b")
    assert grid.add((1, 0), 0.4, 3, "c")
    assert not grid.add((2, 0), math.inf, 4, "d")
    assert len(grid) == 1
    assert set(grid.draw(random.Random(0), 20, 2.0)) == {"c"}


def test_good_ones_are_drawn_more_often_and_all_sometimes():
    grid: DiversityGrid[int] = DiversityGrid()
    for number in range(10):
        grid.add((number, 0), number / 10, number, number)
    drawn = Counter(grid.draw(random.Random(0), 2000, 2.0))
    assert set(drawn) == set(range(10))
    assert drawn[0] > 2 * drawn[5]


def test_a_full_grid_sets_a_bar_for_new_cells():
    grid: DiversityGrid[int] = DiversityGrid(capacity=2)
    grid.add((0, 0), 0.1, 0, 0)
    grid.add((1, 0), 0.2, 1, 1)
    assert not grid.would_add((2, 0), 0.3)
    assert grid.would_add((2, 0), 0.15)
    grid.add((2, 0), 0.15, 2, 2)
    assert set(grid.draw(random.Random(0), 100, 1.0)) == {0, 2}


def test_an_empty_grid_draws_nothing():
    assert DiversityGrid().draw(random.Random(0), 5, 2.0) == []
