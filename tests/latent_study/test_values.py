from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.corpus.families import family_tables
from srbench_ext.latent_study.values import Fits, control, is_valid, likenesses, unlikeness

X = np.random.default_rng(0).normal(size=(80, 2))


def test_scale_and_offset_make_no_difference():
    a = np.sin(X[:, 0])
    assert unlikeness(a, -3e8 * a + 5e7) == pytest.approx(0.0, abs=1e-9)


def test_unlikeness_is_the_error_of_a_linear_fit():
    a, b = X[:, 0], X[:, 0] + X[:, 1]
    slope, offset = np.polyfit(a, b, 1)
    nmse = np.mean((b - slope * a - offset) ** 2) / np.var(b)
    assert unlikeness(a, b) == pytest.approx(nmse, abs=1e-9)


def test_rows_that_are_not_finite_in_one_of_both_are_left_out():
    a, b = X[:, 0].copy(), X[:, 0] ** 2 + X[:, 0]
    full = unlikeness(a[20:], b[20:])
    a[:10], b[10:20] = np.nan, np.inf
    assert unlikeness(a, b) == pytest.approx(full, abs=1e-9)
    a[:45] = np.nan
    assert unlikeness(a, a) == 1.0


def test_a_constant_is_like_a_constant_and_like_nothing_else():
    one = np.ones(80)
    assert unlikeness(one, 2 * one) == 0.0
    assert unlikeness(one, X[:, 0]) == 1.0


def test_likenesses_are_those_of_the_pairs():
    rows = np.stack([X[:, 0], X[:, 1], X[:, 0] * X[:, 1], np.exp(X[:, 0])])
    found = likenesses(rows)
    for i in range(4):
        for k in range(4):
            assert found[i, k] == pytest.approx(np.corrcoef(rows[i], rows[k])[0, 1] ** 2, abs=1e-9)


def test_a_formula_is_valid_where_it_is_finite_on_almost_all_rows():
    assert is_valid(("exp", "mul", "C", "x0"), X)
    assert not is_valid(("log", "x0"), X)
    assert is_valid(("log", "add", "C", "x0"), X)  # for an offset that is large enough
    assert is_valid(("log", "x0"), np.abs(X))
    assert not is_valid(None, X)


def test_constants_are_fitted_to_the_table():
    fits = Fits((X, 4.0 - 2.0 * np.exp(0.7 * X[:, 0])))
    assert fits.r2(("exp", "mul", "C", "x0")) == pytest.approx(1.0, abs=1e-6)
    assert fits.r2(("x1",)) == pytest.approx(0.0, abs=0.1)
    assert fits.r2(("log", "x0")) is None
    assert fits.r2(None) is None
    np.testing.assert_allclose(
        fits.values(("exp", "mul", "C", "x0"), X[:5]), 4.0 - 2.0 * np.exp(0.7 * X[:5, 0]), rtol=1e-6
    )
    assert np.isnan(fits.values(None, X)).all()


def test_the_tables_own_laws_pass_the_measures():
    """What says otherwise of the law itself says nothing of a decoder. (Waves have many local minima.)"""
    found = control(family_tables(20, 100)).set_index(["family", "variables"])
    assert (found["valid"] >= 0.95).all()
    assert (found["fitted"] >= 0.95).all()
    assert (found.drop(index="trig")["law_r2"] >= 0.95).all()
    assert (found["law_r2"] >= 0.4).all()
