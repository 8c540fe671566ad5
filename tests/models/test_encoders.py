from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srbench_ext.errors import InputError
from srbench_ext.models.encoders import (
    POINT_FEATURES,
    ScaledTable,
    point_features,
    scale_table,
    table_features,
)
from srbench_ext.models.tokens import MAX_VARIABLES

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.normal(size=20)


def features(table: ScaledTable) -> np.ndarray:
    return point_features(table.values, table.present, table.log_scale)


def test_columns_have_a_root_mean_square_of_one_and_keep_their_zero() -> None:
    table = scale_table(X + 5.0, Y)
    np.testing.assert_allclose(np.sqrt(np.mean(table.values[:, [0, 1, 2, -1]] ** 2, axis=0)), 1.0, rtol=1e-6)
    np.testing.assert_allclose(table.values[:, 0] * np.exp(table.log_scale[0]), X[:, 0] + 5.0, rtol=1e-5)


@given(st.lists(st.floats(-30, 30), min_size=4, max_size=4))
def test_units_change_the_log_scale_alone(decades: list[float]) -> None:
    factors = 10.0 ** np.array(decades)
    plain, scaled = scale_table(X, Y), scale_table(X * factors[:3], Y * factors[3])
    np.testing.assert_allclose(scaled.values, plain.values, rtol=2e-6)
    moved = (scaled.log_scale - plain.log_scale)[[0, 1, 2, -1]]
    np.testing.assert_allclose(moved, np.log(factors), atol=2e-5)


def test_tables_are_scaled_each_by_itself() -> None:
    together = table_features([(X, Y), (100.0 * X, Y)])
    assert together.shape == (2, 20, POINT_FEATURES)
    for row, factor in zip(together, (1.0, 100.0), strict=True):
        np.testing.assert_array_equal(row, features(scale_table(factor * X, Y)))


def test_product_stays_a_product() -> None:
    table = scale_table(X, X[:, 0] * X[:, 1])
    ratio = table.values[:, -1] / (table.values[:, 0] * table.values[:, 1])
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30, 1e200])
def test_features_are_finite_for_any_size(size: float) -> None:
    found = features(scale_table(X * size, Y * size))
    assert found.shape == (20, POINT_FEATURES)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 500


def test_features_are_finite_for_one_large_value_among_small_ones() -> None:
    x = np.full((20, 1), 1e-30)
    x[3] = 1e30
    assert np.isfinite(features(scale_table(x, x[:, 0]))).all()


def test_columns_of_zeros_and_absent_columns_are_zero_and_told_apart() -> None:
    x = np.column_stack([X[:, 0], np.zeros(20)])
    table = scale_table(x, np.zeros(20))
    assert table.present.tolist() == [1, 1, *[0] * (MAX_VARIABLES - 2), 1]
    assert not table.values[:, 1:].any()
    assert not table.log_scale[1:].any()
    by_number = features(table)[:, : -2 * (MAX_VARIABLES + 1)].reshape(20, MAX_VARIABLES + 1, -1)
    assert not by_number[:, 2:-1].any()  # absent
    assert by_number[:, 1].any()  # there, and zero


def test_tables_may_be_stacked() -> None:
    tables = [scale_table(X, Y), scale_table(X[:, :1], Y)]
    stacked = point_features(
        np.stack([t.values for t in tables]),
        np.stack([t.present for t in tables]),
        np.stack([t.log_scale for t in tables]),
    )
    for row, table in zip(stacked, tables, strict=True):
        np.testing.assert_array_equal(row, features(table))


def test_inputs_are_left_as_they_are() -> None:
    x, y = X.copy(), Y.copy()
    features(scale_table(x, y))
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_more_columns_than_the_vocabulary_has_variables_are_refused() -> None:
    with pytest.raises(InputError, match=r"at most 10 columns\. Got 11"):
        scale_table(np.ones((5, 11)), np.ones(5))
