from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.latent.scoring import Scorer, released_fitness
from srbench_ext.search import Archive

from .toy import LAW, OTHER, product


def scorer(**options: str | bool) -> Scorer:
    return Scorer(Archive(*product(), np.random.default_rng(0)), **options)  # type: ignore[arg-type]


def test_a_point_is_worth_its_best_formula() -> None:
    scores = scorer().score([[OTHER], [OTHER, LAW], []], "search")
    assert scores[1] < scores[0] < scores[2] == np.inf


def test_a_point_without_a_formula_is_worth_nothing_in_the_released_fitness() -> None:
    assert scorer(fitness="r2").score([[]], "search") == [0.0]


def test_a_seen_skeleton_keeps_its_score() -> None:
    it = scorer()
    first = it.score([[LAW], [OTHER]], "search")
    np.testing.assert_array_equal(it.score([[LAW], [OTHER]], "search"), first)
    assert it.archive.n_evaluated == 2


def test_the_released_score_of_a_seen_skeleton_is_nothing() -> None:
    it = scorer(fitness="r2", duplicates="zero")
    first = it.score([[LAW], [LAW]], "localised", remember=False)
    assert (it.score([[LAW], [LAW]], "search") == first).all()  # the first population is forgotten
    assert (first < -0.9).all()
    assert (it.score([[LAW]], "search") == 0.0).all()
    assert it.best is not None
    assert it.best.exact


def test_the_released_fitness_charges_tokens_to_good_formulas_only() -> None:
    assert released_fitness(0.0, 40) == pytest.approx(0.9)
    assert released_fitness(0.6, 40) == pytest.approx(0.4)
    assert released_fitness(7.0, 3) == 0.0


def test_values_of_constants_start_the_fit_and_skeletons_are_what_is_seen() -> None:
    it = scorer(fitness="r2", duplicates="zero")
    wave = ("sin", "mul", -40.3, "x0")
    X = np.random.default_rng(0).uniform(1, 5, (200, 2))
    it.archive = Archive(X, 3.0 * np.sin(-40.0 * X[:, 0]) + 1.0, np.random.default_rng(0))
    scores = it.score([[wave], [("sin", "mul", 1.0, "x0")], [OTHER]], "search")
    assert scores[0] == scores[1] < -0.9  # one skeleton, the first values; its constant is negative
    assert (it.score([[("sin", "mul", 7.0, "x0")]], "search") == 0.0).all()
    assert it.archive.n_evaluated == 2


def test_a_skeleton_whose_fitted_constant_is_negative_keeps_its_score() -> None:
    it = scorer()
    X = np.random.default_rng(0).uniform(1, 5, (200, 2))
    it.archive = Archive(X, 1.0 / (X[:, 0] - 0.5), np.random.default_rng(0))
    (score,) = it.score([[("inv", "add", "C", "x0")]], "search")
    assert it.archive.find(("inv", "add", "C", "x0")) is None  # its normal form is x0 - C
    assert np.isfinite(score)
    assert it.best is not None
    assert it.best.exact


def test_a_skeleton_is_worth_the_best_of_its_forms_with_more_constants() -> None:
    X = np.random.default_rng(0).uniform(1, 5, (200, 2))
    y = np.sin(1.2 * X[:, 0])
    scores = []
    for constants in (False, True):
        it = scorer(constants=constants)
        it.archive = Archive(X, y, np.random.default_rng(0))
        scores.append(it.score([[("sin", "x0")], [OTHER]], "search"))
    assert (scores[1] <= scores[0]).all()
    assert scores[1][0] < scores[0][0] - 0.1  # sin(1.2 x0)
