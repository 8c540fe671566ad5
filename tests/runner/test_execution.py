from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from srbench_ext.errors import ConfigError, InputError
from srbench_ext.record import Record
from srbench_ext.runner import Store, execute, plan
from srbench_ext.runner.isolation import ForkServer, Limits, grace_seconds, run_isolated
from srbench_ext.runner.server import Preload
from srbench_ext.runner.worker import Job

from .chaos import PLUGINS, PROTOCOL, RULES, alive, chaos_plan, wait_until

EXPECTED = {
    "ok": "ok",
    "raise": "error",
    "hang": "timeout",
    "memory": "oom",
    "segfault": "crash",
    "killed": "crash",
    "exit": "crash",
    "garbage": "ok",
    "missing": "unsupported",
    "leftover": "ok",
    "daemon": "ok",
    "slow_load": "ok",
    "not_defined_on_test_rows": "ok",
    "writes_input": "ok",
}


@pytest.fixture(scope="module")
def chaos(tmp_path_factory):
    """Every kind of misbehaviour in one execution, two at a time."""
    folder = tmp_path_factory.mktemp("pids")
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRBENCH_EXT_PLUGINS", str(PLUGINS))
        specs = [spec for behaviour in EXPECTED for spec in chaos_plan(behaviour, folder)]
        summary = execute(specs, out, jobs=2, progress=False)
    store = Store(out)
    records = {spec.parameters["behaviour"]: store.load(spec.run_id) for spec in specs}
    return summary, records, folder, out


@pytest.mark.parametrize("behaviour", EXPECTED)
def test_every_misbehaviour_leaves_a_typed_record(chaos, behaviour):
    _, records, _, _ = chaos
    assert records[behaviour].status == EXPECTED[behaviour], records[behaviour].error


def test_the_summary_counts_every_run(chaos):
    summary, _, _, _ = chaos
    assert Counter(summary.counts) == Counter(EXPECTED.values())
    assert (summary.planned, summary.skipped) == (len(EXPECTED), 0)


def test_errors_say_what_happened_and_keep_the_output(chaos):
    _, records, _, _ = chaos
    assert "chaos was asked to raise" in records["raise"].error
    assert "last words" in records["raise"].error
    assert "SIGSEGV" in records["segfault"].error
    assert "SIGKILL" in records["killed"].error
    assert "status 3" in records["exit"].error
    assert "no-such-package" in records["missing"].error


def test_a_hanging_run_and_its_children_are_killed(chaos):
    _, records, folder, _ = chaos
    assert "Killed after 2.5 s in stage 'fit'" in records["hang"].error
    assert wait_until(lambda: not alive(folder))


def test_what_a_good_run_leaves_behind_is_killed(chaos):
    _, records, folder, _ = chaos
    assert {records[behaviour].status for behaviour in ("leftover", "daemon")} == {"ok"}
    assert wait_until(lambda: not alive(folder))


def test_processor_time_of_all_processes_counts(tmp_path):
    spec = chaos_plan("many_processes", tmp_path)[0]
    server = ForkServer()
    try:
        job = Job(spec, None, str(tmp_path / "log"), address_space=False)
        limits = Limits(max_seconds=300.0, memory_bytes=2**30, cpu_seconds=1.0)
        record = run_isolated(server, job, limits, threading.Event())
        assert record.status == "timeout"
        assert "Killed after 1.0 s of processor time in stage 'fit'" in record.error
        assert wait_until(lambda: not alive(tmp_path))
    finally:
        server.close()


def test_output_cannot_forge_messages(chaos):
    _, records, _, _ = chaos
    assert records["garbage"].expression.infix == "x"


def test_loading_does_not_count_on_the_clock(chaos):
    _, records, _, _ = chaos
    record = records["slow_load"]
    assert record.timings["load"] > 3.9
    assert record.seconds < 1.0


def test_a_formula_undefined_on_test_rows_has_no_score_and_says_so(chaos):
    _, records, _, _ = chaos
    record = records["not_defined_on_test_rows"]
    assert record.metrics["train"].r2 is not None
    if record.notes.get("non_finite_test_rows"):
        assert record.metrics["test"].r2 is None
    else:
        assert record.metrics["test"].r2 is not None


