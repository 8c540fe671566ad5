from __future__ import annotations

import json
import sys

import pytest

from srbench_ext.cli import main
from srbench_ext.errors import ConfigError, UnknownNameError
from srbench_ext.runner.planning import plan
from srbench_ext.runner.sweep import parse_values, plan_sweep

ONE = {"only": "strogatz_lv1"}


def test_a_parameter_of_the_method_is_swept_with_everything_else_equal():
    specs = plan_sweep("linear", "n_alphas", [2, 3], **ONE, parameters={"max_alpha": 4.0})
    assert [spec.parameters["n_alphas"] for spec in specs] == [2, 3]
    assert {spec.parameters["max_alpha"] for spec in specs} == {4.0}
    assert len({spec.protocol.hash for spec in specs}) == 1


def test_a_presets_other_settings_stay():
    specs = plan_sweep("nesymres@paper", "beam_size", [1, 2], **ONE)
    assert [spec.parameters["beam_size"] for spec in specs] == [1, 2]
    assert {spec.parameters["max_rounds"] for spec in specs} == {1}


def test_the_run_of_a_swept_value_is_that_of_the_same_setting_given_alone():
    specs = plan_sweep("linear", "n_alphas", [2, 3], **ONE)
    alone = plan(["linear"], only="strogatz_lv1", parameters={"n_alphas": 3})
    assert specs[1].run_id == alone[0].run_id


def test_seconds_rows_and_noise_are_swept_by_the_protocol():
    seconds = plan_sweep("linear", "seconds", [1, 2.5], **ONE)
    assert [spec.max_seconds for spec in seconds] == [1.0, 2.5]
    rows = plan_sweep("linear", "rows", [50, 100], **ONE, max_seconds=3)
    assert [spec.n_rows for spec in rows] == [50, 100]
    assert [spec.protocol.name for spec in rows] == ["quick+3s+50rows", "quick+3s+100rows"]
    assert len({spec.protocol.hash for spec in rows}) == 2
    noise = plan_sweep("linear", "noise", [0, 0.1], **ONE)
    assert [spec.noise for spec in noise] == [0.0, 0.1]


@pytest.mark.parametrize(
    ("parameter", "values", "more", "message"),
    [
        ("n_alphas", [1, 2], {"parameters": {"n_alphas": 3}}, "'n_alphas' is swept"),
        ("seconds", [1, 2], {"max_seconds": 3}, "'seconds' is swept"),
        ("seconds", [1, "two"], {}, "must be numbers. Got 'two'"),
        ("seconds", [1, True], {}, "must be numbers. Got True"),
        ("seconds", [1, -2], {}, "positive number"),
        ("rows", [1.5, 2], {}, "an integer from 2 on. Got 1.5"),
        ("random_state", [1, 2], {}, "cannot be set"),
    ],
)
def test_what_cannot_be_swept_is_refused(parameter, values, more, message):
    with pytest.raises(ConfigError, match=message):
        plan_sweep("linear", parameter, values, **ONE, **more)


def test_an_unknown_parameter_is_named():
    with pytest.raises(UnknownNameError, match="n_alpha"):
        plan_sweep("linear", "n_alpha", [1, 2], **ONE)


def test_values_are_read_each_once_and_two_at_least():
    assert parse_values("1, 2,2.5,mode,1") == [1, 2, 2.5, "mode"]
    for text in ("", "1", "1,1"):
        with pytest.raises(ConfigError, match="two values or more"):
            parse_values(text)


def test_one_command_runs_a_sweep_and_writes_table_and_figure(tmp_path, monkeypatch, capsys):
    arguments = ["sweep", "linear", "--parameter", "n_alphas", "--values", "2,3", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["srbench-ext", *arguments, "--only", "strogatz_lv1", "--json"])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["done"] == 2
    assert [row["value"] for row in printed["rows"]] == [2, 3]
    records = [json.loads(path.read_text()) for path in (tmp_path / "records").glob("*.json")]
    assert all(0.0 <= record["accuracy"]["ood"] <= 1.0 for record in records)
    for name in ("tables/sweep-n_alphas.csv", "tables/sweep-n_alphas.md", "figures/sweep-n_alphas.svg"):
        assert (tmp_path / name).stat().st_size > 0
