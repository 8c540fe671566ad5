from __future__ import annotations

import numpy as np

from srbench_ext.latent import localise

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
