"""One run after the other at one workplace: claim it, do it in a child, store its record, release it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from srbench_ext.record import Record, RunSpec
from srbench_ext.registry import describe, is_bundled, missing_packages
from srbench_ext.runner.claims import Claims
from srbench_ext.runner.environment import describe_environment
from srbench_ext.runner.isolation import ForkServer, Limits, run_isolated
from srbench_ext.runner.server import Preload
from srbench_ext.runner.store import Store
from srbench_ext.runner.support import Support
from srbench_ext.runner.worker import Job

__all__ = ["Outcome", "Runner", "Workplace", "close_runners", "run_here"]

_NO_ADDRESS_LIMIT = frozenset({"torch"})
"""Packages that reserve far more address space than they use; memory is watched instead."""

_WORTH_A_SYNC_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one run here.

    Attributes
    ----------
    spec : RunSpec
        The run.
    state : {"done", "elsewhere", "busy", "cancelled"}
        ``done`` here; ``elsewhere``: another runner has stored its record; ``busy``: another runner has
        claimed it; ``cancelled``: nothing was stored.
    record : Record or None
        Of a run done here.
    """

    spec: RunSpec
    state: Literal["done", "elsewhere", "busy", "cancelled"]
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a runner needs to know apart from the run; the same on every machine that shares the folder.

    Attributes
    ----------
    out : str
        The results folder.
    cache : str or None
        The PMLB cache.
    preload : Preload
        What the fork server loads before it forks.
    takeover_seconds : float
        See :func:`srbench_ext.runner.execute`.
    """

    out: str
    cache: str | None
    preload: Preload
    takeover_seconds: float

    @classmethod
    def of(
        cls, specs: Iterable[RunSpec], out: Path, cache: Path | None, takeover_seconds: float
    ) -> Workplace:
        """Return the workplace for these runs."""
        methods = {spec.method for spec in specs}
        suites = {spec.suite for spec in specs}
        infos = [info for info in map(describe, sorted(methods)) if info.python is None]
        needed = {package for info in infos if info.preload for package in info.requires}
        absent = {package for info in infos for package in missing_packages(info)}
        preload = Preload(
            modules=tuple(sorted(needed - absent)),
            # a plugin of somebody else's may take the process down on import; only its own runs shall suffer
            methods=tuple(info.name for info in infos if is_bundled(info)),
            suites=tuple(sorted(suites)),
        )
        place = Path(out).resolve()
        return cls(str(place), None if cache is None else str(cache.resolve()), preload, takeover_seconds)


class Runner:
    """Does runs, in whichever thread asks; close it after the last one.

    Parameters
    ----------
    place : Workplace
        Where and with what.
    """

    def __init__(self, place: Workplace) -> None:
        cache = None if place.cache is None else Path(place.cache)
        self._place = place
        self._store = Store(Path(place.out))
        self._store.logs.mkdir(parents=True, exist_ok=True)
        self._support = Support(cache)
        self._claims = Claims(self._store.claims, stale_seconds=place.takeover_seconds)
        self._claims.sweep(self._store.holds)
        self._servers: dict[str | None, ForkServer] = {None: ForkServer(place.preload)}
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._environment = describe_environment()

    def run(self, spec: RunSpec, *, again: bool = False) -> Outcome:
        """Do one run and store its record, unless somebody else does or did.

        Parameters
        ----------
        spec : RunSpec
            The run.
        again : bool
            Whether a stored record that says ``unsupported`` is no reason to leave the run alone.
        """
        if self._cancelled.is_set():
            return Outcome(spec, "cancelled")
        if self._is_stored(spec.run_id, again):
            return Outcome(spec, "elsewhere")
        if not self._claims.acquire(spec.run_id):
            return Outcome(spec, "busy")
        started = time.monotonic()
        try:
            if self._is_stored(spec.run_id, again):  # by the runner that had the claim until now
                return Outcome(spec, "elsewhere")
            record = self._record(spec)
            if record is None:
                return Outcome(spec, "cancelled")
            if not self._claims.holds(
                spec.run_id
            ):  # this process slept so long that another one took the run
                return Outcome(spec, "busy")
            self._store.save(record, durable=time.monotonic() - started > _WORTH_A_SYNC_SECONDS)
        finally:
            self._claims.release(spec.run_id)
        if record.status == "ok":
            self._store.log_path(spec.run_id).unlink(missing_ok=True)
        return Outcome(spec, "done", record)

    def close(self) -> None:
        """Stop what runs, end the server and give the claims back."""
        self._cancelled.set()
        for server in self._servers.values():
            server.close()
        self._claims.close()
        self._store.close()

    def _server(self, python: str | None, suite: str) -> ForkServer:
        """Return the server of an interpreter; a method's own loads only what every run needs."""
        with self._lock:
            if python not in self._servers:
                self._servers[python] = ForkServer(Preload(suites=(suite,)), python)
            return self._servers[python]

    def _is_stored(self, run_id: str, again: bool) -> bool:
        if not self._store.holds(run_id):
            return False
        return not again or self._store.load(run_id).status != "unsupported"

    def _record(self, spec: RunSpec) -> Record | None:
        """Do the run in a child; None when cancelled."""
        reason = self._support.reason(spec)
        if reason is not None:
            return Record(spec, "unsupported", error=reason, environment=self._environment)
        log = self._store.log_path(spec.run_id)
        log.unlink(missing_ok=True)
        job = Job(
            spec=spec,
            cache=self._place.cache,
            log=str(log),
            address_space=not _NO_ADDRESS_LIMIT & {*describe(spec.method).requires},
        )
        memory = float(spec.protocol.values["memory_gb"]) * 2**30
        limits = Limits(max_seconds=spec.max_seconds, memory_bytes=memory)
        server = self._server(describe(spec.method).python, spec.suite)
        record = run_isolated(server, job, limits, self._cancelled)
        if record is None:
            return None
        return record if record.environment else replace(record, environment=self._environment)


_RUNNERS: dict[Workplace, Runner] = {}
_RUNNERS_LOCK = threading.Lock()


def run_here(place: Workplace, spec: RunSpec, again: bool) -> Outcome:
    """Do a run with the runner that this process keeps for a workplace, made for the first run."""
    with _RUNNERS_LOCK:
        if place not in _RUNNERS:
            _RUNNERS[place] = Runner(place)
        runner = _RUNNERS[place]
    return runner.run(spec, again=again)


def close_runners() -> None:
    """Close what :func:`run_here` has made in this process."""
    with _RUNNERS_LOCK:
        runners = list(_RUNNERS.values())
        _RUNNERS.clear()
    for runner in runners:
        runner.close()
