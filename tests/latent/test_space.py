from __future__ import annotations

import numpy as np

from srbench_ext.latent import localise
from srbench_ext.latent.space import draw_bags

from .toy import DIMENSION, ToySpace, product


def test_the_first_population_begins_with_the_prior_mean() -> None:
    X, y = product()
    space = ToySpace()
    sizes = {"bag_size": 20, "n_bags": 3, "n_noisy": 4, "n_perturbed": 5}
    start = localise(space, X, y, np.random.default_rng(2), **sizes)
    assert start.points.shape == start.log_variances.shape == (12, DIMENSION)
    np.testing.assert_array_equal(start.points[0], start.mean)
    assert start.n_direct == 3
    wide = localise(space, X, y, np.random.default_rng(2), **sizes, unit=True)
    np.testing.assert_array_equal(wide.deviation, np.ones(DIMENSION))
    np.testing.assert_array_equal(wide.points[:7], start.points[:7])


def test_bags_of_a_small_table_differ_and_the_first_point_is_the_tables_own() -> None:
    X, y = product()
    X, y = X[:40], y[:40]
    bags = draw_bags(X, y, np.random.default_rng(0), 64, 3)
    assert [len(target) for _, target in bags] == [20, 20, 20]
    assert len({tuple(np.sort(target)) for _, target in bags}) == 3
    assert [len(y) for _, y in draw_bags(X[:7], y[:7], np.random.default_rng(0), 64, 1)] == [7]
    space = ToySpace()
    sizes = {"bag_size": 64, "n_bags": 3, "n_noisy": 2, "n_perturbed": 1}
    start = localise(space, X, y, np.random.default_rng(2), **sizes)
    np.testing.assert_allclose(start.mean, space.encode([(X, y)])[0][0])
    assert start.points.shape == (6, DIMENSION)
