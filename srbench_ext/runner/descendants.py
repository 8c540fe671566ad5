"""The processes that a run starts: finding them, counting what they use, and killing them with the run.

A process can leave its group and its parent, and then neither leads back to its run. On Linux the fork server
therefore adopts what loses its parent, and every run carries a mark that no descendant can shed: a limit of a
resource that nobody uses (the bytes of POSIX message queues), set to another number for each run. Elsewhere
process groups and parents have to do.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = [
    "Usage",
    "adopt_orphans",
    "descendants_of",
    "die_with_parent",
    "kill_orphans",
    "mark_number",
    "set_mark",
    "usage_of",
]

_LINUX = sys.platform.startswith("linux")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MOST_MARKS = 800_000
_PAGE = resource.getpagesize()
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Resident memory in bytes and processor time in seconds of some processes."""

    memory_bytes: float
    cpu_seconds: float


def usage_of(pid: int, *, with_descendants: bool) -> Usage:
    """Return what a process uses, with the processes below it or alone; nothing when it is gone."""
    memory = cpu = 0.0
    for each in (pid, *(descendants_of(pid) if with_descendants else ())):
        with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
            one = _usage_by_proc(each) if _LINUX else _usage_by_psutil(each)
            memory, cpu = memory + one.memory_bytes, cpu + one.cpu_seconds
    return Usage(memory, cpu)


def descendants_of(pid: int) -> list[int]:
    """Return the processes below a process."""
    if not _LINUX:
        with contextlib.suppress(psutil.Error):
            return [child.pid for child in psutil.Process(pid).children(recursive=True)]
        return []
    found, left = [], [pid]
    while left:
        children = list(_children(left.pop()))
        found += children
        left += children
    return found


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when the server dies; elsewhere the server's own clean-up has to do."""
    if not _LINUX:
        return
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(71)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant that loses its own."""
    if _LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def mark_number(count: int) -> int | None:
    """Return the mark of a server's next child; None where marks do not work."""
    if not _LINUX:
        return None
    hard = resource.getrlimit(resource.RLIMIT_MSGQUEUE)[1]
    most = _MOST_MARKS if hard == resource.RLIM_INFINITY else min(_MOST_MARKS, hard)
    return most - count % most if most else None


def set_mark(mark: int | None) -> None:
    """Mark this process and all that it will start."""
    if mark is not None:
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (mark, mark))


def kill_orphans(*, keep: Collection[int], marks: Collection[int | None] = ()) -> None:
    """Kill the children of this process that are not to be kept and bear none of the marks of living runs."""
    if not _LINUX:
        return
    for pid in _children(os.getpid()):
        if pid in keep:
            continue
        with contextlib.suppress(OSError):
            if resource.prlimit(pid, resource.RLIMIT_MSGQUEUE)[1] not in marks:
                os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                yield from map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())


def _usage_by_proc(pid: int) -> Usage:
    # the name of the process stands in brackets and may hold blanks; the times are fields 14 to 17
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    seconds = sum(map(int, fields[11:15])) / _TICKS
    return Usage(float(int(fields[21]) * _PAGE), seconds)


def _usage_by_psutil(pid: int) -> Usage:
    process = psutil.Process(pid)
    times = process.cpu_times()
    return Usage(float(process.memory_info().rss), times.user + times.system)


def _prctl(option: int, value: int) -> None:
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
