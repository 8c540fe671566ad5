from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from srbench_ext.latent_study.interpolation import (
    FRACTIONS,
    PATHS,
    draw_pairs,
    interpolate,
    path_between,
    summarise_paths,
)
from srbench_ext.latent_study.spaces import Space

from .toy import TABLES, FreeToySpace, ToyMethod, ToySpace


def space(inner):
    return Space("gensr", ToyMethod(inner), (2, 5), 0)


@pytest.fixture(scope="module")
def paths():
    toy = space(FreeToySpace())
    encodings, _ = toy.encode(TABLES)
    pairs = draw_pairs(TABLES, 12, np.random.default_rng(0))
    return encodings, pairs, interpolate(toy, TABLES, encodings, pairs)


def test_pairs_are_of_one_number_of_columns_and_half_of_one_family():
    pairs = draw_pairs(TABLES, 40, np.random.default_rng(0))
    for pair in pairs:
        first, second = TABLES[pair.first], TABLES[pair.second]
        assert pair.first != pair.second
        assert first.n_variables == second.n_variables
        assert (first.family == second.family) == pair.same_family
    assert sum(pair.same_family for pair in pairs) == 20
    assert sum(TABLES[pair.first].n_variables == 2 for pair in pairs) == 20


@pytest.mark.parametrize("path", PATHS)
def test_a_path_goes_from_one_end_to_the_other(path):
    a, b = np.array([3.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    points = path_between(a, b, path)
    np.testing.assert_allclose(points[[0, -1]], [a, b], atol=1e-12)
    assert len(points) == len(FRACTIONS)


def test_an_arc_keeps_the_length_that_a_straight_path_loses():
    a, b = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    arc = path_between(a, b, "arc")
    np.testing.assert_allclose(np.linalg.norm(arc, axis=1), 1.0)
    np.testing.assert_allclose(arc[5], [np.sqrt(0.5)] * 2)
    assert np.linalg.norm(path_between(a, b, "straight")[5]) == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize("b", [[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
def test_without_one_arc_the_path_is_straight(b):
    a = np.array([1.0, 0.0])
    straight = path_between(a, np.array(b), "straight")
    np.testing.assert_array_equal(path_between(a, np.array(b), "arc"), straight)


def test_the_formula_changes_where_the_path_crosses_the_border(paths):
    encodings, pairs, points = paths
    crossing = {i for i, p in enumerate(pairs) if encodings[p.first, 0] * encodings[p.second, 0] < 0}
    assert crossing
    straight = points[points["path"] == "straight"]
    changes = straight.groupby("pair")["changed"].apply(lambda each: each.dropna().sum())
    assert set(changes[changes == 1].index) == crossing
    assert set(changes) <= {0, 1}
    assert (straight["step_edit"].dropna() > 0).sum() == len(crossing)


def test_a_point_that_decodes_to_nothing_is_not_valid():
    toy = space(ToySpace(farthest=1.0))
    encodings, _ = toy.encode(TABLES)
    pairs = draw_pairs(TABLES, 4, np.random.default_rng(0))
    points = interpolate(toy, TABLES, encodings, pairs)
    (whole, *_) = summarise_paths(points).to_dict("records")
    assert points["formula"].isna().all()
    assert whole["valid"] == 0.0
    assert whole["fitted"] == 0.0
    assert whole["mean_r2"] == 0.0
    assert whole["step_edit"] == whole["step_unlike"] == 1.0
    assert whole["monotonicity"] is None or np.isnan(whole["monotonicity"])


def test_what_needs_no_grammar_is_counted_where_the_space_can_do_without(paths):
    *_, points = paths
    inside = points[(points["path"] == "straight") & points["fraction"].between(0.05, 0.95)]
    share = np.mean(["exp" in formula for formula in inside["formula"]])
    (whole, *_) = summarise_paths(points).to_dict("records")
    assert whole["parses"] == pytest.approx(share)
    toy = space(ToySpace())
    encodings, _ = toy.encode(TABLES)
    without = interpolate(toy, TABLES, encodings, draw_pairs(TABLES, 2, np.random.default_rng(0)))
    assert without["parses"].isna().all()


def test_the_strata_part_the_pairs(paths):
    *_, points = paths
    summary = summarise_paths(points).set_index(["path", "pairs_of"])
    assert summary.loc[("straight", "all"), "pairs"] == 12
    assert summary.loc[("straight", "same family"), "pairs"] == 6
    assert summary.loc[("straight", "two families"), "pairs"] == 6


def test_a_path_that_goes_evenly_away_is_monotone():
    rows = [
        {
            "pair": 0, "same_family": True, "path": "straight", "fraction": t, "formula": str(t),
            "valid": True, "parses": None, "same_law": True, "r2": 0.5, "step_edit": 0.1, "step_unlike": 0.2,
            "from_first": t, "from_second": 1.0 - t,
        }
        for t in FRACTIONS
    ]  # fmt: skip
    (line, *_) = summarise_paths(pd.DataFrame(rows)).to_dict("records")
    assert line["monotonicity"] == pytest.approx(1.0)
    assert line["distinct"] == 11
    assert line["changing"] == 1
    assert line["mean_r2"] == pytest.approx(0.5)
