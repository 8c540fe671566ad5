from __future__ import annotations

import random

from srbench_ext.corpus.weighted import Weighted


def test_draws_are_those_of_the_standard_library() -> None:
    names, weights = ("a", "b", "c", "d"), (0.5, 0.0, 2, 1.25)
    ours, theirs = random.Random(3), random.Random(3)
    weighted = Weighted(names, weights)
    drawn = [weighted.draw(ours) for _ in range(500)]
    assert drawn == [theirs.choices(names, weights)[0] for _ in range(500)]
    assert set(drawn) == {"a", "c", "d"}
