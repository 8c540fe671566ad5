"""Claims: who is doing which run, so that several runners can share one results folder.

A claim is the file ``claims/RUN_ID.N``, made by an exclusive create, which one runner alone can win. It names
the machine and the process that holds it; its time of change is moved on every few seconds, as a heartbeat.
A claim is stale when its process is gone (which only a runner on the same machine can see) or when its
heartbeat has not moved for a minute of the watcher's own clock, so that the clocks of machines are never
compared. A stale claim ``N`` is taken over by winning ``N + 1``; nothing is ever moved or overwritten, and of
several runners that see one stale claim one wins.

The order that makes this safe: claim, look for the record, run, save the record, release.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

__all__ = ["HEARTBEAT_SECONDS", "STALE_SECONDS", "Claims"]

HEARTBEAT_SECONDS = 5.0
STALE_SECONDS = 60.0


class Claims:
    """The claims that this runner holds in one folder; safe to use from several threads.

    Parameters
    ----------
    folder : Path
        Shared by all runners of a results folder; made with the first claim.
    heartbeat_seconds : float
        Between two heartbeats.
    stale_seconds : float
        Without a heartbeat, after which a claim of another runner is taken over.
    """

    def __init__(
        self,
        folder: Path,
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        stale_seconds: float = STALE_SECONDS,
    ) -> None:
        self._folder = folder
        self._heartbeat_seconds = heartbeat_seconds
        self._stale_seconds = stale_seconds
        self._machine = machine_name()
        self._me = json.dumps(
            {"machine": self._machine, "pid": os.getpid(), "started": psutil.Process().create_time()}
        ).encode()
        self._held: dict[str, int] = {}
        self._seen: dict[Path, tuple[int, float]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def acquire(self, run_id: str) -> bool:
        """Claim a run; False while another runner holds it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            path = self._path(run_id, number)
            if not self._create(path):
                stale = self._is_stale(path)
                if stale is False:
                    return False
                number = number + 1 if stale else 1
                continue
            if number > 1 and not self._is_stale(self._path(run_id, number - 1)):
                path.unlink(missing_ok=True)  # what looked stale was released, and may be somebody's again
                number = 1
                continue
            with self._lock:
                self._held[run_id] = number
                self._start_heart()
            return True

    def holds(self, run_id: str) -> bool:
        """Whether the claim is still this runner's; another may have taken it from a runner that slept."""
        number = self._held.get(run_id)
        if number is None or not self._path(run_id, number).exists():
            return False
        return self._is_stale(self._path(run_id, number + 1)) is not False

    def release(self, run_id: str) -> None:
        """Give a claim back, and remove those that it was taken over from."""
        with self._lock:
            number = self._held.pop(run_id, 0)
        for each in range(number, 0, -1):  # in this order a claim never lacks the one that it followed
            self._path(run_id, each).unlink(missing_ok=True)

    def sweep(self, is_stored: Callable[[str], bool]) -> None:
        """Remove what killed processes of this machine have left of runs that are stored."""
        for path in self._folder.glob("*.*"):
            if self._is_gone(_read(path)) and is_stored(path.stem):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Stop the heartbeat and give everything back."""
        self._stop.set()
        if self._heart is not None:
            self._heart.join()
            self._heart = None
        for run_id in list(self._held):
            self.release(run_id)
        with contextlib.suppress(OSError):  # not there, or others have claims
            self._folder.rmdir()

    def _path(self, run_id: str, number: int) -> Path:
        return self._folder / f"{run_id}.{number}"

    def _create(self, path: Path) -> bool:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            return False
        try:
            os.write(descriptor, self._me)
        finally:
            os.close(descriptor)
        return True

    def _is_stale(self, path: Path) -> bool | None:
        """Whether nobody stands behind a claim any more; None when there is no such claim."""
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        if self._is_gone(_read(path)):
            return True
        now = time.monotonic()
        with self._lock:
            before, since = self._seen.get(path, (changed, now))
            if before != changed:
                since = now
            self._seen[path] = (changed, since)
        return now - since > self._stale_seconds

    def _is_gone(self, claim: dict[str, Any]) -> bool:
        """Whether the holder is a process of this machine that has ended."""
        if claim.get("machine") != self._machine:
            return False
        try:
            process = psutil.Process(int(claim["pid"]))
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
            started = float(process.create_time())
        except psutil.NoSuchProcess:
            return True
        return abs(started - float(claim["started"])) > 1.0  # the number was given to another process

    def _start_heart(self) -> None:
        if self._heart is None:
            self._heart = threading.Thread(target=self._beat, name="heartbeat of claims", daemon=True)
            self._heart.start()

    def _beat(self) -> None:
        while not self._stop.wait(self._heartbeat_seconds):
            for run_id, number in list(self._held.items()):
                with contextlib.suppress(OSError):  # released meanwhile, or taken over and done
                    os.utime(self._path(run_id, number))


def machine_name() -> str:
    """Return what tells this machine from others: host, start of its system, and space of process numbers."""
    facts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with contextlib.suppress(OSError):
        facts.append(os.readlink("/proc/self/ns/pid"))
    return "/".join(facts)


def _read(path: Path) -> dict[str, Any]:
    """Return what a claim says; nothing when it is gone or not written yet."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
