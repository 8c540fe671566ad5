"""The fork server: a process with the libraries loaded that forks one child a run.

Started with the arguments ``FD PRELOAD``. A message on the control socket ``FD`` is a letter and a number:
``j`` brings the socket of one job; ``k`` and a process id ask for a kill. The server keeps one child in
reserve, forked before anybody asks; it gives the job's socket to that child, which reads the job from it
(:mod:`srbench_ext.runner.worker`). When a child has ended, the server kills whatever the run has left behind
and writes ``{"exit": code}`` to the job's socket. When the control socket closes, because the parent is done
or dead, every run is killed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import struct
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from srbench_ext.errors import SrbenchError
from srbench_ext.runner import descendants
from srbench_ext.runner.pages import merge_pages

__all__ = ["JOB", "KILL", "MESSAGE", "READY", "Preload", "kill_group", "main"]

MESSAGE = struct.Struct("=cq")
"""A letter and a number, on the control socket."""

JOB, KILL = b"j", b"k"
READY = b"r"
"""What the server says on the control socket when it has loaded everything."""


def main(arguments: list[str]) -> None:
    """Load what is asked for, then serve until the control socket closes."""
    control = socket.socket(fileno=int(arguments[0]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    _load(Preload(**json.loads(arguments[1])))
    with tempfile.TemporaryDirectory(prefix="srbench-ext-", ignore_cleanup_errors=True) as scratch:
        _Server(control, Path(scratch)).serve()


def kill_group(pid: int) -> None:
    """Kill a child and all of its process group; a child that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Preload:
    """What the server loads before it forks.

    Attributes
    ----------
    modules : sequence of str
        Modules that have to be there.
    methods : sequence of str
        Registered methods; one that cannot be imported is left to its runs, which will say why.
    suites : sequence of str
        Suites of problems.
    """

    modules: Sequence[str] = ()
    methods: Sequence[str] = ()
    suites: Sequence[str] = ()


def _load(preload: Preload) -> None:
    """Import what every child will need and compile the kernels, before any clock runs."""
    # pmlb reads tables; sympy is for scoring, which forks a child that must not wait for the import
    for module in ("srbench_ext.runner.worker", "pmlb", "sympy", *preload.modules):
        importlib.import_module(module)
    from srbench_ext import registry
    from srbench_ext.data import load_suite
    from srbench_ext.expression import warm_up
    from srbench_ext.runner.environment import describe_environment

    for suite in preload.suites:
        load_suite(suite)
    registry.names()  # reading what is installed takes longer than many a run
    for method in preload.methods:
        with contextlib.suppress(ImportError, SrbenchError):
            registry.load_class(method)
    warm_up()
    describe_environment()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    gc.collect()
    gc.freeze()  # the children share these pages
    merge_pages()


@dataclass(frozen=True, slots=True)
class _Child:
    """A child: its process, the limit that marks its descendants, and the socket it hears of its job by."""

    pid: int
    mark: int | None
    line: socket.socket


class _Server:
    def __init__(self, control: socket.socket, scratch: Path) -> None:
        self._control = control
        self._scratch = scratch
        self._children: dict[int, _Child] = {}
        self._jobs: dict[int, socket.socket] = {}
        self._spare: _Child | None = None
        self._forked = 0
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        descendants.adopt_orphans()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        signal.set_wakeup_fd(self._wake_write.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._fork_spare()
        self._control.sendall(READY)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    if not self._obey():
                        return
                else:
                    self._reap()

    def _obey(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE.size, 1)
        if len(data) < MESSAGE.size:
            signal.set_wakeup_fd(-1)
            for pid in self._children:
                kill_group(pid)
            descendants.kill_orphans(keep=frozenset())
            return False
        letter, number = MESSAGE.unpack(data)
        if letter == JOB:
            self._start(socket.socket(fileno=descriptors[0]))
        elif number in self._children:  # not reaped yet, so the number is still this child's
            kill_group(number)
        return True

    def _start(self, job: socket.socket) -> None:
        """Give the job to the child in reserve, and fork the next one while that works."""
        while True:
            child = self._spare or self._fork_spare()
            self._spare = None
            with contextlib.suppress(OSError):  # it was killed while it waited
                socket.send_fds(child.line, [JOB], [job.fileno()])
                break
        self._jobs[child.pid] = job
        self._fork_spare()

    def _fork_spare(self) -> _Child:
        self._forked += 1
        server_pid, mark = os.getpid(), descendants.mark_number(self._forked)
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._become_child(theirs, mark, server_pid)
        theirs.close()
        self._spare = _Child(pid, mark, ours)
        self._children[pid] = self._spare
        return self._spare

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_read.recv(4096):
                pass
        while (ended := _next_ended()) is not None:
            if ended in self._children:
                kill_group(ended)  # what is left of its group; not reaped yet, so the number is still its own
            _, status = os.waitpid(ended, 0)
            child = self._children.pop(ended, None)
            if child is None:
                continue
            if self._spare is child:
                self._spare = None
            child.line.close()
            job = self._jobs.pop(ended, None)
            if job is not None:
                message = json.dumps({"exit": os.waitstatus_to_exitcode(status)})
                # the child may have died within a line of its own, and the parent may have what it wants
                with contextlib.suppress(OSError):
                    job.sendall(f"\n{message}\n".encode())
                job.close()
        descendants.kill_orphans(keep=self._children.keys(), marks={c.mark for c in self._children.values()})

    def _become_child(self, line: socket.socket, mark: int | None, server_pid: int) -> NoReturn:
        """Wait for a job, do it and end the process; never returns into the server's loop."""
        code = 70
        try:
            os.setsid()
            descendants.die_with_parent(server_pid)
            descendants.set_mark(mark)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            for other in (self._control, self._wake_read, self._wake_write, *self._jobs.values()):
                other.close()
            for child in self._children.values():
                child.line.close()
            from srbench_ext.runner.worker import serve_job

            data, descriptors, _, _ = socket.recv_fds(line, 1, 1)
            line.close()
            if data:
                serve_job(socket.socket(fileno=descriptors[0]), self._scratch)
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:  # noqa: BLE001  # the last frame of the child: the log keeps it, the code tells the parent
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


def _next_ended() -> int | None:
    """Return a child that has ended and is not reaped yet."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if ended is None else ended.si_pid
