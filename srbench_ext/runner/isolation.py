"""One run in one killable process: start it, watch it, type its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from srbench_ext.errors import ConfigError
from srbench_ext.method import LOAD_ALLOWANCE
from srbench_ext.record import Record, RunSpec, Status
from srbench_ext.registry import INTERPRETER_VARIABLE
from srbench_ext.runner.descendants import Usage, descendants_of, usage_of
from srbench_ext.runner.environment import THREAD_VARIABLES
from srbench_ext.runner.server import JOB, KILL, MESSAGE, READY, Preload, kill_group
from srbench_ext.runner.worker import Job

__all__ = ["ForkServer", "Limits", "grace_seconds", "run_isolated"]

_SERVER = "import sys; from srbench_ext.runner.server import main; main(sys.argv[1:])"
_TICK = 0.1
_FAMILY_TICK = 1.0
_LOG_TAIL = 2000
_MAX_LOG_BYTES = 10 * 2**20


def grace_seconds(max_seconds: float) -> float:
    """Return the seconds past its limit at which a fit is killed: 10%, at least 2."""
    return max(2.0, 0.1 * max_seconds)


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits of a run.

    Attributes
    ----------
    max_seconds : float
        Of the fit; it is killed :func:`grace_seconds` later. Loading is not counted, up to its allowance.
    memory_bytes : float
        Resident memory of the process and its children.
    setup_seconds, score_seconds : float
        Of what comes before and after the fit.
    cpu_seconds : float or None
        Processor time of the fit, all threads and descendants together; None allows as much as the clock
        does, which is what one thread can use.
    """

    max_seconds: float
    memory_bytes: float
    setup_seconds: float = 120.0
    score_seconds: float = 120.0
    cpu_seconds: float | None = None


