"""Run what is planned and not stored yet."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from srbench_ext.errors import InputError
from srbench_ext.record import Record, RunSpec
from srbench_ext.runner.backends import Backend, Dispatch, dispatcher
from srbench_ext.runner.claims import STALE_SECONDS
from srbench_ext.runner.progress import RunProgress
from srbench_ext.runner.runs import Outcome, Workplace
from srbench_ext.runner.store import SetAside, Store
from srbench_ext.runner.support import Support

__all__ = ["Summary", "execute"]

_POLL_SECONDS = 1.0
_REASONS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Summary:
    """What an execution did.

    Attributes
    ----------
    planned, skipped : int
        Runs of the plan, and those whose record was stored before.
    counts : mapping
        Runs done now, by status.
    elsewhere : int
        Runs that another runner on the same folder did meanwhile.
    set_aside : tuple of SetAside
        Records that could not be read and were run again.
    seconds : float
        Wall time.
    """

    planned: int
    skipped: int
    counts: Mapping[str, int] = field(default_factory=dict)
    elsewhere: int = 0
    set_aside: tuple[SetAside, ...] = ()
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Runs done now."""
        return sum(self.counts.values())

    def __str__(self) -> str:
        by_status = ", ".join(f"{n} {status}" for status, n in sorted(self.counts.items()))
        others = f", {self.elsewhere} by another runner" if self.elsewhere else ""
        return (
            f"{self.done} runs done{f' ({by_status})' if by_status else ''}{others}, "
            f"{self.skipped} stored before, {self.seconds:.0f} s"
        )


def execute(
    specs: Sequence[RunSpec],
    out: Path,
    *,
    jobs: int = 1,
    cache: Path | None = None,
    progress: bool = True,
    on_record: Callable[[Record], None] | None = None,
    takeover_seconds: float = STALE_SECONDS,
    backend: Backend = Backend(),  # noqa: B008  # immutable
) -> Summary:
    """Do every run that the results folder does not hold yet, each in a process of its own.

    Several executions may share one folder, on one machine or on several that see the same files: each run is
    claimed before it starts, and one whose runner is gone is taken over.

    Parameters
    ----------
    specs : sequence of RunSpec
        The plan.
    out : Path
        The results folder: records go to ``out/records``, the output of failed runs to ``out/logs``.
    jobs : int
        Runs at a time; each uses one thread.
    cache : Path or None
        The PMLB cache that the plan was made with.
    progress : bool
        Whether to show progress on stderr. Records set aside are named there in any case.
    on_record : callable, optional
        Called with each record after it is stored, in the calling thread.
    takeover_seconds : float
        Without a sign of life of a runner on another machine, after which its runs are taken over.
    backend : Backend
        Where runs are dispatched to; with dask, ``jobs`` is what its workers have threads for.

    Returns
    -------
    Summary
        Counts by status.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, after every running child is killed; finished records stay.
    """
    if jobs < 1:
        raise InputError(f"The number of jobs must be at least 1. Got {jobs}.")
    started = time.monotonic()
    store, support = Store(out), Support(cache)
    missing = store.missing(specs, support.can_run)
    to_run = missing.to_run
    elsewhere = 0
    with RunProgress(len(to_run), enabled=progress) as shown:
        for moved in missing.set_aside:
            shown.message(f"Record set aside: {moved}")
        _tell_unsupported(to_run, support, shown)
        if to_run:
            place = Workplace.of(to_run, out, cache, takeover_seconds)
            with dispatcher(backend, place, jobs) as dispatch:
                for outcome in _outcomes(to_run, missing.again, dispatch):
                    if outcome.record is None:
                        elsewhere += 1
                        shown.skip()
                        continue
                    shown.add(outcome.record)
                    if on_record is not None:
                        on_record(outcome.record)
        counts = dict(shown.counts)
    return Summary(
        planned=len(specs),
        skipped=len(specs) - len(to_run),
        counts=counts,
        elsewhere=elsewhere,
        set_aside=tuple(missing.set_aside),
        seconds=time.monotonic() - started,
    )


def _outcomes(specs: Sequence[RunSpec], again: frozenset[str], dispatch: Dispatch) -> Iterator[Outcome]:
    """Yield what became of each run; what another runner holds is looked at again until it is done."""
    waiting = specs
    while waiting:
        busy: list[RunSpec] = []
        for outcome in dispatch((spec, spec.run_id in again) for spec in waiting):
            if outcome.state == "busy":
                busy.append(outcome.spec)
            elif outcome.state != "cancelled":
                yield outcome
        if len(busy) == len(waiting):
            time.sleep(_POLL_SECONDS)
        waiting = busy


def _tell_unsupported(specs: Sequence[RunSpec], support: Support, shown: RunProgress) -> None:
    """Say before the start what cannot be run here; the records say it too."""
    reasons = Counter(reason for spec in specs if (reason := support.reason(spec)) is not None)
    for reason, count in reasons.most_common(_REASONS_SHOWN):
        shown.message(f"{count} runs will be recorded as unsupported: {reason}")
    if len(reasons) > _REASONS_SHOWN:
        rest = sum(reasons.values()) - sum(count for _, count in reasons.most_common(_REASONS_SHOWN))
        others = len(reasons) - _REASONS_SHOWN
        shown.message(f"{rest} more runs will be recorded as unsupported, for {others} other reasons")
