import time

import numpy as np
import pytest

from srbench_ext.search import expression_of, library_of, stepwise_sums, sums_of


def error(tokens, Z, t):
    return float(np.mean((expression_of(tokens).evaluate(Z) - t) ** 2) / np.var(t))


def noisy_sum(seed, n=300):
    draw = np.random.default_rng(seed)
    Z = draw.normal(size=(n, 5))
    law = 3.0 * Z[:, 0] * Z[:, 1] + 2.0 * Z[:, 2] ** 2 - 1.5 * Z[:, 3] + 4.0
    return Z, law, law + 0.2 * draw.normal(size=n)


@pytest.mark.parametrize("seed", range(3))
def test_the_terms_of_a_noisy_sum_are_found_and_hardly_any_other(seed):
    Z, law, t = noisy_sum(seed)
    found = stepwise_sums(Z, t)
    assert 3 <= len(found) <= 4
    three = found[2]
    assert {token for token in three if isinstance(token, str) and token.startswith("x")} == {
        "x0",
        "x1",
        "x2",
        "x3",
    }
    assert error(three, Z, law) < 0.001


def test_each_sum_has_one_term_more_and_fits_better():
    Z, _, t = noisy_sum(1)
    found = stepwise_sums(Z, t)
    errors = [error(tokens, Z, t) for tokens in found]
    assert errors == sorted(errors, reverse=True)
    assert [len(tokens) for tokens in found] == sorted({len(tokens) for tokens in found})


@pytest.mark.parametrize("seed", range(5))
def test_chance_is_hardly_ever_explained(seed):
    draw = np.random.default_rng(seed)
    assert len(stepwise_sums(draw.normal(size=(200, 6)), draw.normal(size=200))) <= 1


@pytest.mark.parametrize(("smallest", "used"), [(1.0, True), (1e-3, False)])
def test_a_feature_that_one_row_decides_is_not_used(smallest, used):
    Z = np.random.default_rng(0).uniform(1, 2, (100, 1))
    Z[0, 0] = smallest  # where that is tiny, 1 / x0 is one row and nothing else
    t = 1.0 / Z[:, 0] + 1e-4 * np.sin(40.0 * Z[:, 0])
    first = stepwise_sums(Z, t)[:1]
    assert any("inv" in tokens and error(tokens, Z, t) < 1e-4 for tokens in first) is used


def test_a_sum_has_at_most_so_many_terms():
    draw = np.random.default_rng(0)
    Z = draw.uniform(1, 3, (200, 3))
    t = np.exp(np.sin(3 * Z).sum(axis=1))
    assert len(stepwise_sums(Z, t, most=4)) <= 4
    assert len(stepwise_sums(Z[:25], t[:25])) <= 5


@pytest.mark.parametrize("n", [5, 19])
def test_few_rows_give_nothing(n):
    draw = np.random.default_rng(0)
    Z = draw.normal(size=(n, 2))
    assert stepwise_sums(Z, Z[:, 0]) == []


def test_a_constant_target_and_columns_that_do_not_vary_give_nothing():
    draw = np.random.default_rng(0)
    Z = draw.normal(size=(50, 2))
    assert stepwise_sums(Z, np.ones(50)) == []
    assert stepwise_sums(np.ones((50, 2)), Z[:, 0]) == []


def test_no_term_is_chosen_after_the_deadline():
    Z, _, t = noisy_sum(0)
    assert stepwise_sums(Z, t, deadline=time.monotonic() - 1) == []


def test_a_sum_that_explains_enough_gets_no_further_term():
    Z, law, _ = noisy_sum(0)
    columns = [(("mul", "x0", "x1"), Z[:, 0] * Z[:, 1]), (("pow2", "x2"), Z[:, 2] ** 2), (("x3",), Z[:, 3])]
    library = library_of(columns, len(Z), most=10)
    assert len(sums_of(library, law)) == 3
    (first, *more) = sums_of(library, law, enough=0.9)
    assert not more
    assert error(first, Z, law) < 0.9
