"""The run that a search is given: its randomness, its clock, its counters."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from srbench_ext.errors import InputError, UnknownNameError

__all__ = ["LOAD_ALLOWANCE", "PHASES", "SearchRun"]

PHASES = ("load", "search", "refine")
"""The phases that are timed apart."""

LOAD_ALLOWANCE = 20.0
"""Seconds of phase ``load`` that do not count on the clock."""

PhaseListener = Callable[[str, bool], None]


class SearchRun:
    """What a search needs besides the data.

    The clock starts when this object is made. It stands still in phase ``load``, for at most
    :data:`LOAD_ALLOWANCE` seconds in all.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness of the search.
    names : tuple of str
        The names of the columns that the search is given.
    max_seconds : float
        Seconds that the search may take, loading apart.
    listener : callable, optional
        Called with (phase, True) on entering and (phase, False) on leaving a phase.

    Attributes
    ----------
    rng, names
        As given.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        names: tuple[str, ...],
        max_seconds: float,
        listener: PhaseListener | None = None,
    ) -> None:
        self.rng = rng
        self.names = names
        self._max_seconds = max_seconds
        self._listener = listener
        self._started = self._charged = time.monotonic()
        self._stack = ["search"]
        self._timings = dict.fromkeys(PHASES, 0.0)
        self._counts: Counter[str] = Counter()
        self._notes: dict[str, Any] = {}

    @property
    def elapsed(self) -> float:
        """Seconds on the clock: since the start, less what loading took."""
        now = time.monotonic()
        return now - self._started - self._credit(now)

    @property
    def deadline(self) -> float:
        """The ``time.monotonic()`` at which the search has to be over; it moves while loading."""
        return self._started + self._max_seconds + self._credit(time.monotonic())

    @property
    def remaining(self) -> float:
        """Seconds left on the clock; 0 when it has run out."""
        return max(0.0, self._max_seconds - self.elapsed)

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return self.elapsed >= self._max_seconds

    @property
    def timings(self) -> dict[str, float]:
        """Seconds by phase, up to now."""
        self._charge()
        return dict(self._timings)

    @property
    def counts(self) -> dict[str, int]:
        """The counters, up to now."""
        return dict(self._counts)

    @property
    def notes(self) -> dict[str, Any]:
        """The notes, up to now."""
        return dict(self._notes)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge the time inside the ``with`` block to a phase.

        Parameters
        ----------
        name : {"load", "search", "refine"}
            ``load`` is for reading weights: the clock stands still. Time outside of any block is ``search``.
        """
        if name not in PHASES:
            raise UnknownNameError("phase", name, PHASES)
        self._charge()
        self._stack.append(name)
        self._tell(name, True)
        try:
            yield
        finally:
            self._charge()
            self._stack.pop()
            self._tell(name, False)

    def count(self, key: str, n: int = 1) -> None:
        """Add ``n`` to the counter ``key``, which ends up in the record."""
        self._counts[key] += int(n)

    def note(self, key: str, value: object) -> None:
        """Keep a fact about the run, which ends up in the record.

        Parameters
        ----------
        key : str
            Its name.
        value : object
            What JSON can hold: None, bool, int, float, str, and lists and dicts of them. NaN and infinity
            become None.
        """
        self._notes[key] = _plain(key, value)

    def _credit(self, now: float) -> float:
        loading = self._timings["load"]
        if self._stack[-1] == "load":
            loading += now - self._charged
        return min(loading, LOAD_ALLOWANCE)

    def _charge(self) -> None:
        now = time.monotonic()
        self._timings[self._stack[-1]] += now - self._charged
        self._charged = now

    def _tell(self, name: str, entering: bool) -> None:
        if self._listener is not None:
            self._listener(name, entering)


def _plain(key: str, value: object) -> object:
    """Return the value in plain Python types."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(name): _plain(key, item) for name, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(key, item) for item in value]
    raise InputError(
        f"The note {key!r} must be None, bool, int, float, str, or a list or dict of them. "
        f"Got {type(value).__name__}."
    )
