from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from srbench_ext.corpus.families import FamilyTable
from srbench_ext.latent_study.landscape import _of_ball, landscape, summarise_landscape
from srbench_ext.latent_study.ranks import autocorrelation, correlation, spearman
from srbench_ext.latent_study.spaces import Space

from .toy import ToyMethod, ToySpace

X = np.random.default_rng(0).normal(size=(40, 2))
GROWTH = FamilyTable(X, np.exp(1.5 * X[:, 0]), ("exp", "mul", 1.5, "x0"), ("x0",), "exp", "x")
BETWEEN = np.random.default_rng(1).normal(size=(50, 4))


def look(farthest=50.0, centre=(-0.1, 0.0, 0.0, 0.0)):
    space = Space("gensr", ToyMethod(ToySpace(farthest)), (2, 5), 0)
    rows = landscape(space, [GROWTH], np.array([centre]), BETWEEN, 60, np.random.default_rng(0))
    return rows.iloc[0]


def test_the_better_half_of_the_ball_is_found():
    found = look()
    assert found["encoded"] < 0.95
    assert found["best"] == pytest.approx(1.0, abs=1e-6)
    assert found["better"] == pytest.approx(0.45, abs=0.2)
    assert found["dead"] == 0.0
    assert found["distinct"] == pytest.approx(2 / 61)


def test_fitness_that_falls_with_the_distance_is_correlated_with_it():
    ball = np.random.default_rng(0).standard_normal((200, 4))
    scores = list(1.0 - 0.1 * np.linalg.norm(ball - ball[7], axis=1))
    assert _of_ball(ball, scores, [("x0",)] * 200)["fitness_distance"] == pytest.approx(1.0)


def test_fitness_by_chance_has_no_correlation_with_the_distance():
    """The best point itself, at distance zero, would make one."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        ball = rng.standard_normal((200, 64))
        scores = list(np.where(rng.random(200) < 0.02, 0.9, 0.1))
        found.append(_of_ball(ball, scores, [("x0",)] * 200)["fitness_distance"])
    assert abs(np.mean([each for each in found if each is not None])) < 0.05


def test_what_does_not_decode_is_dead():
    found = look(farthest=1.0)
    assert 0.5 < found["dead"] < 1.0


def test_a_flat_landscape_has_no_correlation():
    found = look(farthest=0.0)
    assert found["dead"] == 1.0
    assert found["fitness_distance"] is None
    assert found["autocorrelation"] is None


def test_the_length_of_the_walk_follows_from_its_autocorrelation():
    rows = pd.DataFrame({"table": [0, 1, 2], "autocorrelation": [0.6, 0.4, None]})
    found = summarise_landscape(rows)
    assert found["walk_length"] == pytest.approx(-1 / np.log(0.5))
    assert found["autocorrelation_of"] == 2
    assert found["autocorrelation_error"] == pytest.approx(0.1)
    rows = pd.DataFrame({"table": [0], "autocorrelation": [-0.2]})
    assert summarise_landscape(rows)["walk_length"] is None


def test_correlations_are_none_where_nothing_varies():
    flat, rising = np.ones(5), np.arange(5.0)
    assert spearman(flat, rising) is None
    assert correlation(rising, flat) is None
    assert autocorrelation(flat) is None
    assert spearman(rising, rising**3) == pytest.approx(1.0)
    assert correlation(rising, -rising) == pytest.approx(-1.0)


def test_a_walk_that_alternates_is_anticorrelated():
    assert autocorrelation(np.array([0.0, 1.0] * 20)) == pytest.approx(-1.0, abs=0.05)
