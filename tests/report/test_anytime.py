import io
import math

import numpy as np
import pandas as pd
import pytest

from srbench_ext.record import FrontPoint
from srbench_ext.report import build_tables, load_published, load_records
from srbench_ext.report.anytime import anytime, equal_times, incumbent_r2
from srbench_ext.report.formats import anytime_to_csv, anytime_to_markdown


def points(*pairs):
    return tuple(FrontPoint(None, 0.1, 3, seconds, r2_test=r2) for seconds, r2 in pairs)


@pytest.fixture
def table(make_record, save_records):
    def build(*records, failures="miss"):
        runs = load_records(save_records(records))
        return build_tables(runs, load_published().iloc[:0], failures=failures)[0]

    return build


def test_the_incumbent_is_the_last_model_that_had_come_by_then():
    curve = "[[1.0,0.5],[2.0,null],[4.0,0.9]]"
    found = incumbent_r2(curve, np.array([0.5, 1.0, 1.9, 2.0, 5.0]))
    assert found.tolist() == [-math.inf, 0.5, 0.5, -math.inf, 0.9]
    assert incumbent_r2(None, np.array([1.0])).tolist() == [-math.inf]
    assert incumbent_r2("[]", np.array([1.0])).tolist() == [-math.inf]


def test_rates_and_medians_are_over_all_runs_at_each_time(make_record, table):
    built = table(
        make_record(curve=points((1.0, 0.999))),
        make_record(problem="p2", curve=points((1.0, 0.2), (3.0, 0.995))),
        make_record(problem="p3", status="timeout", curve=points((1.0, 1.0))),
    )
    found = anytime(built, np.array([0.5, 2.0, 10.0]))
    assert found["rate_r2_gt_0.99"].tolist() == [0, 1 / 3, 2 / 3]
    assert found["median_r2"].tolist() == [-math.inf, 0.2, 0.995]
    assert set(found["runs"]) == {3}


def test_dropped_failures_are_not_in_the_curves(make_record, table):
    built = table(
        make_record(curve=points((1.0, 1.0))), make_record(problem="p2", status="oom"), failures="drop"
    )
    assert anytime(built, np.array([2.0]))["rate_r2_gt_0.99"].tolist() == [1.0]


def test_curves_end_at_the_limit_of_the_protocol(make_record, table):
    built = table(make_record(curve=points((1.0, 1.0))))
    seconds = anytime(built)["seconds"]
    assert seconds.iloc[-1] == pytest.approx(10.0)
    assert seconds.is_monotonic_increasing


@pytest.mark.parametrize(
    ("limit", "times"), [(10.0, [0.1, 0.3, 1, 3, 10]), (60.0, [0.1, 0.3, 1, 3, 10, 30, 60]), (0.05, [0.05])]
)
def test_methods_are_compared_at_round_times_and_at_the_limit(limit, times):
    assert equal_times(limit).tolist() == pytest.approx(times)


def test_the_comparison_at_equal_time_is_written(make_record, table):
    built = table(make_record(curve=points((2.0, 1.0))), make_record(method="beta"))
    text = anytime_to_markdown(built)
    assert "| method | 0.1 s | 0.3 s | 1 s | 3 s | 10 s |" in text
    assert "| alpha | 0.000 | 0.000 | 0.000 | 1.000 | 1.000 |" in text
    assert "| beta | 0.000 | 0.000 | 0.000 | 0.000 | 0.000 |" in text
    frame = pd.read_csv(io.StringIO(anytime_to_csv(built)))
    assert set(frame["method"]) == {"alpha", "beta"}
    assert set(frame["failure_rule"]) == {"miss"}
