import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from srbench_ext.report.statistics import (
    bootstrap_mean,
    detectable_difference,
    friedman,
    holm,
    mcnemar,
    wilcoxon,
)


def hits(*counts):
    """Pairs of verdicts: both, only a, only b, neither."""
    pairs = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], counts, axis=0).astype(bool)
    return pairs[:, 0], pairs[:, 1]


def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs():
    assert mcnemar(*hits(5, 6, 0, 3)) == pytest.approx(2 * 0.5**6)
    assert mcnemar(*hits(5, 0, 6, 3)) == pytest.approx(2 * 0.5**6)
    assert mcnemar(*hits(9, 0, 0, 9)) == 1.0
    assert mcnemar(*hits(0, 3, 3, 0)) == 1.0


def test_wilcoxon_leaves_ties_out_and_ranks_infinities_last():
    differences = np.array([0.0, -1.0, 2.0, -3.0, 4.0, 5.0, 6.0])
    assert wilcoxon(differences) == pytest.approx(stats.wilcoxon(differences[1:]).pvalue)
    with_failures = np.array([-1.0, 2.0, 3.0, math.inf, math.inf])
    assert wilcoxon(with_failures) == pytest.approx(wilcoxon(np.array([-1.0, 2.0, 3.0, 9.0, 9.0])))
    assert wilcoxon(np.zeros(5)) == 1.0


def test_holm_multiplies_by_how_many_are_left_and_never_decreases():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.5, math.nan, 0.9])), [1.0, math.nan, 1.0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_a_corrected_p_is_never_smaller_and_keeps_the_order(values):
    raw = np.array(values)
    adjusted = holm(raw)
    assert np.all(adjusted >= raw)
    assert np.all(adjusted <= 1)
    assert np.all(np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0)


def test_an_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(100):
        low, high = bootstrap_mean(list(rng.normal(0.5, 1.0, size=(60, 1))), rng)
        covered += low <= 0.5 <= high
    assert 86 <= covered <= 100


def test_trials_of_one_problem_are_not_independent_evidence():
    rng = np.random.default_rng(2)
    once = bootstrap_mean([np.array([float(i % 2)]) for i in range(20)], rng)
    repeated = bootstrap_mean([np.full(10, float(i % 2)) for i in range(20)], rng)
    assert repeated[1] - repeated[0] == pytest.approx(once[1] - once[0], abs=0.06)


def test_an_interval_of_equal_figures_is_not_a_point():
    rng = np.random.default_rng(0)
    low, high = bootstrap_mean([np.zeros(1)] * 10, rng)
    assert low == 0
    assert high == pytest.approx(stats.binomtest(0, 10).proportion_ci(0.95).high)
    assert bootstrap_mean([np.ones(1)] * 10, rng) == pytest.approx((1 - high, 1.0))
    assert bootstrap_mean([np.zeros(1)] * 10, rng, lowest=-1.0) == pytest.approx((-high, high))


def test_the_same_seed_gives_the_same_interval():
    values = [np.array([0.0, 1.0]), np.array([1.0]), np.array([0.3])]
    one, other = (bootstrap_mean(values, np.random.default_rng(7)) for _ in range(2))
    assert one == other


def test_a_detectable_difference_is_detected_about_as_often_as_it_says():
    n, discordant = 120, 0.3
    difference = detectable_difference(n, discordant)
    rng = np.random.default_rng(3)
    shares = [(discordant + difference) / 2, (discordant - difference) / 2, 1 - discordant]
    found = np.mean([mcnemar(*hits(0, *rng.multinomial(n, shares))) < 0.05 for _ in range(400)])
    assert 0.66 <= found <= 0.86  # the exact test is a little weaker than the approximation


def test_more_problems_show_smaller_differences_and_five_show_none():
    assert detectable_difference(200, 0.2) < detectable_difference(50, 0.2) < 1
    assert detectable_difference(6, 0.0) == 1.0
    assert math.isnan(detectable_difference(5, 0.5))


def test_friedman_ranks_by_loss_and_gives_nemenyis_difference():
    losses = np.array([[1.0, 2.0, math.inf], [0.0, 0.0, 5.0], [1.0, 3.0, 2.0], [1.0, 2.0, 3.0]])
    found = friedman(losses)
    np.testing.assert_allclose(found.mean_ranks, [1.125, 2.125, 2.75])
    assert found.p == pytest.approx(stats.friedmanchisquare(*losses.T).pvalue)
    assert found.critical_difference == pytest.approx(2.343 * math.sqrt(3 * 4 / (6 * 4)), abs=1e-3)  # Demšar


def test_two_methods_are_not_ranked_and_all_ties_are_no_difference():
    assert friedman(np.zeros((9, 2))) is None
    assert friedman(np.zeros((1, 3))) is None
    assert friedman(np.zeros((9, 3))).p == 1.0
