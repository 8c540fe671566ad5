import math

import pandas as pd
import pytest

from srbench_ext.errors import ConfigError
from srbench_ext.report import load_records, score
from srbench_ext.report.failures import failure_rule


@pytest.fixture
def scored(make_record, save_records):
    """Alpha solves p1 and fails on p2; beta is poor on p1 and good on p2."""
    records = [
        make_record(r2=1.0, complexity=4, seconds=1.0),
        make_record(problem="p2", status="timeout"),
        make_record(method="beta", r2=0.5, recovered=False, complexity=6, seconds=3.0),
        make_record(method="beta", problem="p2", r2=0.9995, complexity=10, seconds=9.0),
    ]
    runs = load_records(save_records(records))
    return lambda rule: score(runs, rule).set_index("method")


def test_miss_keeps_failures_in_the_denominator(scored):
    row = scored("miss").loc["alpha"]
    assert (row["rate_r2_gt_0.99"], row["mean_r2"], row["median_r2"]) == (0.5, 0.5, -math.inf)
    assert (row["mean_complexity"], row["mean_seconds"]) == (4, 1)


def test_drop_scores_the_survivors_and_still_counts_the_failures(scored):
    row = scored("drop").loc["alpha"]
    assert (row["n"], row["ok"], row["failures"]) == (2, 1, 1)
    assert (row["rate_r2_gt_0.99"], row["rate_symbolic"], row["mean_r2"], row["median_r2"]) == (1, 1, 1, 1)


def test_worst_rank_takes_the_worst_of_the_problem_but_no_hit(scored):
    row = scored("worst-rank").loc["alpha"]
    assert (row["rate_r2_gt_0.99"], row["rate_symbolic"]) == (0.5, 0.5)
    assert row["mean_r2"] == pytest.approx((1 + 0.9995) / 2)
    assert (row["mean_complexity"], row["mean_seconds"]) == ((4 + 10) / 2, (1 + 9) / 2)


@pytest.mark.parametrize("rule", ["miss", "drop", "worst-rank"])
def test_a_method_that_never_failed_scores_alike_under_every_rule(scored, rule):
    pd.testing.assert_series_equal(scored(rule).loc["beta"], scored("miss").loc["beta"])


def test_a_problem_on_which_all_failed_has_no_worst_value(make_record, save_records):
    runs = load_records(save_records([make_record(status="oom"), make_record(method="beta", status="crash")]))
    row = score(runs, "worst-rank").iloc[0]
    assert (row["mean_r2"], row["median_r2"]) == (0, -math.inf)
    assert pd.isna(row["mean_complexity"])
    assert pd.isna(score(runs, "drop").iloc[0]["rate_r2_gt_0.99"])


def test_opaque_models_get_no_complexity_from_others_failures(make_record, save_records):
    records = [make_record(complexity=None), make_record(problem="p2", status="oom")]
    runs = load_records(save_records([*records, make_record(method="beta", problem="p2")]))
    assert pd.isna(score(runs, "worst-rank").set_index("method").loc["alpha", "mean_complexity"])


def test_an_unknown_rule_is_refused():
    with pytest.raises(ConfigError, match=r"one of miss, drop, worst-rank\. Got 'zero'"):
        failure_rule("zero")
