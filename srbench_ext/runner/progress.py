"""Progress of a run: a bar on a terminal, plain lines elsewhere; both on stderr."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from srbench_ext.record import STATUSES, Record

__all__ = ["RunProgress"]

_LINE_SECONDS = 10.0


class RunProgress:
    """Counts finished runs by status and estimates the time left.

    Parameters
    ----------
    total : int
        Runs to do.
    enabled : bool
        False shows nothing and only counts.
    console : rich.console.Console, optional
        Where to show it; stderr when not given.
    """

    def __init__(self, total: int, *, enabled: bool = True, console: Console | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._total = total
        self._enabled = enabled
        self._console = console or Console(stderr=True)
        self._started = self._line_written = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self._enabled and self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.fields[counts]}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
                console=self._console,
            )
            self._bar.start()
            self._task = self._bar.add_task("runs", total=self._total, counts="starting", left="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._enabled and self._total:
            self._write_line()

    def message(self, text: str) -> None:
        """Show a line of text, above the bar where there is one; shown even when progress is not."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def add(self, record: Record) -> None:
        """Count a finished run."""
        self.counts[record.status] += 1
        if self._bar is not None:
            self._bar.update(self._task, advance=1, counts=self._status_text(), left=self._left_text())
        elif self._enabled and time.monotonic() - self._line_written > _LINE_SECONDS:
            self._write_line()

    def skip(self) -> None:
        """Leave out a run that somebody else has done."""
        self._total -= 1
        if self._bar is not None:
            self._bar.update(self._task, total=self._total, left=self._left_text())

    def _write_line(self) -> None:
        self._line_written = time.monotonic()
        done = sum(self.counts.values())
        self.message(f"{done} of {self._total} runs: {self._status_text()}{self._left_text(', ')}")

    def _status_text(self) -> str:
        return (
            " ".join(f"{status} {self.counts[status]}" for status in STATUSES if self.counts[status])
            or "none"
        )

    def _left_text(self, before: str = "") -> str:
        """Estimate from the mean so far; nothing before the first run is done."""
        done = sum(self.counts.values())
        if not 0 < done < self._total:
            return ""
        seconds = (time.monotonic() - self._started) / done * (self._total - done)
        hours, minutes = int(seconds // 3600), int(seconds % 3600 // 60)
        text = f"{hours} h {minutes} min" if hours else f"{minutes} min {int(seconds % 60)} s"
        return f"{before}about {text} left"
