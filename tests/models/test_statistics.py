from __future__ import annotations

import numpy as np
import torch

from srbench_ext.models.encoders import point_features, scale_table
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.statistics import TABLE_STATISTICS, table_statistics

from .tiny import CONFIG


def features(X, y):
    scaled = scale_table(X, y)
    arrays = (scaled.values[None], scaled.present[None], scaled.log_scale[None])
    return torch.from_numpy(point_features(*arrays))


def table(seed=0, n_rows=40):
    X = np.random.default_rng(seed).uniform(0.5, 3.0, (n_rows, 3))
    return X, 2.0 * X[:, 0] ** 2 / X[:, 1]


def test_a_power_law_shows_its_exponents_and_that_they_explain_all():
    told = table_statistics(features(*table()))[0]
    assert told.shape == (TABLE_STATISTICS,)
    exponents = 4.0 * torch.atanh(told[1:4] / 4.0)  # the first regression; coefficients are bounded by tanh
    torch.testing.assert_close(exponents, torch.tensor([2.0, -1.0, 0.0]), atol=0.02, rtol=0.0)
    assert told[4:11].abs().max() < 1e-6  # columns that are not there
    assert told[11] > 0.999


def test_a_linear_law_is_explained_by_the_second_regression():
    X, _ = table()
    told = table_statistics(features(X, 3.0 + X[:, 0] - X[:, 2]))[0]
    assert told[23] > 0.999
    assert told[11] < told[23]


def test_statistics_do_not_depend_on_the_order_of_the_rows():
    X, y = table()
    order = np.random.default_rng(1).permutation(len(y))
    torch.testing.assert_close(
        table_statistics(features(X, y)), table_statistics(features(X[order], y[order])), atol=1e-3, rtol=1e-3
    )


def test_constant_columns_and_zeros_give_finite_statistics():
    X = np.column_stack([np.full(20, 2.0), np.zeros(20), np.arange(20.0)])
    assert torch.isfinite(table_statistics(features(X, X[:, 2] - 3.0))).all()


def test_autocast_leaves_the_least_squares_alone():
    columns = features(*table())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        told = table_statistics(columns)
    torch.testing.assert_close(told, table_statistics(columns))


def test_memory_holds_places_for_the_statistics():
    config = FoundationConfig.from_dict({**CONFIG.to_dict(), "statistics_length": 2})
    model = Foundation(config)
    memory = model.encode(features(*table()))
    assert memory.shape == (1, config.memory_length + 2, config.width)
    assert Foundation(CONFIG).statistics_in is None
