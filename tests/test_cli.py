"""The command line: what it prints, and its exit codes. What the commands do is tested with the library."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from srbench_ext.cli import main

METHOD_TOML = """
name = "first-column"
class = "method:FirstColumn"
summary = "y is the first column"
"""
METHOD_PY = """
import time
from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Method

class FirstColumn(Method):
    name = "first-column"
    version = "1"

    def search(self, X, y, run):
        yield Candidate(Expression(("C",), (float(y.mean()),)))
        yield Candidate(Expression(("x0",)))
        if self.max_seconds > 1000:
            time.sleep(60)
"""
TRAIN_PY = """
def main(out, minutes, examples, resume):
    out.mkdir(parents=True)
    (out / "call.txt").write_text(f"{minutes} {examples} {resume}")
"""


@pytest.fixture(scope="module")
def plugin_folder(tmp_path_factory):
    """Two methods: one to run, one to train."""
    folder = tmp_path_factory.mktemp("plugins")
    for name, module, text in [("first-column", "method.py", METHOD_PY), ("trainable", "train.py", TRAIN_PY)]:
        (folder / name).mkdir()
        (folder / name / "method.toml").write_text(METHOD_TOML.replace("first-column", name))
        (folder / name / module).write_text(text)
    return folder


@pytest.fixture
def plugins(plugin_folder, tmp_path, monkeypatch):
    """The methods, and no table cache."""
    monkeypatch.setenv("SRBENCH_EXT_PLUGINS", str(plugin_folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SRBENCH_EXT_PMLB", raising=False)


@pytest.fixture
def table(tmp_path):
    """Write a CSV file of the given columns."""

    def write(**columns):
        path = tmp_path / "data.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([columns, *zip(*columns.values(), strict=True)])
        return str(path)

    return write


@pytest.fixture
def call(plugins, monkeypatch, capsys):
    """Run the command line here; return exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["srbench-ext", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        captured = capsys.readouterr()
        return exit_.value.code, captured.out, captured.err

    return run


def test_list_names_methods_suites_and_protocols(call):
    code, out, _ = call("list")
    assert code == 0
    for name in ("first-column", "strogatz", "black-box-122", "quick", "srbench-2021"):
        assert name in out


def test_list_as_json(call):
    code, out, _ = call("list", "--json")
    content = json.loads(out)
    assert code == 0
    assert set(content) == {"methods", "suites", "protocols"}
    assert "first-column" in [method["name"] for method in content["methods"]]
    assert {suite["name"]: suite["problems"] for suite in content["suites"]}["feynman"] == 119


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--method", "first-colum"], "Unknown method 'first-colum'. Did you mean 'first-column'"),
        (["--method", "first-column", "--suite", "strogats"], "Did you mean 'strogatz'"),
        (["--method", "first-column", "--protocol", "quik"], "Did you mean 'quick'"),
        (["--method", "first-column", "--set", "random_stat=3"], "Did you mean 'random_state'"),
    ],
)
def test_an_unknown_name_gets_a_suggestion_and_exit_code_2(call, tmp_path, arguments, hint):
    code, out, err = call("run", "--out", tmp_path / "out", *arguments)
    assert code == 2
    assert hint in err
    assert "Traceback" not in err
    assert out == ""


@pytest.mark.parametrize("arguments", [("--noise", "0,much"), ("--only", "nothing-*"), ("--set", "beam")])
def test_bad_input_is_one_message_and_exit_code_2(call, tmp_path, arguments):
    code, _, err = call("run", "--method", "first-column", "--out", tmp_path / "out", *arguments)
    assert code == 2
    assert err.startswith("Error: ")


def test_a_dry_run_prints_the_plan_and_runs_nothing(call, tmp_path):
    code, out, _ = call(
        "run", "--method", "first-column", "--suite", "strogatz", "--only", "strogatz_vdp*",
        "--noise", "0,0.1", "--trials", 3, "--out", tmp_path / "out", "--dry-run",
    )  # fmt: skip
    assert code == 0
    assert len(out.splitlines()) == 2 * 2 * 3 + 1
    assert out.splitlines()[-1].startswith("12 runs")
    assert not (tmp_path / "out").exists()


def test_run_then_report_then_nothing_left_to_run(call, tmp_path):
    out_folder = tmp_path / "out"
    arguments = ("run", "--method", "first-column", "--only", "strogatz_vdp2", "--out", out_folder)
    code, out, _ = call(*arguments)
    assert code == 0
    assert out.startswith("1 runs done (1 ok), 0 stored before")
    code, out, _ = call("report", out_folder, "--json")
    (row,) = json.loads(out)["rows"]
    assert (row["method"], row["suite"], row["n"], row["ok"]) == ("first-column", "strogatz", 1, 1)
    code, out, _ = call("report", out_folder)
    assert "Problems on PMLB's own tables: 0, on regenerated rows: 1." in out
    assert (out_folder / "tables" / "quick-strogatz-noise-0.md").is_file()
    assert call(*arguments)[1].startswith("0 runs done, 1 stored before")


def test_packed_runs_are_reported_and_not_run_again(call, tmp_path):
    out_folder = tmp_path / "out"
    arguments = ("run", "--method", "first-column", "--only", "strogatz_vdp2", "--out", out_folder)
    call(*arguments)
    before = call("report", out_folder, "--json")[1]
    assert call("pack", out_folder)[1].startswith("1 records in 1 files")
    assert [path.name for path in (out_folder / "records").iterdir()] == ["first-column.jsonl.xz"]
    assert call("report", out_folder, "--json")[1] == before
    assert call(*arguments)[1].startswith("0 runs done, 1 stored before")
    assert call("pack", out_folder, "--undo")[1] == "1 records unpacked\n"
    assert call("report", out_folder, "--json")[1] == before