class ForkServer:
    """The parent's end of :mod:`srbench_ext.runner.server`; safe to use from several threads.

    Parameters
    ----------
    preload : Preload
        What the server loads before it forks.
    python : str or None
        The interpreter; None takes this one.
    """

    def __init__(self, preload: Preload = Preload(), python: str | None = None) -> None:  # noqa: B008  # immutable
        self._preload = preload
        self._python = python
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start_job(self) -> socket.socket:
        """Fork a child and return the socket that leads to it."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            assert self._control is not None
            ours, theirs = socket.socketpair()
            socket.send_fds(self._control, [MESSAGE.pack(JOB, 0)], [theirs.fileno()])
        theirs.close()
        return ours

    def kill(self, pid: int) -> None:
        """Kill the child with this process id, and all that it has started."""
        if sys.platform != "darwin" and self._tell(MESSAGE.pack(KILL, pid)):
            return
        for descendant in descendants_of(pid):
            kill_group(descendant)
        kill_group(pid)

    def _tell(self, message: bytes) -> bool:
        with self._lock, contextlib.suppress(OSError):
            if self._control is not None and self._process is not None and self._process.poll() is None:
                self._control.sendall(message)
                return True
        return False

    def close(self) -> None:
        """End the server; it kills the children that still run."""
        with self._lock:
            if self._control is not None:
                self._control.close()
            if self._process is not None:
                try:
                    self._process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()
            self._process = self._control = None

    def _start(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control, theirs = socket.socketpair()
        environment = os.environ | dict.fromkeys(THREAD_VARIABLES, "1")
        if self._python is not None:
            environment[INTERPRETER_VARIABLE] = self._python
        self._process = subprocess.Popen(
            [
                self._python or sys.executable,
                "-c",
                _SERVER,
                str(theirs.fileno()),
                json.dumps(asdict(self._preload)),
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C must not reach it
        )
        theirs.close()
        # the first server on a machine compiles for a minute, which must not count as a run's preparation
        if self._control.recv(1) != READY:
            raise ConfigError(
                f"The process that starts the runs ended while it loaded {self._preload}, with status "
                f"{self._process.wait()}. What it printed says why. Try: {self._python or sys.executable} "
                '-c "import srbench_ext.runner.worker"'
            )


def run_isolated(
    server: ForkServer,
    job: Job,
    limits: Limits,
    cancelled: threading.Event,
) -> Record | None:
    """Do one run in a child and return its record, whatever became of it.

    Parameters
    ----------
    server : ForkServer
        Where the child comes from.
    job : Job
        The run.
    limits : Limits
        When it is killed.
    cancelled : threading.Event
        Once set, the child is killed and None is returned.
    """
    connection = server.start_job()
    watch = _Watch(server, connection, job.spec, limits, Path(job.log))
    try:
        with contextlib.suppress(OSError):  # a child that is dead already: its exit code says so
            connection.sendall((job.to_json() + "\n").encode())
        finished = watch.until_end(cancelled)
    finally:
        watch.kill()
        connection.close()
    return watch.outcome() if finished else None


class _Watch:
    """Follows one child: its messages, its limits, its end."""

    def __init__(
        self, server: ForkServer, connection: socket.socket, spec: RunSpec, limits: Limits, log: Path
    ) -> None:
        self._server = server
        self._connection = connection
        self._spec = spec
        self._limits = limits
        self._log = log
        self._buffer = b""
        self._pid: int | None = None
        self._stage = "setup"
        self._stage_started = time.monotonic()
        self._load_started: float | None = None
        self._loaded = 0.0
        self._record_text: str | None = None
        self._exit: int | None = None
        self._done = False
        self._killed: tuple[Status, str] | None = None
        self._family_checked = 0.0
        self._cpu_before_fit = 0.0

    def until_end(self, cancelled: threading.Event) -> bool:
        """Follow the child until it ends or is killed; False when cancelled."""
        self._connection.settimeout(_TICK)
        while not self._done and self._exit is None and self._killed is None:
            if cancelled.is_set():
                return False
            try:
                data = self._connection.recv(1 << 16)
            except TimeoutError:
                pass
            except OSError:
                break
            else:
                if not data:
                    break
                self._read(data)
            self._check_limits()
        return True

    def kill(self) -> None:
        """Kill the child and all that it has started, unless it is at its end: then the server does."""
        if self._pid is not None and self._exit is None and not self._done:
            self._server.kill(self._pid)

    def outcome(self) -> Record:
        """Return the record of the run."""
        record = None if self._record_text is None else Record.from_json(self._record_text)
        if record is not None and record.status != "ok":
            return replace(record, error=self._with_log(record.error or ""))
        if record is not None:
            return record if self._done else self._scoring_lost(record)
        status, reason = self._killed or ("crash", self._death())
        return Record(self._spec, status, error=self._with_log(reason))

    def _scoring_lost(self, record: Record) -> Record:
        reason = self._killed[1] if self._killed else self._death()
        return replace(record, notes={**record.notes, "scoring": f"unfinished: {reason}"})

    def _death(self) -> str:
        if self._exit is None:
            return f"The connection to the process was lost in stage {self._stage!r}."
        if self._exit < 0:
            try:
                name = signal.Signals(-self._exit).name
            except ValueError:
                name = f"signal {-self._exit}"
            hint = " (the system kills so when memory runs out)" if name == "SIGKILL" else ""
            return f"The process was killed by {name} in stage {self._stage!r}{hint}."
        return f"The process ended with status {self._exit} in stage {self._stage!r} and left no result."

    def _with_log(self, reason: str) -> str:
        tail = _tail(self._log)
        return f"{reason}\n--- end of the output ---\n{tail}" if tail else reason

    def _read(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if line:
                with contextlib.suppress(ValueError):  # a line cut short by the child's death
                    self._handle(json.loads(line))

    def _handle(self, message: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if "pid" in message:
            self._pid = int(message["pid"])
        elif "stage" in message:
            self._stage, self._stage_started = str(message["stage"]), now
            if self._pid is not None:
                self._cpu_before_fit = usage_of(self._pid, with_descendants=True).cpu_seconds
        elif "load" in message:
            if message["load"]:
                self._load_started = now
            elif self._load_started is not None:
                self._loaded += now - self._load_started
                self._load_started = None
        elif "record" in message:
            self._record_text = str(message["record"])
        elif "done" in message:
            self._done = True
        elif "exit" in message:
            self._exit = int(message["exit"])

    def _check_limits(self) -> None:
        now = time.monotonic()
        allowed = self._allowed_seconds(now)
        if now - self._stage_started > allowed:
            self._killed = ("timeout", f"Killed after {allowed:.1f} s in stage {self._stage!r}.")
            return
        usage, limit = self._usage(now), self._limits.memory_bytes
        if usage.memory_bytes > limit:
            got = f"{usage.memory_bytes / 2**30:.2f} GiB of memory"
            self._killed = ("oom", f"Killed at {got}; {limit / 2**30:g} GiB are allowed.")
        elif self._stage == "fit":
            allowed = allowed if self._limits.cpu_seconds is None else self._limits.cpu_seconds
            if usage.cpu_seconds - self._cpu_before_fit > allowed:
                reason = f"{allowed:.1f} s of processor time in stage 'fit'; a run has one thread"
                self._killed = ("timeout", f"Killed after {reason}.")
        with contextlib.suppress(OSError):
            if self._log.stat().st_size > _MAX_LOG_BYTES:
                os.truncate(self._log, 0)

    def _allowed_seconds(self, now: float) -> float:
        if self._stage == "setup":
            return self._limits.setup_seconds
        if self._stage == "score":
            return self._limits.score_seconds
        loading = self._loaded + (now - self._load_started if self._load_started is not None else 0.0)
        seconds = self._limits.max_seconds
        return seconds + grace_seconds(seconds) + min(loading, LOAD_ALLOWANCE)

    def _usage(self, now: float) -> Usage:
        """Return what the child uses; its descendants are added now and then."""
        if self._pid is None:
            return Usage(0.0, 0.0)
        family = now - self._family_checked > _FAMILY_TICK
        if family:
            self._family_checked = now
        return usage_of(self._pid, with_descendants=family)


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_TAIL))
            return file.read().decode("utf-8", errors="replace").strip()
    except OSError:
        return ""
