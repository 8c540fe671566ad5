"""What a run costs beside its fit: ``python -m srbench_ext.runner.perf`` prints a table.

Measured with a method that does nothing, each run in a process of its own as always, one at a time. Seconds
on the clock depend on what else the machine does; processor time does so less.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from srbench_ext.registry import PLUGINS_VARIABLE
from srbench_ext.runner.execution import execute
from srbench_ext.runner.planning import plan
from srbench_ext.runner.protocol import load_protocol
from srbench_ext.runner.store import Store

__all__ = ["Overhead", "Planning", "main", "measure_overhead", "measure_planning", "table"]

_TOML = 'name = "nothing"\nclass = "method:Nothing"\nsummary = "does nothing"\n'
_METHOD = '''\
"""A method that does nothing."""

from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Method


class Nothing(Method):
    """Yields the mean of the targets."""

    name = "nothing"
    version = "1"

    def search(self, X, y, run):
        yield Candidate(Expression(("C",), (float(y.mean()),)))
'''
_NAME = "nothing"
_WARM = 5
_SUITES = ("feynman", "strogatz")
_NOISE = tuple(level / 1000 for level in range(50))


@dataclass(frozen=True, slots=True)
class Overhead:
    """Milliseconds of a run of a method that does nothing: median on the clock, mean of processor time."""

    runs: int
    median_ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Planning:
    """Seconds of processor time to plan runs, and to find that none is stored; most memory in MiB."""

    runs: int
    plan_seconds: float
    resume_seconds: float
    memory_mib: float


def measure_overhead(n_runs: int = 100) -> Overhead:
    """Do runs of nothing on one problem, one at a time; the first few only warm up."""
    protocol = replace(load_protocol("quick"), trials=_WARM + n_runs)
    ends: list[float] = []
    with _a_method_that_does_nothing() as folder:
        specs = plan([_NAME], ["strogatz"], protocol, only="strogatz_vdp1")
        before = _cpu_seconds()
        execute(specs, folder / "all", progress=False, on_record=lambda _: ends.append(time.perf_counter()))
        between = _cpu_seconds()
        execute(specs[:_WARM], folder / "few", progress=False)
        start = _cpu_seconds() - between  # of the server and a few runs, to be taken off
    seconds = [b - a for a, b in zip(ends[_WARM - 1 :], ends[_WARM:], strict=False)]
    cpu = (between - before - start) / n_runs
    return Overhead(n_runs, 1000 * statistics.median(seconds), 1000 * cpu)


def measure_planning(n_runs: int = 1_000_000) -> Planning:
    """Plan runs of a synthetic protocol and look for their records in an empty folder."""
    protocol = load_protocol("quick")
    with _a_method_that_does_nothing() as folder:
        n_trials = max(1, round(n_runs / len(plan([_NAME], _SUITES, protocol, noise=_NOISE))))
        started = time.process_time()
        specs = plan([_NAME], _SUITES, protocol, noise=_NOISE, trials=n_trials)
        planned = time.process_time()
        Store(folder).missing(specs)
        resumed = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return Planning(len(specs), planned - started, resumed - planned, memory)


@contextlib.contextmanager
def _a_method_that_does_nothing() -> Iterator[Path]:
    """Register it as a plugin while the block runs; yields a folder for results."""
    before = os.environ.get(PLUGINS_VARIABLE, "")
    with tempfile.TemporaryDirectory(prefix="srbench-ext-perf-") as folder:
        place = Path(folder) / "plugins" / _NAME
        place.mkdir(parents=True)
        (place / "method.toml").write_text(_TOML, encoding="utf-8")
        (place / "method.py").write_text(_METHOD, encoding="utf-8")
        os.environ[PLUGINS_VARIABLE] = os.pathsep.join(filter(None, [before, str(place.parent)]))
        try:
            yield Path(folder)
        finally:
            os.environ[PLUGINS_VARIABLE] = before


def _cpu_seconds() -> float:
    """Processor time of this process and of the children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def table(overhead: Overhead, planning: Planning) -> str:
    """Return the figures as a Markdown table."""
    rows = [
        ("a run beside its fit, median on the clock", f"{overhead.median_ms:.1f} ms", "30 ms"),
        ("the same, mean processor time of all processes", f"{overhead.cpu_ms:.1f} ms", ""),
        (f"planning {planning.runs:,} runs", f"{planning.plan_seconds:.1f} s", "20 s"),
        ("resuming them, none stored", f"{planning.resume_seconds:.1f} s", "with planning"),
        ("most memory of both", f"{planning.memory_mib:,.0f} MiB", "1,024 MiB"),
    ]
    lines = [
        "| what | measured | at most |",
        "|---|---|---|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m srbench_ext.runner.perf", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="runs of a method that does nothing")
    parser.add_argument("--plan", type=int, default=1_000_000, help="runs to plan")
    options = parser.parse_args(arguments)
    print(table(measure_overhead(options.runs), measure_planning(options.plan)), end="")


if __name__ == "__main__":
    main()
