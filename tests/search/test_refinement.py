from __future__ import annotations

import time

import numpy as np
import pytest

from srbench_ext.expression import evaluate, parse_infix
from srbench_ext.search import Archive, refined_front


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_an_exact_formula_ends_in_its_short_writing(noise: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(1.0, 3.0, (200, 3))
    y = evaluate(parse_infix("x2*sqrt(x0**2 + x1**2)"), X) + noise * rng.normal(size=200)
    archive = Archive(X, y, rng, n_starts=1)
    archive.submit([parse_infix("sqrt((x0**2 + x1**2)*x2**2)").prefix], "test")
    steps = [(e, step) for e, _, step in refined_front(archive, X, y, rng, deadline=time.monotonic() + 60.0)]
    assert {step for _, step in steps} == {"refitted", "snapped", "simplified", "polished"}
    last, step = steps[-1]
    assert step == "polished"
    assert last.complexity == 8
    assert last.n_constants == 0


def test_nothing_is_polished_without_time() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(1.0, 3.0, (200, 3))
    archive = Archive(X, X[:, 0] * X[:, 1], rng, n_starts=1)
    archive.submit([("mul", "x0", "x1")], "test")
    assert list(refined_front(archive, X, X[:, 0] * X[:, 1], rng, deadline=time.monotonic() - 1.0)) == []
