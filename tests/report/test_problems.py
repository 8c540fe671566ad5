import math

import pandas as pd
import pytest

from srbench_ext.record import Accuracy, FormulaText, Metrics
from srbench_ext.report import build_tables, load_published, load_records
from srbench_ext.report.problems import ACCURACY_COLUMNS, PROBLEM_COLUMNS, problem_rows


@pytest.fixture
def rows(make_record, save_records):
    def build(*records):
        (table,) = build_tables(load_records(save_records(records)), load_published().iloc[:0])
        return problem_rows(table)

    return build


def test_one_row_a_method_and_problem_over_its_trials(make_record, rows):
    found = rows(
        make_record(expression=FormulaText("x0*x1", "mul x0 x1"), complexity=3),
        make_record(trial=1, r2=0.5, recovered=None, complexity=5),
        make_record(trial=2, status="timeout"),
        make_record(method="beta"),
    )
    assert tuple(found.columns) == PROBLEM_COLUMNS
    assert found["method"].tolist() == ["alpha", "beta"]
    row = found.iloc[0]
    assert (row["trials"], row["ok"], row["statuses"]) == (3, 2, "2 ok, 1 timeout")
    assert row[["rate_r2_gt_0.99", "rate_symbolic", "unknown_share"]].tolist() == [1 / 3] * 3
    assert (row["median_r2"], row["median_complexity"]) == (0.5, 4)
    assert (row["formula"], row["truth"]) == ("x0*x1", "x0*x1")


def test_a_failure_in_the_middle_counts_as_the_worst(make_record, rows):
    good = make_record(metrics={"test": Metrics(1.0, 0.0, 0.0)})
    row = rows(good, make_record(trial=1, status="oom")).iloc[0]
    assert (row["median_r2"], row["median_nmse"]) == (-math.inf, math.inf)


def test_a_problem_without_truth_has_no_recovery(make_record, rows):
    row = rows(make_record(suite="black-box", truth=None, recovered=None)).iloc[0]
    assert pd.isna(row["rate_symbolic"])
    assert pd.isna(row["unknown_share"])
    assert row["truth"] is None


def test_accuracies_follow_where_a_run_knows_them_with_failures_as_misses(make_record, rows):
    found = rows(
        make_record(accuracy=Accuracy(1.0, 0.949)),
        make_record(trial=1, accuracy=Accuracy(0.95, 0.96)),
        make_record(trial=2, status="crash"),
        make_record(method="older"),
    )
    assert tuple(found.columns) == (*PROBLEM_COLUMNS, *ACCURACY_COLUMNS)
    assert found.loc[0, ["rate_a_iid", "rate_a_ood"]].tolist() == [2 / 3, 1 / 3]
    assert found.loc[1, ["rate_a_iid", "rate_a_ood"]].isna().all()
