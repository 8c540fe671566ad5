import types

import numpy as np
import pytest

from srbench_ext.expression import Expression
from srbench_ext.method import Candidate
from srbench_ext.methods.equate import method as equate_method
from srbench_ext.methods.equate.method import token_weight


def test_a_token_has_to_save_more_where_rows_are_few():
    weights = [token_weight(n) for n in (10, 100, 300, 1000, 2000, 100_000)]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == 0.05
    assert weights[-1] == pytest.approx(5e-5, rel=0.01)
    assert token_weight(2000) == pytest.approx(0.00165, rel=0.01)


def judged(crossed: float):
    linear, short = Expression(("x0",)), Expression(("x1",))
    session = types.SimpleNamespace(
        y=np.random.default_rng(0).normal(size=100),
        _crossing=True,
        validated={linear: 0.2, short: 0.1},
        fallbacks={linear: 0.2},
        _cross=lambda law: crossed,
    )
    score = equate_method._Session.score
    found = [score(session, Candidate(linear, loss=0.15, complexity=20))]
    return [*found, score(session, Candidate(short, loss=0.1, complexity=3))]


def test_a_formula_whose_crossed_error_is_behind_the_linear_fallbacks_comes_after_it():
    linear, short = judged(crossed=0.15)
    assert short < linear
    linear, short = judged(crossed=0.21)
    assert linear < short


def test_a_score_without_fits_is_a_lower_bound():
    session = types.SimpleNamespace(
        y=np.random.default_rng(0).normal(size=100),
        _crossing=True,
        validated={},
        fallbacks={},
        _cross=lambda law: 0.5,
    )
    candidate = Candidate(Expression(("x0",)), loss=0.1, complexity=3)
    score = equate_method._Session.score
    assert score(session, candidate, crossed=False) < score(session, candidate)
