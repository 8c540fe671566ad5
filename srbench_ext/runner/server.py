"""The fork server: a process with the libraries loaded that forks one child a run.

Started with the arguments ``FD PRELOAD``. Each byte that arrives on the control
socket ``FD`` brings the socket of one job; the server forks, and the child reads the job from that socket
(:mod:`srbench_ext.runner.worker`). When a child has ended the server writes ``{"exit": code}`` to its socket.
When the control socket closes, because the parent is done or dead, every child's process group is killed.
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
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from srbench_ext.errors import SrbenchError

__all__ = ["Preload", "kill_group", "main"]

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Load what is asked for, then serve until the control socket closes."""
    control = socket.socket(fileno=int(arguments[0]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    _load(Preload(**json.loads(arguments[1])))
    _Server(control).serve()


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
    from srbench_ext.data import load_suite
    from srbench_ext.expression import warm_up
    from srbench_ext.registry import load_class

    for suite in preload.suites:
        load_suite(suite)
    for method in preload.methods:
        with contextlib.suppress(ImportError, SrbenchError):
            load_class(method)
    warm_up()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    gc.collect()
    gc.freeze()  # the children share these pages


class _Server:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._jobs: dict[int, socket.socket] = {}
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        signal.set_wakeup_fd(self._wake_write.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    if not self._accept():
                        return
                else:
                    self._reap()

    def _accept(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        if not data:
            for pid in self._jobs:
                kill_group(pid)
            return False
        job = socket.socket(fileno=descriptors[0])
        server_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(job, server_pid)
        self._jobs[pid] = job
        return True

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_read.recv(4096):
                pass
        while self._jobs:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            job = self._jobs.pop(pid, None)
            if job is None:
                continue
            message = json.dumps({"exit": os.waitstatus_to_exitcode(status)})
            # the child may have died within a line of its own
            with contextlib.suppress(OSError):
                job.sendall(f"\n{message}\n".encode())
            job.close()

    def _become_child(self, job: socket.socket, server_pid: int) -> None:
        """Run the job and end the process; never returns into the server's loop."""
        code = 70
        try:
            os.setsid()
            _die_with_parent(server_pid)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            for other in (self._control, self._wake_read, self._wake_write, *self._jobs.values()):
                other.close()
            from srbench_ext.runner.worker import serve_job

            serve_job(job)
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


def _die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when the server dies; elsewhere the server's own clean-up has to do."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(71)
