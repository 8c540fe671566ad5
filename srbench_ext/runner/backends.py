"""Where runs are dispatched to: threads of this process, or the workers of a dask scheduler, through joblib.

A run is a process of its own wherever it is dispatched to, so a worker only waits for it. Claims and records
lie in the results folder, which every worker has to see under the same path: a task that dask gives to
another worker, because the first one died, finds a dead claim and takes it over.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from joblib import Parallel, delayed, parallel_config

from srbench_ext.errors import ConfigError, InputError, MissingExtraError
from srbench_ext.record import RunSpec
from srbench_ext.runner.runs import Outcome, Runner, Workplace, close_runners, run_here

__all__ = ["Backend", "Dispatch", "dispatcher", "parse_backend"]

_CONNECT_SECONDS = 60.0

Dispatch = Callable[[Iterable[tuple[RunSpec, bool]]], Iterator[Outcome]]
"""Takes runs, each with whether it is done again, and yields what became of them, in any order."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Where runs are dispatched to: here, or to the dask scheduler at an address."""

    dask: str | None = None


def parse_backend(text: str) -> Backend:
    """Read ``local`` or ``dask@ADDRESS``.

    Examples
    --------
    >>> parse_backend("dask@tcp://10.0.0.1:8786")
    Backend(dask='tcp://10.0.0.1:8786')
    """
    kind, _, address = text.partition("@")
    if text == "local":
        return Backend()
    if kind == "dask" and address:
        return Backend(dask=address)
    raise InputError(f"A backend is local or dask@ADDRESS, as in dask@tcp://10.0.0.1:8786. Got {text!r}.")


@contextlib.contextmanager
def dispatcher(backend: Backend, place: Workplace, jobs: int) -> Iterator[Dispatch]:
    """Provide a :data:`Dispatch` while the block runs; on leaving it whatever still runs is stopped.

    Parameters
    ----------
    backend : Backend
        Where to.
    place : Workplace
        What a runner needs to know.
    jobs : int
        Runs at a time; dask does as many as its workers have threads.

    Raises
    ------
    MissingExtraError
        If dask is asked for and not installed.
    ConfigError
        If no scheduler answers.
    """
    if backend.dask is None:
        runner = Runner(place)
        try:
            yield lambda runs: _local(runner, jobs, runs)
        finally:
            runner.close()
        return
    with _client(backend.dask) as client, parallel_config(backend="dask", client=client):
        try:
            yield lambda runs: _on_dask(place, runs)
        finally:
            client.run(close_runners)


def _local(runner: Runner, jobs: int, runs: Iterable[tuple[RunSpec, bool]]) -> Iterator[Outcome]:
    parallel = Parallel(n_jobs=jobs, backend="threading", return_as="generator_unordered", pre_dispatch=jobs)
    return iter(parallel(delayed(runner.run)(spec, again=again) for spec, again in runs))


def _on_dask(place: Workplace, runs: Iterable[tuple[RunSpec, bool]]) -> Iterator[Outcome]:
    parallel = Parallel(n_jobs=-1, return_as="generator_unordered", batch_size=1)
    return iter(parallel(delayed(run_here)(place, spec, again) for spec, again in runs))


@contextlib.contextmanager
def _client(address: str) -> Iterator[Any]:
    if importlib.util.find_spec("distributed") is None:
        raise MissingExtraError("The backend dask", ["distributed"])
    from distributed import Client

    try:
        client: Any = cast("Any", Client)(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"No dask scheduler answers at {address}: {error}. Start one with `dask scheduler`, and workers "
            "with `dask worker ADDRESS --nthreads N`."
        ) from error
    with client:
        yield client
