from __future__ import annotations

import pytest

from srbench_ext.errors import ConfigError, UnknownNameError
from srbench_ext.report import failure_rule, make_report
from srbench_ext.runner import execute
from srbench_ext.runner.ablation import load_ablation, read_ablation

TEXT = """
title = "Small"
suites = ["quick"]
protocol = "quick"
max_seconds = 2.0
trials = 1
noise = [0.0]
[[rows]]
method = "linear"
what = "a line"
[[rows]]
method = "evolve"
what = "no network"
"""


def test_every_row_of_equates_ablation_can_be_planned_and_is_a_run_of_its_own():
    ablation = load_ablation("equate")
    specs = ablation.plan(only="feynman_I_12_5")
    assert len(specs) == len(ablation.rows) * ablation.trials
    assert len({spec.run_id for spec in specs}) == len(specs)
    assert {spec.max_seconds for spec in specs} == {ablation.max_seconds}
    methods = [row.method for row in ablation.rows]
    controls = {"evolve", "equate@random-direction", "equate@foundation-equal-time"}
    assert controls | {"equate", "equate@paper", "equate@beam"} <= set(methods)
    assert len(set(methods)) == len(methods)


def test_the_rows_become_records_of_one_run_that_the_report_compares_in_pairs(tmp_path):
    specs = read_ablation(TEXT, "small").plan(only="strogatz_lv1", max_seconds=1.0)
    execute(specs, tmp_path, jobs=2, progress=False)
    table = make_report(tmp_path, failures=failure_rule("miss")).tables[0]
    assert set(table.measured["method"]) == {"linear", "evolve"}
    pairs = table.comparisons
    assert set(pairs["measure"]) == {"R²>0.99", "recovered", "NMSE"}
    assert {(a, b) for a, b in zip(pairs["a"], pairs["b"], strict=True)} == {("evolve", "linear")}


def test_seconds_and_trials_can_be_given_in_place_of_the_files():
    specs = read_ablation(TEXT, "small").plan(only="strogatz_lv1", max_seconds=3.0, trials=2)
    assert len(specs) == 4
    assert {spec.max_seconds for spec in specs} == {3.0}


WITH_PARAMETERS = TEXT.replace("[[rows]]", "[parameters]\nmax_tokens = 20\n[[rows]]", 1)


def test_parameters_hold_for_every_row():
    specs = read_ablation(WITH_PARAMETERS.replace("linear", "evolve@probes"), "small").plan(
        only="strogatz_lv1"
    )
    assert [spec.parameters["max_tokens"] for spec in specs] == [20, 20]


def test_parameters_of_a_method_hold_for_its_rows_alone():
    text = TEXT.replace("[[rows]]", "[parameters_of.evolve]\nmax_tokens = 20\n[[rows]]", 1)
    specs = read_ablation(text, "small").plan(only="strogatz_lv1")
    assert {spec.method: spec.parameters.get("max_tokens") for spec in specs} == {
        "linear": None,
        "evolve": 20,
    }


def test_first_every_row_of_a_trial_then_the_next_trial():
    specs = read_ablation(TEXT, "small").plan(only="strogatz_*", trials=2)
    assert [spec.trial for spec in specs] == sorted(spec.trial for spec in specs)
    assert [spec.method for spec in specs[:4]] == ["linear", "evolve"] * 2


def test_a_parameter_that_a_row_lacks_is_named():
    with pytest.raises(UnknownNameError, match="max_tokens"):
        read_ablation(WITH_PARAMETERS, "small").plan(only="strogatz_lv1")


def test_a_method_without_an_ablation_is_told_what_to_add():
    with pytest.raises(ConfigError, match=r"'linear' has no ablation: ablation\.toml"):
        load_ablation("linear")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Small"', 'titel = "Small"', "small: .*titel"),
        ('what = "a line"', 'why = "a line"', "why"),
        ("trials = 1", 'trials = "x"', "wrong type"),
        ("trials = 1\n", "trials = 1\nparameters = 3\n", "wrong type"),
        ("trials = 1\n", "trials = 1\nparameters_of = {linear = 3}\n", "wrong type"),
        ("trials = 1\n", "", "lacks the key 'trials'"),
        ('protocol = "quick"', "protocol = ", "not TOML"),
    ],
)
def test_faults_of_the_file_are_named(old, new, message):
    with pytest.raises(ConfigError, match=message):
        read_ablation(TEXT.replace(old, new, 1), "small")


def test_an_unknown_preset_in_a_row_is_named():
    with pytest.raises(UnknownNameError, match="preset"):
        read_ablation(TEXT.replace('"linear"', '"linear@none"'), "small").plan(only="strogatz_lv1")
