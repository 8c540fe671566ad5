from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from srbench_ext.errors import ConfigError, InputError
from srbench_ext.runner import Backend, Store, execute, parse_backend

from .chaos import PROTOCOL, RULES, alive, chaos_plan, wait_until

pytest.importorskip("distributed")

N_RUNS = 8


def test_a_backend_is_local_or_dask_at_an_address():
    assert parse_backend("local") == Backend()
    assert parse_backend("dask@tcp://h:1") == Backend(dask="tcp://h:1")
    for text in ("dask", "dask@", "ray", ""):
        with pytest.raises(InputError, match="local or dask@ADDRESS"):
            parse_backend(text)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("srbench_ext.runner.backends._CONNECT_SECONDS", 0.2)
    with pytest.raises(ConfigError, match="No dask scheduler answers at tcp"):
        execute(chaos_plan("ok"), tmp_path, progress=False, backend=Backend(dask="tcp://127.0.0.1:9"))


@pytest.fixture
def cluster(tmp_path):
    """A dask scheduler and two workers of one thread each, all processes of their own on the loopback."""
    file = tmp_path / "scheduler.json"
    started = []

    def start(kind, *arguments):
        code = f"from distributed.cli.{kind} import main; main()"
        common = ["--scheduler-file", str(file), "--no-dashboard"]
        environment = os.environ | {"PYTHONWARNINGS": "ignore"}
        log = (tmp_path / f"{kind}-{len(started)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-c", code, *common, *arguments], env=environment, stdout=log, stderr=log
        )
        log.close()
        started.append(process)
        return process

    start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
    assert wait_until(file.exists, 300)
    workers = [start("dask_worker", "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1") for _ in range(2)]
    from distributed import Client

    with Client(scheduler_file=str(file), set_as_default=False, timeout=300) as client:
        client.wait_for_workers(2, timeout=300)
        address = client.scheduler.address
    yield address, workers
    for process in reversed(started):
        process.kill()
        process.wait()


@pytest.mark.filterwarnings("ignore")  # of dask and its event loop
def test_a_worker_that_is_killed_loses_no_run_and_repeats_none_that_was_done(cluster, tmp_path):
    address, workers = cluster
    pids, out = tmp_path / "pids", tmp_path / "out"
    pids.mkdir()
    protocol = replace(PROTOCOL, trials=N_RUNS, rules=replace(RULES, max_seconds=20.0))
    specs = chaos_plan("slow", pids, protocol=protocol)

    def kill_one():
        wait_until(lambda: len(list((out / "records").glob("*.json"))) >= 2, 300)
        workers[0].kill()

    killer = threading.Thread(target=kill_one)
    killer.start()
    summary = execute(specs, out, progress=False, backend=Backend(dask=address))
    killer.join()
    assert workers[0].wait(timeout=20) != 0
    assert {Store(out).load(spec.run_id).status for spec in specs} == {"ok"}
    assert summary.done + summary.elsewhere == N_RUNS
    assert len(list(pids.iterdir())) <= N_RUNS + 1, "only what the killed worker was doing is done again"
    assert wait_until(lambda: not alive(pids), 10)
    assert not list((out / "claims").glob("*")) if (out / "claims").exists() else True
