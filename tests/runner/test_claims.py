from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from srbench_ext.runner.claims import Claims

RUN = "0123456789abcdef"


@pytest.fixture
def runner(tmp_path):
    """Make runners that share one folder of claims; their heartbeats and limits are short."""
    made = []

    def make(**options):
        made.append(
            Claims(tmp_path / "claims", **{"heartbeat_seconds": 0.05, "stale_seconds": 0.4, **options})
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


def foreign_claim(claims, run_id=RUN, number=1, **changes):
    """A claim of a process of another machine, without a heartbeat."""
    claims._folder.mkdir(exist_ok=True)
    path = claims._path(run_id, number)
    path.write_text(json.dumps({"machine": "elsewhere", "pid": 1, "started": 0.0, **changes}))
    return path


def acquired_within(claims, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if claims.acquire(RUN):
            return True
        time.sleep(0.02)
    return False


def test_one_runner_at_a_time_holds_a_run(runner):
    one, other = runner(), runner()
    assert one.acquire(RUN)
    assert not other.acquire(RUN)
    assert one.holds(RUN)
    assert not other.holds(RUN)
    one.release(RUN)
    assert other.acquire(RUN)


def test_other_runs_are_free(runner):
    one, other = runner(), runner()
    assert one.acquire(RUN)
    assert other.acquire("f" * 16)


def test_a_claim_with_a_heartbeat_is_never_taken(runner):
    one, other = runner(), runner()
    assert one.acquire(RUN)
    assert not acquired_within(other, 1.2)
    assert one.holds(RUN)


def test_a_claim_without_a_heartbeat_is_taken_over_once_and_its_holder_knows(runner):
    asleep, one, other = runner(heartbeat_seconds=1e3), runner(), runner()
    assert asleep.acquire(RUN)
    assert not one.acquire(RUN)
    assert acquired_within(one, 5)
    assert not other.acquire(RUN)
    assert not asleep.holds(RUN)
    asleep.release(RUN)
    assert one.holds(RUN)


def test_a_claim_of_a_process_that_is_gone_is_taken_at_once(runner):
    claims = runner(stale_seconds=1e3)
    child = subprocess.Popen([sys.executable, "-c", ""])
    started = psutil.Process(child.pid).create_time()
    child.wait()
    foreign_claim(claims, machine=claims._machine, pid=child.pid, started=started)
    assert claims.acquire(RUN)


def test_a_process_number_that_was_given_away_does_not_keep_a_claim(runner):
    claims = runner(stale_seconds=1e3)
    foreign_claim(claims, machine=claims._machine, pid=os.getpid(), started=1.0)
    assert claims.acquire(RUN)


def test_a_claim_of_another_machine_is_judged_by_its_heartbeat_alone(runner):
    claims = runner()
    foreign_claim(claims)
    assert not claims.acquire(RUN)
    assert acquired_within(claims, 5)


def test_a_claim_cut_short_is_judged_by_its_heartbeat(runner):
    claims = runner()
    foreign_claim(claims).write_text("")
    assert not claims.acquire(RUN)
    assert acquired_within(claims, 5)


def test_a_chain_of_dead_claims_is_taken_over_and_removed_as_a_whole(runner, tmp_path):
    claims = runner()
    for number in (1, 2, 3):
        foreign_claim(claims, number=number)
    assert acquired_within(claims, 10)
    assert claims._held[RUN] == 4
    claims.release(RUN)
    assert list((tmp_path / "claims").iterdir()) == []


def test_closing_gives_everything_back(runner, tmp_path):
    claims = runner()
    assert claims.acquire(RUN)
    claims.close()
    assert not (tmp_path / "claims").exists()


def test_sweeping_removes_the_claims_of_dead_processes_on_stored_runs_only(runner):
    one, other = runner(), runner()
    assert one.acquire(RUN)
    dead = foreign_claim(one, run_id="f" * 16, machine=one._machine, pid=os.getpid(), started=1.0)
    far = foreign_claim(one, run_id="e" * 16)
    other.sweep(lambda run_id: False)
    assert dead.exists()
    other.sweep(lambda run_id: True)
    assert not dead.exists()
    assert far.exists()
    assert one.holds(RUN)


RACE = """
import sys, time
from pathlib import Path
from srbench_ext.runner.claims import Claims

claims = Claims(Path(sys.argv[1]) / "claims")
won = open(Path(sys.argv[1]) / f"won-{sys.argv[2]}", "w")
print("ready", flush=True)
sys.stdin.readline()
for number in range(300):
    if claims.acquire(f"{number:016x}"):
        won.write(f"{number}\\n")
won.close()
print("done", flush=True)
sys.stdin.readline()
"""


def test_several_processes_never_win_the_same_run(tmp_path):
    (tmp_path / "claims").mkdir()
    for number in range(0, 300, 2):  # every second run has a claim of a process that is gone
        path = tmp_path / "claims" / f"{number:016x}.1"
        machine = Claims(tmp_path)._machine
        path.write_text(json.dumps({"machine": machine, "pid": os.getpid(), "started": 1.0}))
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path), str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(3)
    ]  # fmt: skip
    try:
        for step in ("ready", "done"):
            for racer in racers:
                assert racer.stdout.readline().strip() == step
            for racer in racers:
                racer.stdin.write("\n")
                racer.stdin.flush()
    finally:
        for racer in racers:
            racer.communicate(timeout=20)
    won = [line for number in range(3) for line in (tmp_path / f"won-{number}").read_text().split()]
    assert sorted(map(int, won)) == list(range(300))
