"""Running a function in a forked child that is killed when its time is over.

sympy's simplification may take forever and cannot be interrupted from within; a killed process always stops.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["results_within"]


def results_within(seconds: float, function: Callable[..., Iterator[Any]], *arguments: Any) -> list[Any]:
    """Return what a generator function yields within the given time.

    The function runs in a forked child; what it yielded before the time was over, before it raised or before
    it died is returned, so the caller sees from the number of results what is missing.

    Parameters
    ----------
    seconds : float
        Wall time, start of the child included; at or below 0 nothing is run.
    function : callable
        A generator function whose results can be pickled.
    *arguments
        What it is called with.

    Returns
    -------
    list
    """
    if seconds <= 0 or not hasattr(os, "fork"):
        return []
    deadline = time.monotonic() + seconds
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside idle threads; the child uses none
        child = os.fork()
    if child == 0:
        os.close(reading)
        _run_child(writing, function, arguments)
    os.close(writing)
    try:
        return _unpickled(_read_until(reading, deadline))
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _run_child(writing: int, function: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]) -> None:
    status = 1
    try:
        for result in function(*arguments):
            _write_all(writing, pickle.dumps(result))
        status = 0
    finally:
        os._exit(status)  # no handlers, no flushing of the parent's buffers


def _write_all(writing: int, data: bytes) -> None:
    frame = len(data).to_bytes(8, "big") + data
    while frame:
        frame = frame[os.write(writing, frame) :]


def _read_until(reading: int, deadline: float) -> bytes:
    data = b""
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([reading], [], [], left)
        piece = os.read(reading, 65536) if ready else b""
        if not piece:
            break
        data += piece
    return data


def _unpickled(data: bytes) -> list[Any]:
    results = []
    while len(data) >= 8:
        size = int.from_bytes(data[:8], "big")
        if len(data) < 8 + size:
            break
        results.append(pickle.loads(data[8 : 8 + size]))
        data = data[8 + size :]
    return results
