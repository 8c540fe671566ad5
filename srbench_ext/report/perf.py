"""How long a report reads: ``python -m srbench_ext.report.perf`` writes records and times loading them.

Each record is a file of its own, as a run leaves it, with a front and a curve of ten points. The first report
reads all of them and builds the index; every later one reads the index. Files are in the system's cache, as
they were just written. Seconds on the clock depend on what else the machine does; processor time less so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from srbench_ext.expression import parse_infix
from srbench_ext.record import (
    FormulaText,
    FrontPoint,
    Metrics,
    ProtocolStamp,
    Record,
    RecoveryVerdicts,
    RunSpec,
)
from srbench_ext.report.load import load_records

__all__ = ["Loading", "main", "measure_loading", "synthetic_records", "table"]

_PROBLEMS = 133
_POINTS = 10
_NAMES = ("x", "y")


@dataclass(frozen=True, slots=True)
class Loading:
    """Seconds to load records, on the clock and of processor time: without an index, and from it."""

    records: int
    kilobytes: float
    first_seconds: float
    first_cpu: float
    again_seconds: float
    again_cpu: float


def synthetic_records(count: int) -> Iterator[Record]:
    """Yield records of runs that never took place, of two methods on :data:`_PROBLEMS` problems."""
    formula = FormulaText.of(parse_infix("sin(2.125*x)/(y + 0.3333333) - exp(-x*y)*1.0625", names=_NAMES))
    points = tuple(
        FrontPoint(formula, 0.5**i, 3 + 2 * i, 0.25 * (i + 1), "search", 1 - 0.5**i) for i in range(_POINTS)
    )
    spec = RunSpec(
        method="alpha",
        method_version="1",
        parameters={},
        weights_sha256=None,
        suite="synthetic",
        problem="p0",
        source_kind="regenerated",
        noise=0.0,
        trial=0,
        max_seconds=10.0,
        n_rows=2000,
        protocol=ProtocolStamp("synthetic", "cafe" * 4, {"max_seconds": 10.0, "n_rows": 2000}),
    )
    record = Record(
        spec,
        status="ok",
        expression=formula,
        truth="x*y",
        metrics={"test": Metrics(0.9990234375, 0.0009765625, 0.125), "train": Metrics(0.9, 0.1, 0.5)},
        recovery=RecoveryVerdicts(srbench=False, symbolic=False, numeric=False),
        complexity=19,
        complexity_simplified=21,
        front=points,
        curve=points,
        seconds=2.5,
        environment={"commit": "0123456789abcdef" * 2, "dirty": False, "cpu": "none"},
    )
    for i in range(count):
        where = {"method": ("alpha", "beta")[i % 2], "problem": f"p{i // 2 % _PROBLEMS}"}
        yield replace(record, spec=replace(spec, **where, trial=i // (2 * _PROBLEMS)))  # type: ignore[arg-type]


def measure_loading(count: int = 100_000) -> Loading:
    """Write records into a folder, load them twice and delete them."""
    with tempfile.TemporaryDirectory(prefix="srbench-ext-perf-") as name:
        folder = Path(name)
        (folder / "records").mkdir()
        size = 0
        for record in synthetic_records(count):
            path = folder / "records" / f"{record.run_id}.json"
            size += path.write_text(record.to_json(), encoding="utf-8")
        first = _timed(folder)
        again = _timed(folder)
    return Loading(count, size / count / 1000, *first, *again)


def _timed(folder: Path) -> tuple[float, float]:
    clock, cpu = time.perf_counter(), time.process_time()
    load_records(folder)
    return time.perf_counter() - clock, time.process_time() - cpu


def table(loading: Loading) -> str:
    """Return the figures as a Markdown table."""
    what = f"loading {loading.records:,} records of {loading.kilobytes:.1f} kB"
    first = f"{loading.first_seconds:.1f} s | {loading.first_cpu:.1f} s"
    again = f"{loading.again_seconds:.1f} s | {loading.again_cpu:.1f} s"
    lines = [
        "| what | on the clock | processor time | at most |",
        "|---|---|---|---|",
        f"| {what}, building the index | {first} | |",
        f"| the same again, from the index | {again} | 5 s |",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m srbench_ext.report.perf", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="records to write and load")
    options = parser.parse_args(arguments)
    print(table(measure_loading(options.records)), end="")


if __name__ == "__main__":
    main()
