import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srbench_ext.report import load_records, score
from srbench_ext.report.load import COLUMNS
from srbench_ext.report.scores import MEASURES


@pytest.fixture
def scored(make_record, save_records):
    def run(*records):
        return score(load_records(save_records(records))).set_index("method")

    return run


def test_a_failed_run_counts_as_a_miss_in_every_rate(make_record, scored):
    row = scored(
        make_record(r2=0.9999),
        make_record(problem="p2", r2=0.995),
        make_record(problem="p3", status="timeout"),
        make_record(problem="p4", status="crash"),
    ).loc["alpha"]
    assert (row["n"], row["ok"], row["failures"]) == (4, 2, 2)
    assert row["rate_r2_gt_0.99"] == 0.5
    assert row["rate_r2_gt_0.999"] == 0.25
    assert row["rate_symbolic"] == 0.5
    assert row["mean_r2"] == pytest.approx((0.9999 + 0.995) / 4)


def test_the_median_counts_failures_as_minus_infinity(make_record, scored):
    failed = [make_record(problem=f"f{i}", status="oom") for i in range(2)]
    assert scored(make_record(r2=0.5), *failed).loc["alpha", "median_r2"] == -math.inf
    good = [make_record(problem=f"g{i}", r2=0.5 + i / 10) for i in range(3)]
    assert scored(*good, *failed).loc["alpha", "median_r2"] == 0.5


def test_mean_r2_is_clipped_at_zero(make_record, scored):
    assert scored(make_record(r2=-50.0), make_record(problem="p2", r2=1.0)).loc["alpha", "mean_r2"] == 0.5


def test_an_ok_run_without_finite_r2_is_a_miss_but_no_failure(make_record, scored):
    row = scored(make_record(r2=None)).loc["alpha"]
    assert (row["failures"], row["rate_r2_gt_0.99"], row["mean_r2"], row["median_r2"]) == (0, 0, 0, -math.inf)


def test_an_r2_at_the_threshold_does_not_pass(make_record, scored):
    assert scored(make_record(r2=0.99)).loc["alpha", "rate_r2_gt_0.99"] == 0.0


def test_unknown_verdicts_have_a_share_of_their_own(make_record, scored):
    row = scored(
        make_record(recovered=True),
        make_record(problem="p2", recovered=None),
        make_record(problem="p3", recovered=False),
        make_record(problem="p4", status="error"),
    ).loc["alpha"]
    assert (row["rate_symbolic"], row["unknown_share"]) == (0.25, 0.25)


def test_a_suite_without_truths_has_no_recovery_rate(make_record, scored):
    row = scored(make_record(suite="black-box", truth=None, recovered=None)).loc["alpha"]
    assert pd.isna(row["rate_symbolic"])
    assert pd.isna(row["unknown_share"])


def test_a_crash_that_lost_the_truth_still_counts_in_the_recovery_rate(make_record, scored):
    row = scored(make_record(), make_record(problem="p2", status="crash", truth=None)).loc["alpha"]
    assert row["rate_symbolic"] == 0.5


def test_complexity_and_seconds_are_over_ok_runs(make_record, scored):
    row = scored(
        make_record(complexity=4, seconds=1.0),
        make_record(problem="p2", complexity=8, seconds=3.0),
        make_record(problem="p3", status="timeout", seconds=12.0),
    ).loc["alpha"]
    assert (row["mean_complexity"], row["median_complexity"]) == (6.0, 6.0)
    assert (row["mean_seconds"], row["median_seconds"]) == (2.0, 2.0)


def test_an_opaque_model_has_no_complexity(make_record, scored):
    assert pd.isna(scored(make_record(complexity=None)).loc["alpha", "mean_complexity"])


def test_protocols_suites_noises_and_methods_are_never_averaged_together(make_record, save_records):
    records = [
        make_record(),
        make_record(method="beta"),
        make_record(noise=0.1),
        make_record(suite="feynman"),
        make_record(protocol="quick+30s", protocol_hash="beef" * 4),
        make_record(protocol_hash="f00d" * 4),
    ]
    assert score(load_records(save_records(records)))["n"].tolist() == [1] * 6


def test_no_runs_give_an_empty_table_with_all_columns():
    assert set(MEASURES) <= set(score(pd.DataFrame(columns=list(COLUMNS))).columns)


@given(st.lists(st.one_of(st.none(), st.floats(-5, 1)), min_size=1, max_size=12))
def test_a_stricter_threshold_never_passes_more_runs(values):
    runs = pd.DataFrame({name: [None] * len(values) for name in COLUMNS})
    runs = runs.assign(
        method="a", suite="s", noise=0.0, protocol="p", protocol_hash="h", part="", has_truth=False,
        r2_test=values,
        status=["error" if value is None else "ok" for value in values],
    )  # fmt: skip
    row = score(runs).iloc[0]
    assert 0 <= row["rate_r2_gt_0.999"] <= row["rate_r2_gt_0.99"] <= 1
    assert 0 <= row["mean_r2"] <= 1
    assert row["ok"] + row["failures"] == row["n"] == len(values)
