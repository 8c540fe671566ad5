from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.latent.scoring import Scorer, released_fitness
from srbench_ext.search import Archive

from .toy import LAW, OTHER, product


def scorer(**options: str) -> Scorer:
    return Scorer(Archive(*product(), np.random.default_rng(0)), **options)  # type: ignore[arg-type]


def test_a_point_is_worth_its_best_formula() -> None:
    scores = scorer().score([[OTHER], [OTHER, LAW], []], "search")
    assert scores[1] < scores[0] < scores[2] == np.inf


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
