"""Where runs are dispatched to: threads of this process, a dask scheduler (both by joblib), or a ray cluster.

A run is a process of its own wherever it is dispatched to, so a worker only waits for it. Claims and records
lie in the results folder, which every worker has to see under the same path: a task that dask or ray gives to
another worker, because the first one died, finds a dead claim and takes it over. Ray's backend for joblib
neither yields results as they come nor survives a worker, so runs are ray's own tasks.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from joblib import Parallel, delayed, parallel_config

from srbench_ext.errors import ConfigError, InputError, MissingExtraError
from srbench_ext.record import RunSpec
from srbench_ext.runner.runs import Outcome, Runner, Workplace, close_runners, run_here

__all__ = ["Backend", "Dispatch", "dispatcher", "parse_backend"]

_CONNECT_SECONDS = 60.0
_RETRIES = 5  # of a run whose ray worker died

Dispatch = Callable[[Iterable[tuple[RunSpec, bool]]], Iterator[Outcome]]
"""Takes runs, each with whether it is done again, and yields what became of them, in any order."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Where runs are dispatched to: here, or to the dask scheduler or the ray cluster at an address."""

    dask: str | None = None
    ray: str | None = None


def parse_backend(text: str) -> Backend:
    """Read ``local``, ``dask@ADDRESS`` or ``ray@ADDRESS``.

    Examples
    --------
    >>> parse_backend("dask@tcp://10.0.0.1:8786")
    Backend(dask='tcp://10.0.0.1:8786', ray=None)
    """
    kind, _, address = text.partition("@")
    if text == "local":
        return Backend()
    if kind == "dask" and address:
        return Backend(dask=address)
    if kind == "ray" and address:
        return Backend(ray=address)
    raise InputError(
        "A backend is local, dask@ADDRESS or ray@ADDRESS, as in dask@tcp://10.0.0.1:8786 and "
        f"ray@10.0.0.1:6379. Got {text!r}."
    )


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
        Runs at a time here; dask does as many as its workers have threads, ray as many as it has CPUs.

    Raises
    ------
    MissingExtraError
        If dask or ray is asked for and not installed.
    ConfigError
        If nobody answers at the address.
    """
    if backend.ray is not None:
        with _ray_cluster(backend.ray) as ray:
            yield lambda runs: _on_ray(ray, place, runs)
        return
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


@contextlib.contextmanager
def _ray_cluster(address: str) -> Iterator[Any]:
    """Join a ray cluster; on leaving it ray ends the workers, and with them what they still do."""
    if importlib.util.find_spec("ray") is None:
        raise MissingExtraError("The backend ray", ["ray"])
    import ray

    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"No ray cluster answers at {address}: {error}. Start one with `ray start --head`, and join it "
            "with `ray start --address ADDRESS`."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _on_ray(ray: Any, place: Workplace, runs: Iterable[tuple[RunSpec, bool]]) -> Iterator[Outcome]:
    """Keep every CPU of the cluster busy; a task whose worker dies is given to another one by ray."""
    task = ray.remote(num_cpus=1, max_retries=_RETRIES)(run_here)
    left = iter(runs)
    pending: list[Any] = []
    while True:
        slots = max(1, int(ray.cluster_resources().get("CPU", 1)))
        for spec, again in itertools.islice(left, max(0, slots - len(pending))):
            pending.append(task.remote(place, spec, again))
        if not pending:
            return
        done, pending = ray.wait(pending)
        yield from ray.get(done)
