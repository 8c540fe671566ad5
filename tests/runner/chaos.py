from __future__ import annotations

import time
from pathlib import Path

import psutil

from srbench_ext.runner import Protocol, RunRules, plan

PLUGINS = Path(__file__).parents[1] / "plugins"

RULES = RunRules(max_seconds=0.5, n_rows=50, max_test_rows=50, memory_gb=0.5)
PROTOCOL = Protocol("tiny", "Tiny", "for tests", "", ("strogatz",), (0.0,), (0.0,), 1, RULES)


def chaos_plan(behaviour, folder="", only="strogatz_bacres1", protocol=PROTOCOL, **options):
    parameters = {"behaviour": behaviour, "folder": str(folder)}
    return plan(["chaos"], None, protocol, only=only, parameters=parameters, **options)


def alive(folder):
    """Process ids left in a folder of processes that still run."""
    found = []
    for path in Path(folder).glob("*.pid"):
        pid = int(path.stem)
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            found.append(pid)
    return found


def wait_until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
