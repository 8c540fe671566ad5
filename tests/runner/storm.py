"""A storm of failures, and kills of the parent: ``python tests/runner/storm.py --runs 500 --kills 20``.

Half of the runs are good; a tenth each hang, die of a signal, eat memory, raise, and write garbage to their
output. Every run has to leave the right status, in at most 1.1 times the time that the runs need. With
``--kills`` the runner is killed at random moments and started again; no record may be lost and no run counted
twice.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from srbench_ext.record import RunSpec
from srbench_ext.registry import PLUGINS_VARIABLE
from srbench_ext.runner import Store, execute
from srbench_ext.runner.isolation import grace_seconds

if __package__:
    from .chaos import PLUGINS, PROTOCOL, RULES, alive, chaos_plan
else:
    from chaos import PLUGINS, PROTOCOL, RULES, alive, chaos_plan

BEHAVIOURS = ["slow"] * 5 + ["hang", "segfault", "memory", "raise", "garbage"]
STATUSES = {
    "slow": "ok",
    "hang": "timeout",
    "segfault": "crash",
    "memory": "oom",
    "raise": "error",
    "garbage": "ok",
}


def storm_plan(n_runs: int, pids: Path) -> list[RunSpec]:
    """Return the runs, the kinds mixed; at least ten."""
    per_kind = max(1, n_runs // len(BEHAVIOURS))
    specs = []
    for behaviour in STATUSES:
        trials = per_kind * BEHAVIOURS.count(behaviour)
        protocol = replace(PROTOCOL, trials=trials, rules=replace(RULES, max_seconds=1.0))
        specs += chaos_plan(behaviour, pids, protocol=protocol)
    random.Random(0).shuffle(specs)
    return specs


def least_seconds(specs: Sequence[RunSpec], jobs: int) -> float:
    """Return the sum of the runs' times over the jobs: the hard limit for what hangs, 0 for most others."""
    limit = 1.0 + grace_seconds(1.0)
    seconds = {"hang": limit, "slow": 0.7}
    return sum(seconds.get(str(spec.parameters["behaviour"]), 0.0) for spec in specs) / jobs


def wrong(specs: Sequence[RunSpec], out: Path) -> list[str]:
    """Return what is not as it has to be."""
    store = Store(out)
    found = []
    for spec in specs:
        behaviour = str(spec.parameters["behaviour"])
        if not store.holds(spec.run_id):
            found.append(f"{behaviour} trial {spec.trial}: no record")
        elif (status := store.load(spec.run_id).status) != STATUSES[behaviour]:
            found.append(f"{behaviour} trial {spec.trial}: {status}")
    extra = len(list((out / "records").glob("*.json"))) - len(specs)
    return [*found, *([f"{extra} records too many"] if extra else [])]


def _storm(n_runs: int, jobs: int, folder: Path) -> None:
    specs = storm_plan(n_runs, folder)
    began = time.monotonic()
    summary = execute(specs, folder / "out", jobs=jobs, progress=False)
    seconds, least = time.monotonic() - began, least_seconds(specs, jobs)
    print(f"{summary}; {seconds / least:.2f} times the {least:.0f} s that the runs need")
    print(Counter(wrong(specs, folder / "out")) or "every status right")


def _kills(n_kills: int, jobs: int, folder: Path) -> None:
    """Kill the runner until it has been killed often enough, then let it end."""
    rng = random.Random(1)
    specs = storm_plan(max(40, 8 * n_kills), folder)
    out, held = folder / "out", Counter[str]()
    for kill in range(n_kills + 1):
        command = [
            sys.executable,
            __file__,
            "--runs",
            str(len(specs)),
            "--jobs",
            str(jobs),
            "--in",
            str(folder),
        ]
        runner = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        if kill < n_kills:
            begun = _records(out)
            end = time.monotonic() + 120
            while _records(out) == begun and time.monotonic() < end and runner.poll() is None:
                time.sleep(0.01)  # a kill before the first new record would only test the start
            time.sleep(rng.uniform(0.0, 2.0))
            runner.send_signal(signal.SIGKILL)
        runner.wait()
        lost = sum(not (out / "records" / f"{run_id}.json").exists() for run_id in held)
        held.update({path.stem: 1 for path in (out / "records").glob("*.json")})
        print(f"kill {kill}: {_records(out)} of {len(specs)} stored, {lost} lost")
    print(wrong(specs, out) or "every run once, every status right")
    time.sleep(2)
    print(f"{len(alive(folder))} processes left")


def _records(out: Path) -> int:
    return len(list((out / "records").glob("*.json")))


def main() -> None:
    """Run the storm, the kills, or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--in", dest="folder", type=Path)
    options = parser.parse_args()
    os.environ[PLUGINS_VARIABLE] = str(PLUGINS)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        if options.kills:
            _kills(options.kills, options.jobs, folder)
        else:
            _storm(options.runs, options.jobs, folder)


if __name__ == "__main__":
    main()
