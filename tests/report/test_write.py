import json
import subprocess
import sys

import pytest

from srbench_ext.report import make_report, write_report
from srbench_ext.report.figures import pareto_figure
from srbench_ext.report.write import JSON_COLUMNS


def test_json_rows_have_exactly_the_keys_of_the_contract(make_record, save_records):
    folder = save_records([make_record(), make_record(suite="black-box", truth=None, recovered=None)])
    content = json.loads(json.dumps(make_report(folder).as_json(), allow_nan=False))
    assert [tuple(row) for row in content["rows"]] == [JSON_COLUMNS] * 2
    black_box, strogatz = content["rows"]
    assert black_box["rate_symbolic"] is None
    assert (strogatz["n"], strogatz["ok"], strogatz["rate_symbolic"]) == (1, 1, 1.0)


def test_json_has_the_paired_comparisons(make_record, save_records):
    records = [make_record(), make_record(method="beta", r2=0.5)]
    content = json.loads(json.dumps(make_report(save_records(records)).as_json(), allow_nan=False))
    assert [row["measure"] for row in content["comparisons"]] == ["R²>0.99", "recovered", "NMSE"]
    assert (content["comparisons"][0]["a"], content["comparisons"][0]["wins"]) == ("alpha", 1)


def test_what_is_not_finite_is_null_in_json(make_record, save_records):
    (row,) = make_report(save_records([make_record(status="timeout")])).as_json()["rows"]
    assert (row["median_r2"], row["mean_complexity"], row["mean_r2"]) == (None, None, 0.0)


def test_a_report_writes_tables_and_figures_twice_to_the_same_bytes(make_record, save_records):
    records = [
        make_record(method=method, problem=problem, r2=r2, seconds=50.0)
        for method, r2 in (("alpha", 1.0), ("beta", 0.5), ("gamma", 0.2))
        for problem in ("p1", "p2")
    ]
    folder = save_records(records)
    first = {path: path.read_bytes() for path in write_report(make_report(folder), folder)}
    assert sorted(path.name for path in first) == [
        "problems.csv",
        "quick-strogatz-noise-0-anytime.csv",
        "quick-strogatz-noise-0-anytime.md",
        "quick-strogatz-noise-0-anytime.png",
        "quick-strogatz-noise-0-anytime.svg",
        "quick-strogatz-noise-0-anytime.tex",
        "quick-strogatz-noise-0-pairs.csv",
        "quick-strogatz-noise-0-pairs.md",
        "quick-strogatz-noise-0-pairs.tex",
        "quick-strogatz-noise-0-pareto.png",
        "quick-strogatz-noise-0-pareto.svg",
        "quick-strogatz-noise-0-ranks.png",
        "quick-strogatz-noise-0-ranks.svg",
        "quick-strogatz-noise-0.csv",
        "quick-strogatz-noise-0.md",
        "quick-strogatz-noise-0.tex",
    ]
    assert {path: path.read_bytes() for path in write_report(make_report(folder), folder)} == first


def test_unreadable_records_are_named_and_in_no_table(make_record, save_records):
    folder = save_records([make_record()])
    (folder / "records" / "half.json").write_text("{")
    report = make_report(folder)
    assert [row["n"] for row in report.as_json()["rows"]] == [1]
    assert "half.json" in report.unreadable[0]


def test_the_plot_marks_published_points_and_draws_only_what_is_known(make_record, save_records):
    folder = save_records([make_record(), make_record(method="opaque", complexity=None)])
    complexity, seconds = pareto_figure(make_report(folder).tables[0]).axes
    names = [text for _, text in zip(*complexity.get_legend_handles_labels(), strict=True)]
    assert "alpha" in names
    assert "opaque" not in names
    assert "TPSR (lambda=0.1) (published)" in names
    assert "opaque" in seconds.get_legend_handles_labels()[1]


@pytest.mark.parametrize("status", ["ok", "timeout"])
def test_a_plot_is_drawn_whatever_became_of_the_runs(make_record, save_records, status):
    folder = save_records([make_record(status=status, suite="no-such-suite", seconds=None)])
    assert pareto_figure(make_report(folder).tables[0]).axes


def test_reporting_imports_neither_the_runner_nor_torch():
    code = (
        "import sys, srbench_ext.report.figures, srbench_ext.report.page, srbench_ext.report.papers; "
        "print([m for m in sys.modules if m == 'torch' or m.startswith('srbench_ext.runner')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
