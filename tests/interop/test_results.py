"""SRBench's result files to records and back."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest

from srbench_ext.cli import main
from srbench_ext.errors import DataError, RecordError
from srbench_ext.interop import export_results, import_results, records_of
from srbench_ext.interop.export import result_of
from srbench_ext.interop.results import record_of
from srbench_ext.record import Record
from srbench_ext.runner import Store, execute, plan
from srbench_ext.shards import pack

RESULT_2021 = {
    "dataset": "feynman_I_12_1",
    "algorithm": "tuned.OperonRegressor",
    "params": {"max_length": 25, "time_limit": 7200},
    "random_state": 23654,
    "process_time": 31.5,
    "time_time": 8.25,
    "target_noise": 0.001,
    "feature_noise": 0.0,
    "true_model": "q1*r*Ef",
    "model_size": 7,
    "symbolic_model": "0.999 * mu * Nn + 0.001",
    "mse_train": 0.25,
    "mae_train": 0.5,
    "r2_train": 0.99,
    "mse_test": 0.5,
    "mae_test": 0.125,
    "r2_test": 0.98,
}
ASSESSED = {
    "simplified_symbolic_model": "mu*Nn",
    "simplified_complexity": 3,
    "symbolic_error": "0",
    "symbolic_fraction": "1",
    "symbolic_error_is_zero": True,
    "symbolic_error_is_constant": True,
    "symbolic_fraction_is_constant": True,
    "sympy_exception": "",
}


def test_a_result_becomes_a_record():
    record = record_of(RESULT_2021)
    spec = record.spec
    assert (spec.method, spec.suite, spec.problem) == (
        "srbench:tuned.OperonRegressor",
        "feynman",
        "feynman_I_12_1",
    )
    assert (spec.noise, spec.trial, spec.max_seconds) == (0.001, 23654, 32_400.0)
    assert spec.protocol.name == "srbench-2021-imported"
    assert (record.metrics["test"].r2, record.metrics["train"].mse, record.seconds) == (0.98, 0.25, 8.25)
    assert record.metrics["test"].nmse == pytest.approx(0.02)
    assert record.expression.infix == "0.999*mu*Nn + 0.001"
    assert (record.complexity, record.complexity_simplified, record.truth) == (7, None, "q1*r*Ef")
    assert record.recovery.srbench is None
    assert record.notes["srbench"]["params"] == RESULT_2021["params"]


def test_what_srbench_has_assessed_is_its_verdict():
    assert record_of(RESULT_2021 | ASSESSED).recovery.srbench is True
    unsolved = dict.fromkeys([key for key in ASSESSED if "_is_" in key], False)
    assert record_of(RESULT_2021 | ASSESSED | unsolved).recovery.srbench is False


def test_the_edition_is_told_by_its_fields():
    result = {key: value for key, value in RESULT_2021.items() if key != "process_time"}
    spec = record_of(result | {"complexity_function": "x"}).spec
    assert (spec.protocol.name, spec.max_seconds) == ("srbench-2025-imported", 3600.0)


@pytest.mark.parametrize(
    "result", [RESULT_2021, RESULT_2021 | ASSESSED, RESULT_2021 | {"feature_noise": 0.1}]
)
def test_importing_and_exporting_gives_the_result_back(result, tmp_path):
    record = Record.from_json(record_of(result).to_json())
    (path,) = export_results([record], tmp_path).files
    assert json.loads(path.read_text()) == result


def test_a_value_that_is_not_finite_is_unknown_and_a_record_can_be_written():
    text = json.dumps(RESULT_2021 | {"r2_test": float("nan"), "symbolic_error": float("inf")})
    record = record_of(json.loads(text))
    assert record.metrics["test"].r2 is None
    assert json.loads(record.to_json())["notes"]["srbench"]["symbolic_error"] is None


@pytest.mark.parametrize("text", ["not implemented", "", None])
def test_a_result_without_formula_has_none(text):
    record = record_of(RESULT_2021 | {"symbolic_model": text})
    assert record.expression is None
    assert "formula_not_read" not in record.notes


def test_a_formula_that_cannot_be_read_is_kept_as_text_and_named(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(RESULT_2021 | {"symbolic_model": "PLOG(mu"}))
    imported = import_results(tmp_path)
    assert imported.records[0].notes["srbench"]["symbolic_model"] == "PLOG(mu"
    (message,) = imported.formulas_not_read
    assert "a.json" in message


def test_formulas_are_only_read_never_run(tmp_path):
    place = tmp_path / "ran"
    record = record_of(RESULT_2021 | {"symbolic_model": f"open('{place}', 'w')"})
    assert record.expression is None
    assert not place.exists()


def test_files_of_a_folder_are_read_once_and_assessed_ones_before_others(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.json").write_text(json.dumps(RESULT_2021))
    (tmp_path / "one" / "a.json.updated").write_text(json.dumps(RESULT_2021 | ASSESSED))
    (tmp_path / "b.json").write_text(json.dumps(RESULT_2021 | {"random_state": 860}))
    (tmp_path / "copy.json").write_text(json.dumps(RESULT_2021 | {"random_state": 860}))
    (tmp_path / "cut.json").write_text('{"dataset": ')
    (tmp_path / "other.json").write_text('{"x": 1}')
    imported = import_results(tmp_path)
    assert sorted(record.spec.trial for record in imported.records) == [860, 23654]
    assert {record.recovery.srbench for record in imported.records} == {None, True}
    assert [message.split(":")[0].rpartition("/")[2] for message in imported.left_out] == [
        "copy.json", "cut.json", "other.json",
    ]  # fmt: skip


def test_a_folder_without_results_says_so(tmp_path):
    with pytest.raises(DataError, match="holds no"):
        import_results(tmp_path)
    with pytest.raises(DataError, match="holds no records"):
        list(records_of(tmp_path))
    with pytest.raises(RecordError, match="no result of SRBench"):
        record_of([])


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    specs = plan(["linear"], ["strogatz"], "quick", only="strogatz_vdp*")
    execute(specs, out, progress=False)
    return out, specs


def test_our_records_survive_the_way_there_and_back_as_far_as_the_file_goes(run_folder, tmp_path):
    out, specs = run_folder
    exported = export_results(records_of(out), tmp_path / "json")
    assert (len(exported.files), exported.left_out) == (len(specs), [])
    back = {record.spec.problem: record for record in import_results(tmp_path / "json").records}
    for spec in specs:
        ours, theirs = Store(out).load(spec.run_id), back[spec.problem]
        assert theirs.metrics["test"].r2 == ours.metrics["test"].r2
        assert theirs.metrics["train"].mse == ours.metrics["train"].mse
        assert (theirs.expression.prefix, theirs.expression.constants) == (
            ours.expression.prefix, ours.expression.constants,
        )  # fmt: skip
        assert (theirs.seconds, theirs.truth, theirs.spec.suite) == (
            ours.seconds,
            ours.truth,
            ours.spec.suite,
        )
        assert theirs.spec.method == "srbench:linear"


def test_packed_records_are_exported_too(run_folder, tmp_path):
    out, _ = run_folder
    copies = [Store(tmp_path / "run").save(record) for record in records_of(out)]
    pack(tmp_path / "run")
    assert len(export_results(records_of(tmp_path / "run"), tmp_path / "json").files) == len(copies)


def test_runs_that_a_file_cannot_say_are_listed(run_folder, tmp_path):
    out, _ = run_folder
    first = next(records_of(out))
    killed = replace(first, status="timeout")
    variant = replace(first, spec=replace(first.spec, parameters={"n_alphas": 3}))
    exported = export_results([killed, first, variant], tmp_path)
    assert len(exported.files) == 1
    with (tmp_path / "not-exported.csv").open() as file:
        listed = list(csv.DictReader(file))
    assert [(row["run_id"], row["status"]) for row in listed] == [
        (killed.run_id, "timeout"), (variant.run_id, "ok"),
    ]  # fmt: skip
    assert "timeout" in listed[0]["why"]
    assert first.run_id in listed[1]["why"]


def test_the_fields_are_those_of_srbench(run_folder):
    result = result_of(next(records_of(run_folder[0])))
    assert set(result) >= set(RESULT_2021) - {"process_time"}
    assert result["random_state"] == 0
    assert result["model_size"] > 3


def test_the_seed_of_a_protocol_with_listed_splits_is_exported():
    (spec,) = plan(["linear"], ["strogatz"], "srbench-2021", only="strogatz_vdp1", trials=1, noise=[0.0])
    assert result_of(Record(spec, "ok"))["random_state"] == 23654


def test_import_then_report_then_export(tmp_path, capsys, monkeypatch):
    (tmp_path / "a.json").write_text(json.dumps(RESULT_2021 | ASSESSED))

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["srbench-ext", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        return exit_.value.code or 0, capsys.readouterr()

    code, printed = call("import", "--format", "srbench", tmp_path / "a.json", "--into", tmp_path / "in")
    assert code == 0
    assert "1 records" in printed.out
    assert "Kept in the notes of each record: mae_test, mae_train, model_size, params" in printed.out
    code, printed = call("report", tmp_path / "in", "--json")
    (row,) = json.loads(printed.out)["rows"]
    assert (row["method"], row["rate_r2_gt_0.99"], row["rate_symbolic"]) == (
        "srbench:tuned.OperonRegressor",
        0,
        1,
    )
    code, printed = call("export", tmp_path / "in", "--out", tmp_path / "out", "--json")
    assert len(json.loads(printed.out)["files"]) == 1
    code, printed = call("export", tmp_path / "in", "--out", tmp_path / "out", "--format", "srbanch")
    assert code == 2
    assert "Did you mean 'srbench'" in printed.err
