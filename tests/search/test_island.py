import random
import time

import numpy as np
import pytest

from srbench_ext.search import Island, Reduction, reduce_table, related, split_for_search


@pytest.fixture(scope="module")
def table():
    X = np.random.default_rng(0).uniform(1, 4, (600, 3))
    return X, (X[:, 1] + X[:, 2]) / (1 + X[:, 1] * X[:, 2] / X[:, 0] ** 2)


def builder(X, y):
    rng = np.random.default_rng(1)
    rows = split_for_search(len(y), rng, validation_share=0.2, max_fit_rows=200, screen_rows=100)

    def build(reduction):
        return Island(
            X, y, reduction, rows, rng, random.Random(0), n_random=0, max_tokens=40, max_constants=6
        )

    return build


def test_a_law_of_the_reduced_table_comes_back_as_one_of_the_whole(table):
    X, y = table
    build = builder(X, y)
    island = build(reduce_table(X, y, np.random.default_rng(1)))
    found = list(related([island], build, time.monotonic() + 60))
    assert island.archive.exact
    np.testing.assert_allclose(found[-1][1].evaluate(X), y, rtol=1e-9)


def test_the_table_before_a_wrong_step_is_tried_too(table):
    X, y = table
    build = builder(X, y)
    right = reduce_table(X, y, np.random.default_rng(1))
    joined = right.columns[0].times(right.columns[1], 1, 1)
    wrong = Reduction((joined,), right.factor, (*right.steps, "product"), right)
    islands = [build(wrong)]
    found = list(related(islands, build, time.monotonic() + 60))
    assert not islands[0].archive.exact
    island, expression, _ = found[-1]
    assert island.reduction is right
    np.testing.assert_allclose(expression.evaluate(X), y, rtol=1e-9)


def test_nothing_is_related_after_the_deadline(table):
    X, y = table
    build = builder(X, y)
    assert list(related([build(Reduction.whole(3))], build, time.monotonic() - 1)) == []


@pytest.mark.parametrize(
    "law",
    [
        lambda z: z / (np.exp(z / (2 * np.pi)) - 1),
        lambda z: 3 * np.tanh(0.37 * z) + 1,
        lambda z: 1 / np.sqrt(2.3 + np.cos(1.7 * z)),
    ],
)
def test_a_function_whose_argument_has_a_scale_of_its_own_is_found(law):
    Z = np.random.default_rng(0).uniform(0.5, 3, (400, 1))
    island = builder(Z, law(Z[:, 0]))(Reduction.whole(1))
    list(island.relate(time.monotonic() + 60))
    assert island.archive.exact
