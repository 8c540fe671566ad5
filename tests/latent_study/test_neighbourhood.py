from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.corpus.families import FamilyTable
from srbench_ext.latent_study.neighbourhood import (
    RADII,
    areas,
    around,
    correlation_length,
    nearness,
    summarise_radii,
    typical_distance,
)
from srbench_ext.latent_study.spaces import Space

from .toy import TABLES, ToyMethod, ToySpace

BASES = TABLES[::6]


def curves(inner=None, variational=True):
    space = Space("gensr", ToyMethod(inner or ToySpace()), (2, 5), 0)
    encodings, deviations = space.encode(BASES)
    rows = around(space, BASES, encodings, deviations if variational else None, 8, np.random.default_rng(0))
    return rows, summarise_radii(rows)


def test_more_changes_farther_away():
    rows, summary = curves()
    assert set(rows["unit"]) == {"distance", "deviation"}
    for _, curve in summary.groupby("unit"):
        assert list(curve["radius"]) == list(RADII)
        assert list(curve["changed"]) == sorted(curve["changed"])
    near, far = summary[summary["unit"] == "distance"].iloc[[0, -1]]["changed"]
    assert near < far
    assert 0.0 < far < 1.0


def test_a_space_without_deviations_is_measured_in_distances_alone():
    rows, _ = curves(variational=False)
    assert set(rows["unit"]) == {"distance"}


def test_a_point_without_formula_is_as_unlike_as_can_be():
    rows, _ = curves(ToySpace(farthest=1e9))
    whole = rows[rows["radius"] == 1.0]["unlike"].mean()
    space = Space("gensr", ToyMethod(ToySpace(farthest=6.0)), (2, 5), 0)
    kept = [t for t in BASES if np.abs(space.encode([t])[0]).max() <= 6.0]
    encodings, _ = space.encode(kept)
    torn = around(space, kept, encodings, None, 8, np.random.default_rng(0))
    assert torn[torn["radius"] == 1.0]["unlike"].mean() > whole
    assert torn[torn["radius"] == 1.0]["valid"].mean() < 1.0


def test_bases_that_decode_to_nothing_are_left_out():
    rows, _ = curves(ToySpace(farthest=0.0))
    assert rows.empty


def test_areas_are_means_over_the_logarithm_of_the_radius():
    _, summary = curves()
    flat = summary.assign(changed=0.25)
    assert areas(flat)["distance_changed_area"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("unlike", "length"),
    [([0.0, 0.0, 0.1], None), ([0.6, 0.7, 0.9], 0.01), ([0.0, 0.5, 0.9], 0.1), ([0.0, 0.25, 0.75], 10**-0.5)],
)
def test_the_length_is_where_the_curve_reaches_one_half(unlike, length):
    found = correlation_length(np.array([0.01, 0.1, 1.0]), np.array(unlike))
    assert found == (None if length is None else pytest.approx(length))


def test_the_typical_distance_is_the_median_of_all_pairs():
    assert typical_distance(np.array([[0.0], [1.0], [3.0]])) == 2.0


def line(slope):
    """A table of a law that differs from others by the share of x1 in it alone."""
    formula = ("add", "x0", "mul", float(slope), "x1")
    X = np.random.default_rng(0).normal(size=(20, 2))
    return FamilyTable(X, X[:, 0] + slope * X[:, 1], formula, ("x0",), "exp" if slope < 1 else "log", "x")


def test_encodings_in_the_order_of_their_laws_are_trusted_and_shuffled_ones_are_not():
    angles = np.linspace(0.0, 1.4, 40)
    tables = [line(np.tan(angle)) for angle in angles]
    ordered = nearness(tables, angles[:, None], np.random.default_rng(0))
    assert ordered["spearman"] > 0.9
    assert ordered["trustworthiness"] > 0.95
    assert ordered["spearman_inside"] > 0.8
    shuffled = nearness(
        tables, np.random.default_rng(1).permutation(angles)[:, None], np.random.default_rng(0)
    )
    assert abs(shuffled["spearman"]) < 0.3
    assert shuffled["trustworthiness"] < 0.7


def test_too_few_tables_have_no_trustworthiness():
    found = nearness([line(0.5), line(2.0)], np.array([[0.0], [1.0]]), np.random.default_rng(0))
    assert found["trustworthiness"] is None
    assert found["spearman"] is None
