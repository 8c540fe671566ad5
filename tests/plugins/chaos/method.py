"""A method that misbehaves as told."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from srbench_ext.errors import MissingExtraError
from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Method


class ChaosRegressor(Method):
    """``behaviour`` names what ``fit`` does; ``folder`` is where it leaves process ids."""

    name = "chaos"
    version = "1"

    def __init__(self, *, max_seconds=60.0, random_state=0, behaviour="ok", folder=""):
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.behaviour = behaviour
        self.folder = folder

    def search(self, X, y, run):
        yield from getattr(self, f"_{self.behaviour}")(X, run)

    def _ok(self, X, run):
        yield Candidate(Expression(("x0",)))

    def _raise(self, X, run):
        print("last words")
        raise RuntimeError("chaos was asked to raise")

    def _hang(self, X, run):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self._leave(child.pid)
        self._leave(os.getpid())
        sum(range(10**13))  # holds the interpreter: no Python code runs until the kill
        yield from ()

    def _memory(self, X, run):
        held = [np.empty(50 * 2**20 // 8) for _ in range(100)]  # reserved, not touched
        run.note("held", len(held))
        yield from ()

    def _touched_memory(self, X, run):
        held = []
        for _ in range(100):
            held.append(np.ones(50 * 2**20 // 8))
            time.sleep(0.02)
        yield from ()

    def _segfault(self, X, run):
        ctypes.string_at(0)
        yield from ()

    def _killed(self, X, run):
        os.kill(os.getpid(), signal.SIGKILL)
        yield from ()

    def _exit(self, X, run):
        sys.exit(3)
        yield from ()

    def _garbage(self, X, run):
        sys.stdout.buffer.write(bytes(range(256)) * 1000)
        print('\n{"record": "{}"}\n{"exit": 0}')
        os.write(2, b"\xff\n" * 1000)
        yield Candidate(Expression(("x0",)))

    def _missing(self, X, run):
        raise MissingExtraError("chaos", ["no-such-package"])
        yield

    def _leftover(self, X, run):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self._leave(child.pid)
        yield Candidate(Expression(("x0",)))

    def _daemon(self, X, run):
        """Leave a process that has neither the group nor the parent of the run, and never called exec."""
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(writing, str(os.getpid()).encode())
                time.sleep(600)
            os._exit(0)
        self._leave(int(os.read(reading, 20)))
        yield Candidate(Expression(("x0",)))

    def _many_processes(self, X, run):
        """Use more processor time than the clock shows; little enough for each process alone."""
        code = "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: pass"
        for child in [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]:
            self._leave(child.pid)
            child.wait()
        yield from ()

    def _slow(self, X, run):
        self._leave(os.getpid())
        time.sleep(0.7)
        yield Candidate(Expression(("x0",)))

    def _slow_load(self, X, run):
        with run.phase("load"):
            time.sleep(4.0)
        yield Candidate(Expression(("x0",)))

    def _not_defined_on_test_rows(self, X, run):
        low = float(X[:, 0].min())
        yield Candidate(Expression(("mul", "0", "sqrt", "sub", "x0", "C"), (low,)))

    def _writes_input(self, X, run):
        X[:] = 0.0
        yield Candidate(Expression(("x0",)))

    def _leave(self, pid):
        (Path(self.folder) / f"{pid}.pid").touch()