def test_a_method_that_writes_into_its_input_spoils_only_its_own_copy(chaos):
    _, records, _, _ = chaos
    assert records["writes_input"].metrics == records["ok"].metrics


def test_logs_of_good_runs_are_removed(chaos):
    _, records, _, out = chaos
    kept = {path.stem for path in (out / "logs").iterdir()}
    assert kept == {r.run_id for r in records.values() if r.status != "ok"} & kept
    assert records["raise"].run_id in kept


def test_records_carry_data_environment_and_truth(chaos):
    _, records, _, _ = chaos
    record = records["ok"]
    assert len(record.data_sha256) == 64
    assert record.environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert record.environment["packages"]["numpy"]
    assert record.truth
    assert record.spec.source_kind == "regenerated"


def test_a_second_execution_runs_nothing(chaos):
    _, records, _, out = chaos
    specs = [record.spec for record in records.values() if record.status != "unsupported"]
    before = {path: path.stat().st_mtime_ns for path in (out / "records").iterdir()}
    summary = execute(specs, out, progress=False)
    assert (summary.done, summary.skipped) == (0, len(specs))
    assert before == {path: path.stat().st_mtime_ns for path in (out / "records").iterdir()}


def test_an_unsupported_run_is_tried_again_because_it_may_be_supported_by_now(chaos):
    _, records, _, out = chaos
    summary = execute([records["missing"].spec], out, progress=False)
    assert summary.counts == {"unsupported": 1}


def test_a_run_whose_table_is_nowhere_is_unsupported_until_the_table_is_there(tmp_path, capsys):
    from srbench_ext.data import load_suite, load_table

    table = load_table(load_suite("strogatz").problems[0], None)
    spec = replace(plan(["linear"], None, PROTOCOL, only="strogatz_bacres1")[0], source_kind="cache")
    cache = tmp_path / "cache"
    for _ in range(2):
        execute([spec], tmp_path / "out", cache=cache, progress=False)
        record = Store(tmp_path / "out").load(spec.run_id)
        assert record.status == "unsupported"
        assert "srbench-ext data fetch strogatz" in record.error
    assert capsys.readouterr().err.count("1 runs will be recorded as unsupported") == 1
    (cache / "strogatz_bacres1").mkdir(parents=True)
    frame = pd.DataFrame(table.X, columns=list(table.feature_names)).assign(target=table.y)
    frame.to_csv(cache / "strogatz_bacres1" / "strogatz_bacres1.tsv.gz", sep="\t", index=False)
    execute([spec], tmp_path / "out", cache=cache, progress=False)
    assert Store(tmp_path / "out").load(spec.run_id).status != "unsupported"


def test_a_corrupt_record_is_named_set_aside_and_run_again(chaos, tmp_path, capsys):
    specs = [chaos[1]["ok"].spec]
    Store(tmp_path).save(chaos[1]["ok"])
    path = Store(tmp_path).path(specs[0].run_id)
    path.write_text(path.read_text()[:100])
    summary = execute(specs, tmp_path, progress=False)
    assert summary.counts == {"ok": 1}
    assert str(path) in capsys.readouterr().err.replace("\n", "")
    assert len(list((tmp_path / "set-aside").iterdir())) == 1
    assert Record.from_json(path.read_text()).status == "ok"


def test_equal_plans_give_equal_records_whatever_runs_beside_them(tmp_path):
    linear = plan(["linear"], None, PROTOCOL, only="strogatz_bacres*", noise=[0.1])
    execute(linear, tmp_path / "alone", progress=False)
    both = plan(["linear", "chaos"], None, PROTOCOL, only="strogatz_bacres*", noise=[0.0, 0.1])
    execute(both, tmp_path / "both", jobs=2, progress=False)
    for spec in linear:
        one, other = (Store(tmp_path / name).load(spec.run_id) for name in ("alone", "both"))
        assert one.expression == other.expression
        assert one.metrics == other.metrics