def test_an_unknown_rule_for_failures_is_one_message_and_exit_code_2(call, tmp_path):
    code, _, err = call("report", tmp_path, "--failures", "zero")
    assert code == 2
    assert "must be one of miss, drop, worst-rank" in err


def test_packing_a_folder_without_records_says_so(call, tmp_path):
    code, _, err = call("pack", tmp_path)
    assert code == 1
    assert "holds no records" in err


def test_report_of_a_folder_without_records_says_what_to_do(call, tmp_path):
    code, _, err = call("report", tmp_path)
    assert code == 1
    assert "holds no records" in err


def test_fit_prints_front_formula_and_r2(call, table):
    path = table(speed=[1, 2, 3], beta=[0, 1, 0], y=[1, 2, 3])
    code, out, _ = call("fit", path, "--target", "y", "--method", "first-column", "--max-seconds", 2)
    assert code == 0
    assert "y = speed\n" in out
    assert "R² = 1.000000 on the 3 rows it was fitted to" in out


def test_fit_as_json(call, table):
    path = table(speed=[1, 2, 3], y=[1, 2, 4])
    code, out, _ = call("fit", path, "--target", "y", "--method", "first-column", "--json")
    content = json.loads(out)
    assert code == 0
    assert (content["target"], content["rows"], content["columns_used"]) == ("y", 3, ["speed"])
    assert content["formula"] in [point["formula"] for point in content["front"]]
    assert all(set(point) == {"formula", "r2_train", "complexity", "seconds"} for point in content["front"])


def test_fit_of_a_constant_target_is_that_constant(call, table):
    code, out, _ = call("fit", table(x=[1, 2], y=[5, 5]), "--target", "y", "--method", "first-column")
    assert code == 0
    assert "y = 5" in out


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"mass": [1, "", 3], "y": [1, 2, 3]}, "mass"),
        ({"mass": [1, "inf", 3], "y": [1, 2, 3]}, "mass"),
        ({"mass": [1, "heavy", 3], "y": [1, 2, 3]}, r"\['mass'\] are not numbers"),
        ({"mass": [1, 2, 3], "yy": [1, 2, 3]}, "Unknown column 'y'. Did you mean 'yy'"),
        ({"y": [1, 2, 3]}, "no column but the target"),
    ],
)
def test_fit_refuses_a_bad_table_and_names_what_is_wrong(call, table, columns, message):
    code, _, err = call("fit", table(**columns), "--target", "y", "--method", "first-column")
    assert code == 2
    assert re.search(message, err)
    assert "Traceback" not in err


def test_fit_of_an_empty_file_is_bad_input(call, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    code, _, err = call("fit", tmp_path / "empty.csv", "--target", "y")
    assert code == 2
    assert "cannot be read as CSV" in err


def test_train_calls_the_training_of_the_method(call, tmp_path):
    code, _, _ = call("train", "trainable", "--out", tmp_path / "weights", "--minutes", 1.5, "--resume")
    assert code == 0
    assert (tmp_path / "weights" / "call.txt").read_text() == "1.5 None True"


def test_training_that_takes_no_weights_to_begin_with_says_so(call, tmp_path):
    code, _, err = call("train", "trainable", "--out", tmp_path / "weights", "--start", "some.safetensors")
    assert code == 2
    assert "takes no weights to begin with" in err
    assert not (tmp_path / "weights").exists()


def test_training_a_method_without_weights_lists_those_that_have(call, tmp_path):
    code, _, err = call("train", "first-column", "--out", tmp_path / "weights")
    assert code == 2
    assert "Methods that have: " in err
    assert "trainable" in err


def test_data_where_and_verify_work_without_a_cache(call):
    code, out, _ = call("data", "where", "strogatz")
    assert code == 0
    assert "none yet" in out
    code, out, _ = call("data", "verify", "strogatz")
    assert code == 0
    assert out == "strogatz: 0 ok, 0 altered, 14 absent\n"


def test_data_verify_names_an_altered_table(call, tmp_path):
    path = tmp_path / "pmlb" / "strogatz_vdp1" / "strogatz_vdp1.tsv.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")
    code, out, _ = call("data", "verify", "strogatz", "--pmlb-cache", tmp_path / "pmlb")
    assert code == 1
    assert "strogatz: 0 ok, 1 altered, 13 absent" in out
    assert str(path) in out


def test_data_fetch_of_an_unknown_suite_is_exit_code_2(call):
    code, _, err = call("data", "fetch", "strogats")
    assert code == 2
    assert "Did you mean 'strogatz'" in err


def test_interrupting_a_run_exits_with_130(plugins, tmp_path):
    code = "from srbench_ext.cli import main; main()"
    arguments = ["run", "--method", "first-column", "--only", "strogatz_vdp2", "--max-seconds", "2000"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, "--out", str(tmp_path / "out")],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
    )
    deadline = time.monotonic() + 180
    while not list(tmp_path.glob("out/logs/*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_help_of_every_command_is_printed(call):
    for command in ("list", "run", "report", "fit", "train", "data", "new-method", "check"):
        code, out, _ = call(command, "--help")
        assert code == 0
        assert "Usage: srbench-ext" in out
