from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.corpus.points import FAMILIES, draw_points


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("shape", [(20, 1), (33, 10)])
def test_table_has_the_shape_wanted_and_is_finite(family: str, shape: tuple[int, int]) -> None:
    for seed in range(20):
        X = draw_points(np.random.default_rng(seed), family, *shape)
        assert X.shape == shape
        assert X.dtype == np.float64
        assert np.isfinite(X).all()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_equal_seeds_draw_equal_tables(family: str) -> None:
    a, b, c = (draw_points(np.random.default_rng(seed), family, 30, 3) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize("family", ["positive_ranges", "wide_positive", "log_normal"])
def test_positive_families_are_positive(family: str) -> None:
    for seed in range(20):
        assert (draw_points(np.random.default_rng(seed), family, 50, 4) > 0).all()