def test_memory_is_watched_where_the_address_space_is_not_limited(tmp_path):
    spec = chaos_plan("touched_memory")[0]
    server = ForkServer()
    try:
        job = Job(spec, None, str(tmp_path / "log"), address_space=False)
        limits = Limits(max_seconds=30.0, memory_bytes=0.6 * 2**30)
        record = run_isolated(server, job, limits, threading.Event())
    finally:
        server.close()
    assert record.status == "oom"
    assert "GiB are allowed" in record.error


def test_a_server_that_cannot_load_is_an_error_that_names_what(tmp_path):
    server = ForkServer(Preload(modules=("no_such_module_at_all",)))
    try:
        with pytest.raises(ConfigError, match="no_such_module_at_all"):
            server.start_job()
    finally:
        server.close()


def test_jobs_must_be_positive(tmp_path):
    with pytest.raises(InputError, match="at least 1"):
        execute(chaos_plan("ok"), tmp_path, jobs=0)


@pytest.mark.parametrize(("seconds", "grace"), [(0.5, 2.0), (10.0, 2.0), (60.0, 6.0)])
def test_grace_is_a_tenth_and_at_least_two_seconds(seconds, grace):
    assert grace_seconds(seconds) == grace


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from chaos import PROTOCOL, RULES, chaos_plan
from dataclasses import replace
from srbench_ext.runner import execute

if __name__ == "__main__":
    protocol = replace(PROTOCOL, trials=8, rules=replace(RULES, max_seconds=5.0))
    specs = chaos_plan("slow", sys.argv[2], protocol=protocol)
    print(execute(specs, Path(sys.argv[3]), jobs=2, progress=False))
"""


@pytest.fixture
def start_runner(tmp_path):
    """Start a process that does eight runs, two at a time, each of which leaves its process id."""
    (tmp_path / "pids").mkdir()
    (tmp_path / "script.py").write_text(SCRIPT)
    started = []

    def start():
        arguments = [Path(__file__).parent, tmp_path / "pids", tmp_path / "out"]
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "script.py"), *map(str, arguments)],
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def slow_plan(pids):
    protocol = replace(PROTOCOL, trials=8, rules=replace(RULES, max_seconds=5.0))
    return chaos_plan("slow", pids, protocol=protocol)


def stored_in(out):
    return len(list((out / "records").glob("*.json")))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_execution_leaves_no_process_and_is_resumed(tmp_path, start_runner, number):
    pids, out = tmp_path / "pids", tmp_path / "out"
    parent = start_runner()
    assert wait_until(lambda: stored_in(out) >= 2, 180)
    parent.send_signal(number)
    parent.wait(timeout=20)
    assert parent.returncode != 0
    assert wait_until(lambda: not alive(pids), 5)
    stored = stored_in(out)
    assert 2 <= stored < 8
    if number == signal.SIGINT:
        assert not (out / "claims").exists()
        return  # resumed as after a kill
    started = time.monotonic()
    summary = execute(slow_plan(pids), out, jobs=2, progress=False)
    assert summary.skipped == stored
    assert summary.counts == {"ok": 8 - stored}
    assert time.monotonic() - started < 30


def test_two_runners_on_one_folder_do_every_run_once(tmp_path, start_runner):
    runners = [start_runner(), start_runner()]
    said = [runner.communicate(timeout=180)[0] for runner in runners]
    done = [int(text.split()[0]) for text in said]
    assert sum(done) == 8, said
    assert min(done) > 0, said
    assert stored_in(tmp_path / "out") == 8
    assert len(list((tmp_path / "pids").iterdir())) == 8
    assert not (tmp_path / "out" / "claims").exists()


def test_a_runner_takes_over_from_one_that_is_killed(tmp_path, start_runner):
    pids, out = tmp_path / "pids", tmp_path / "out"
    killed, other = start_runner(), start_runner()
    assert wait_until(lambda: len({path.stem for path in pids.iterdir()}) >= 4, 180)
    killed.kill()
    said, _ = other.communicate(timeout=180)
    assert other.returncode == 0
    assert stored_in(out) == 8
    statuses = {Store(out).load(spec.run_id).status for spec in slow_plan(pids)}
    assert statuses == {"ok"}
    assert len(list(pids.iterdir())) <= 8 + 2, "only what the killed one was doing is done again"
    assert not alive(pids)
    assert "by another runner" in said or int(said.split()[0]) == 8
