from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from importlib.util import find_spec

import psutil
import pytest

from srbench_ext.errors import ConfigError, InputError, MissingExtraError
from srbench_ext.runner import Backend, Store, execute, parse_backend

from .chaos import PROTOCOL, RULES, alive, chaos_plan, wait_until

N_RUNS = 8

needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="distributed is not installed")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")


def test_a_backend_is_local_or_has_an_address():
    assert parse_backend("local") == Backend()
    assert parse_backend("dask@tcp://h:1") == Backend(dask="tcp://h:1")
    assert parse_backend("ray@h:1") == Backend(ray="h:1")
    for text in ("dask", "dask@", "ray", "ray@", "slurm@h:1", ""):
        with pytest.raises(InputError, match="local, dask@ADDRESS or ray@ADDRESS"):
            parse_backend(text)


@pytest.mark.parametrize(
    ("backend", "package"), [(Backend(dask="h:1"), "distributed"), (Backend(ray="h:1"), "ray")]
)
def test_a_backend_whose_package_is_missing_says_which(monkeypatch, tmp_path, backend, package):
    monkeypatch.setattr("srbench_ext.runner.backends.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=package):
        execute(chaos_plan("ok"), tmp_path, progress=False, backend=backend)


@needs_dask
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


@needs_dask
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


@pytest.fixture
def ray_head(tmp_path):
    """A ray cluster of one machine with two CPUs, in processes of its own on the loopback."""
    port = free_port()
    code = "from ray.scripts.scripts import main; main()"
    options = ["--head", "--port", str(port), "--num-cpus", "2", "--include-dashboard", "false", "--block"]
    log = (tmp_path / "ray.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-c", code, "start", *options, "--node-ip-address", "127.0.0.1"],
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        stdout=log,
        stderr=log,
    )
    log.close()
    started = wait_until(lambda: b"Ray runtime started" in (tmp_path / "ray.log").read_bytes(), 120)
    assert started, (tmp_path / "ray.log").read_text()
    yield f"127.0.0.1:{port}", process
    process.terminate()  # and ray ends what it has started
    process.wait(timeout=60)


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


@needs_ray
@pytest.mark.filterwarnings("ignore")  # of ray
def test_ray_does_every_run_once_and_survives_the_death_of_a_worker(ray_head, tmp_path):
    address, head = ray_head
    pids, out = tmp_path / "pids", tmp_path / "out"
    pids.mkdir()
    protocol = replace(PROTOCOL, trials=N_RUNS, rules=replace(RULES, max_seconds=20.0))
    specs = chaos_plan("slow", pids, protocol=protocol)
    killed = []

    def kill_one():
        wait_until(lambda: len(list((out / "records").glob("*.json"))) >= 2, 300)
        ours = psutil.Process(head.pid).children(recursive=True)
        killed.append(next(process for process in ours if process.name() == "ray::run_here"))
        killed[0].kill()

    killer = threading.Thread(target=kill_one)
    killer.start()
    summary = execute(specs, out, progress=False, backend=Backend(ray=address))
    killer.join()
    assert len(killed) == 1
    assert {Store(out).load(spec.run_id).status for spec in specs} == {"ok"}
    assert summary.done + summary.elsewhere == N_RUNS
    assert len(list(pids.iterdir())) <= N_RUNS + 1, "only what the killed worker was doing is done again"
    assert wait_until(lambda: not alive(pids), 20)
