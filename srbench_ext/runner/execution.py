"""Run what is planned and not stored yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from joblib import Parallel, delayed

from srbench_ext.errors import InputError
from srbench_ext.record import Record, RunSpec
from srbench_ext.registry import describe, is_bundled, missing_packages
from srbench_ext.runner.environment import describe_environment
from srbench_ext.runner.isolation import ForkServer, Limits, run_isolated
from srbench_ext.runner.progress import RunProgress
from srbench_ext.runner.server import Preload
from srbench_ext.runner.store import SetAside, Store
from srbench_ext.runner.worker import Job

__all__ = ["Summary", "execute"]

_NO_ADDRESS_LIMIT = frozenset({"torch"})
"""Packages that reserve far more address space than they use; memory is watched instead."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an execution did.

    Attributes
    ----------
    planned, skipped : int
        Runs of the plan, and those whose record was stored before.
    counts : mapping
        Runs done now, by status.
    set_aside : tuple of SetAside
        Records that could not be read and were run again.
    seconds : float
        Wall time.
    """

    planned: int
    skipped: int
    counts: Mapping[str, int] = field(default_factory=dict)
    set_aside: tuple[SetAside, ...] = ()
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Runs done now."""
        return sum(self.counts.values())

    def __str__(self) -> str:
        by_status = ", ".join(f"{n} {status}" for status, n in sorted(self.counts.items()))
        return (
            f"{self.done} runs done{f' ({by_status})' if by_status else ''}, {self.skipped} stored before, "
            f"{self.seconds:.0f} s"
        )


def execute(
    specs: Sequence[RunSpec],
    out: Path,
    *,
    jobs: int = 1,
    cache: Path | None = None,
    progress: bool = True,
    on_record: Callable[[Record], None] | None = None,
) -> Summary:
    """Do every run that the results folder does not hold yet, each in a process of its own.

    Parameters
    ----------
    specs : sequence of RunSpec
        The plan.
    out : Path
        The results folder: records go to ``out/records``, the output of failed runs to ``out/logs``.
    jobs : int
        Runs at a time; each uses one thread.
    cache : Path or None
        The PMLB cache that the plan was made with.
    progress : bool
        Whether to show progress on stderr. Records set aside are named there in any case.
    on_record : callable, optional
        Called with each record after it is stored, in the calling thread.

    Returns
    -------
    Summary
        Counts by status.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, after every running child is killed; finished records stay.
    """
    if jobs < 1:
        raise InputError(f"The number of jobs must be at least 1. Got {jobs}.")
    started = time.monotonic()
    store = Store(out)
    to_run, set_aside = store.missing(specs)
    with RunProgress(len(to_run), enabled=progress) as shown:
        for moved in set_aside:
            shown.message(f"Record set aside: {moved}")
        if to_run:
            _run_all(to_run, _Runner(store, cache, to_run), jobs, shown, on_record)
        counts = dict(shown.counts)
    return Summary(len(specs), len(specs) - len(to_run), counts, tuple(set_aside), time.monotonic() - started)


def _run_all(
    specs: Sequence[RunSpec],
    runner: _Runner,
    jobs: int,
    progress: RunProgress,
    on_record: Callable[[Record], None] | None,
) -> None:
    parallel = Parallel(n_jobs=jobs, backend="threading", return_as="generator_unordered", pre_dispatch=jobs)
    try:
        for record in parallel(delayed(runner.run)(spec) for spec in specs):
            if record is not None:
                progress.add(record)
                if on_record is not None:
                    on_record(record)
    finally:
        runner.close()


class _Runner:
    """Does one run after the other, in whichever thread asks."""

    def __init__(self, store: Store, cache: Path | None, specs: Sequence[RunSpec]) -> None:
        self._store = store
        self._cache = cache
        infos = {name: describe(name) for name in {spec.method for spec in specs}}
        needed = {package for info in infos.values() for package in info.requires}
        absent = {package for info in infos.values() for package in missing_packages(info)}
        self._address_limit = {name: not _NO_ADDRESS_LIMIT & {*i.requires} for name, i in infos.items()}
        preload = Preload(
            modules=sorted(needed - absent),
            # a plugin of somebody else's may take the process down on import; only its own runs shall suffer
            methods=sorted(name for name, info in infos.items() if is_bundled(info)),
            suites=sorted({spec.suite for spec in specs}),
        )
        self._server = ForkServer(preload)
        self._cancelled = threading.Event()
        self._environment = describe_environment()
        store.logs.mkdir(parents=True, exist_ok=True)

    def run(self, spec: RunSpec) -> Record | None:
        """Do one run and store its record; None when cancelled."""
        if self._cancelled.is_set():
            return None
        log = self._store.log_path(spec.run_id)
        log.unlink(missing_ok=True)
        job = Job(
            spec=spec,
            cache=None if self._cache is None else str(self._cache),
            log=str(log),
            address_space=self._address_limit[spec.method],
        )
        limits = Limits(
            max_seconds=spec.max_seconds, memory_bytes=float(spec.protocol.values["memory_gb"]) * 2**30
        )
        record = run_isolated(self._server, job, limits, self._cancelled)
        if record is None:
            return None
        record = replace(record, environment=self._environment)
        self._store.save(record)
        if record.status == "ok":
            log.unlink(missing_ok=True)
        return record

    def close(self) -> None:
        """Stop what runs and end the server."""
        self._cancelled.set()
        self._server.close()
