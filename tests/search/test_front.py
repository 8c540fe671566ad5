from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from srbench_ext.search.front import ParetoFront

POINTS = st.lists(st.tuples(st.integers(1, 9), st.floats(0, 1)), max_size=40)


@given(POINTS)
def test_the_front_is_what_no_other_point_dominates(points):
    front: ParetoFront[tuple[int, float]] = ParetoFront()
    for point in points:
        front.add(*point, point)
    expected = {p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)}
    assert set(front) == expected
    assert len(front) == len(expected)
    assert list(front) == sorted(front)


@given(POINTS)
def test_would_add_tells_what_add_does(points):
    front: ParetoFront[int] = ParetoFront()
    for index, point in enumerate(points):
        expected = front.would_add(*point)
        assert front.add(*point, index) == expected


def test_losses_that_are_not_finite_never_enter():
    front: ParetoFront[str] = ParetoFront()
    assert not front.add(1, math.nan, "a")
    assert not front.add(1, math.inf, "b")
    assert front.add(math.inf, 0.5, "a model without a complexity")
    assert front.add(3, 0.5, "as good and simpler")
    assert list(front) == ["as good and simpler"]
