from __future__ import annotations

from dataclasses import replace

import pytest

from srbench_ext.data import load_suite
from srbench_ext.errors import ConfigError, DataError, InputError, UnknownNameError
from srbench_ext.runner import parse_settings, plan

from .chaos import PROTOCOL


def test_a_plan_is_sorted_and_repeats_nothing():
    specs = plan(["linear", "chaos", "linear"], ["strogatz", "quick", "strogatz"], PROTOCOL)
    keys = [(s.suite, s.problem, s.noise, s.trial, s.method) for s in specs]
    assert keys == sorted(set(keys))
    assert len(specs) == 2 * 40
    assert len({s.run_id for s in specs}) == len(specs)


def test_a_problem_keeps_the_suite_that_defines_it():
    assert {s.suite for s in plan(["linear"], ["quick"], PROTOCOL)} == {"strogatz", "feynman"}


def test_the_protocols_suites_are_the_default():
    assert {s.suite for s in plan(["linear"], None, PROTOCOL)} == {"strogatz"}
    assert len(plan(["linear"])) == 40


def test_noise_and_trials_multiply():
    specs = plan(["linear"], None, PROTOCOL, noise=[0.1, 0.0], trials=3, only="strogatz_vdp1")
    assert [(s.noise, s.trial) for s in specs] == [(n, t) for n in (0.0, 0.1) for t in range(3)]


def test_adding_a_method_changes_no_other_run():
    alone = {s.run_id for s in plan(["linear"], None, PROTOCOL)}
    both = {s.run_id for s in plan(["linear", "chaos"], None, PROTOCOL)}
    assert alone < both


def test_problems_without_a_truth_keep_the_protocols_noise(tmp_path):
    name = load_suite("black-box").problems[0].name
    (tmp_path / name).mkdir()
    (tmp_path / name / f"{name}.tsv.gz").touch()
    specs = plan(["linear"], ["black-box"], PROTOCOL, noise=[0.0, 0.1], only=name, cache=tmp_path)
    assert [(s.noise, s.source_kind) for s in specs] == [(0.0, "cache")]


def test_a_table_that_is_nowhere_says_how_to_get_it():
    with pytest.raises(DataError, match="srbench-ext data fetch black-box"):
        plan(["linear"], ["black-box"], PROTOCOL)


def test_a_suite_is_planned_when_some_of_its_tables_are_nowhere(tmp_path):
    name = load_suite("black-box-122").problems[0].name
    (tmp_path / name).mkdir()
    (tmp_path / name / f"{name}.tsv.gz").touch()
    specs = plan(["linear"], ["black-box-122"], PROTOCOL, cache=tmp_path)
    assert len(specs) == 122
    assert {s.source_kind for s in specs} == {"cache"}


def test_other_seconds_are_another_protocol_and_other_runs():
    one = plan(["linear"], None, PROTOCOL, only="strogatz_vdp1")[0]
    other = plan(["linear"], None, PROTOCOL, only="strogatz_vdp1", max_seconds=7)[0]
    assert other.protocol.name == "tiny+7s"
    assert other.max_seconds == 7.0
    assert other.run_id != one.run_id


def test_parameters_are_checked_and_recorded():
    spec = plan(["linear"], None, PROTOCOL, only="strogatz_vdp1", parameters={"n_alphas": 3})[0]
    assert spec.parameters == {"n_alphas": 3}
    with pytest.raises(UnknownNameError, match="Did you mean 'n_alphas'"):
        plan(["linear"], None, PROTOCOL, parameters={"n_alpha": 3})


@pytest.mark.parametrize("key", ["max_seconds", "random_state"])
def test_what_the_protocol_determines_cannot_be_set(key):
    with pytest.raises(ConfigError, match="--max-seconds or --trials"):
        plan(["linear"], None, PROTOCOL, parameters={key: 3})


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"methods": ["linaer"]}, UnknownNameError),
        ({"suites": ["strogats"]}, UnknownNameError),
        ({"protocol": "quik"}, UnknownNameError),
        ({"only": "nothing*"}, InputError),
        ({"methods": []}, InputError),
        ({"trials": 0}, InputError),
        ({"noise": []}, InputError),
    ],
)
def test_what_cannot_be_planned_is_refused(arguments, error):
    with pytest.raises(error):
        plan(**{"methods": ["linear"], "suites": None, "protocol": PROTOCOL, **arguments})


def test_split_seeds_bound_the_trials():
    protocol = replace(PROTOCOL, rules=replace(PROTOCOL.rules, split_seeds=(1, 2)))
    assert len(plan(["linear"], None, protocol, trials=2, only="strogatz_vdp1")) == 2
    with pytest.raises(InputError, match="split seeds for 2 trials"):
        plan(["linear"], None, protocol, trials=3)


@pytest.mark.parametrize("setting", ["beam", "=3", "a b=3"])
def test_settings_must_have_a_key_and_a_value(setting):
    with pytest.raises(ConfigError, match="key=value"):
        parse_settings([setting])


def test_settings_are_toml_or_plain_words():
    assert parse_settings(["a=1", "b=0.5", "c=true", "d=word", 'e="1"', "f=[1, 2]"]) == {
        "a": 1,
        "b": 0.5,
        "c": True,
        "d": "word",
        "e": "1",
        "f": [1, 2],
    }
