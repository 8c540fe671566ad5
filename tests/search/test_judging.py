import time
from dataclasses import dataclass

import numpy as np
import pytest

from srbench_ext.expression import Expression
from srbench_ext.search import Judge, token_weight

LINEAR, SHORT = Expression(("x0",)), Expression(("x1",))


@dataclass(frozen=True)
class Found:
    """A candidate as a method's front has them."""

    model: object
    loss: float
    complexity: int


class Told(Judge):
    """A judge that is told what cross-validation gives, and counts how often it is asked."""

    crossed: float
    asked = 0

    def _cross(self, law):
        self.asked += 1
        return self.crossed


def judge(crossed, n=100, kind=Told):
    draw = np.random.default_rng(0)
    found = kind(draw.normal(size=(n, 2)), draw.normal(size=n), time.monotonic() + 60.0)
    found.crossed = crossed
    return found


def test_a_token_has_to_save_more_where_rows_are_few():
    weights = [token_weight(n) for n in (10, 100, 300, 1000, 2000, 100_000)]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == 0.05
    assert weights[-1] == pytest.approx(5e-5, rel=0.01)
    assert token_weight(2000) == pytest.approx(0.00165, rel=0.01)


@pytest.mark.parametrize(("crossed", "first"), [(0.15, 1), (0.21, 0)])
def test_a_formula_whose_crossed_error_is_behind_the_fallbacks_comes_after_them(crossed, first):
    judged = judge(crossed)
    judged.validated.update({LINEAR: 0.2, SHORT: 0.1})
    judged.fallbacks[LINEAR] = 0.2
    front = [Found(LINEAR, 0.15, 20), Found(SHORT, 0.1, 3)]
    assert judged.first(front)[0] == first


def test_a_rank_without_fits_is_a_lower_bound():
    judged, found = judge(0.5), Found(LINEAR, 0.1, 3)
    assert judged.rank(found, crossed=False) < judged.rank(found)


def test_only_what_can_still_come_first_is_cross_validated():
    judged = judge(0.2)
    front = [Found(Expression(("x0",)), loss, 3) for loss in (0.1, 0.3, 0.4)]
    assert judged.first(front)[0] == 0
    assert judged.asked == 1


def test_many_rows_are_not_cross_validated():
    judged = judge(9.0, n=3000)
    assert judged.rank(Found(LINEAR, 0.1, 3)) == judged.rank(Found(LINEAR, 0.1, 3), crossed=False)


def test_a_token_has_a_least_price():
    y = np.random.default_rng(0).normal(size=10_000)
    plain, dear = (Judge(np.ones((10_000, 1)), y, 0.0, least_weight=w) for w in (0.0, 0.01))
    short, long = Found(LINEAR, 1e-3, 10), Found(SHORT, 0.9e-3, 30)
    assert plain.first([short, long])[0] == 1
    assert dear.first([short, long])[0] == 0


def test_cross_validation_ends_at_the_deadline():
    judged = judge(0.0, kind=Judge)
    judged.deadline = time.monotonic() - 1.0
    assert judged.rank(Found(LINEAR, 0.1, 3)) == judged.rank(Found(LINEAR, 0.1, 3), crossed=False)


def test_what_only_predicts_is_ranked_by_its_error():
    judged = judge(9.0)
    assert judged.rank(Found(object(), 0.1, 0))[0] is False
    assert judged.first([Found(object(), 0.2, 0), Found(object(), 0.1, 0)])[0] == 1
