"""What happens in the child: prepare the rows, fit, score, report after each stage."""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import time
import traceback
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from srbench_ext.data import Problem, add_noise, seed_of, split_rows, stream
from srbench_ext.errors import DataError, MissingExtraError
from srbench_ext.method import Candidate, FitResult, Method
from srbench_ext.record import FormulaText, FrontPoint, Record, RunSpec, Status, spec_from_mapping
from srbench_ext.registry import create
from srbench_ext.runner.environment import describe_environment
from srbench_ext.runner.protocol import RunRules
from srbench_ext.runner.scoring import Rows, score_accuracy, score_fit, score_recovery
from srbench_ext.runner.support import problem_of
from srbench_ext.runner.tables import kept_table

__all__ = ["Job", "Prepared", "prepare", "serve_job", "work"]

_TRACEBACK_CHARACTERS = 4000

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Job:
    """What the parent asks of a child.

    Attributes
    ----------
    spec : RunSpec
        The run.
    cache : str or None
        The PMLB cache.
    log : str
        The file that takes stdout and stderr.
    address_space : bool
        Whether to limit the address space; libraries that reserve much more than they use cannot live
        with it.
    """

    spec: RunSpec
    cache: str | None
    log: str
    address_space: bool

    def to_json(self) -> str:
        """Return the job as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: bytes) -> Job:
        """Read a job."""
        content = json.loads(text)
        return cls(**{**content, "spec": spec_from_mapping(content["spec"])})


class Channel:
    """Messages to the parent: one JSON object a line."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, **message: Any) -> None:
        """Send one message."""
        self._connection.sendall((json.dumps(message) + "\n").encode())

    def record(self, record: Record) -> None:
        """Send the record as it stands."""
        self.send(record=record.to_json())


def serve_job(connection: socket.socket, scratch: Path | None = None) -> None:
    """Read one job from the socket and do it; tables are kept for later runs in the scratch folder."""
    channel = Channel(connection)
    channel.send(pid=os.getpid())
    with connection.makefile("rb") as file:
        job = Job.from_json(file.readline())
    _redirect_output(job.log)
    memory = _rules(job.spec).memory_gb * 2**30
    if job.address_space:
        _limit_address_space(int(memory))
    work(job.spec, Path(job.cache) if job.cache else None, channel, scratch)
    channel.send(done=True)


def work(spec: RunSpec, cache: Path | None, channel: Channel, scratch: Path | None = None) -> None:
    """Do one run; every failure of the method becomes a typed record."""
    started = time.monotonic()
    record = Record(spec, "error", environment=describe_environment())
    try:
        prepared = prepare(spec, cache, scratch)
        record = replace(record, data_sha256=prepared.data_sha256, truth=prepared.truth_text)
        method = create(
            spec.method, **spec.parameters, max_seconds=spec.max_seconds, random_state=prepared.method_seed
        )
        method._phase_listener = lambda phase, entering: (
            channel.send(load=entering) if phase == "load" else None
        )
        setup = time.monotonic() - started
        channel.send(stage="fit")
        method.fit(prepared.train.X, prepared.train.y)
        channel.send(stage="score")
    except MissingExtraError as error:
        channel.record(replace(record, status="unsupported", error=str(error)))
        return
    except MemoryError as error:
        channel.record(replace(record, status="oom", error=f"MemoryError: {error}"))
        return
    except Exception:  # noqa: BLE001  # the border of the plugin: whatever it raises becomes a typed record
        channel.record(replace(record, status="error", error=traceback.format_exc()[-_TRACEBACK_CHARACTERS:]))
        return
    record = _fitted(record, method, prepared, setup)
    channel.record(record)
    scoring = time.monotonic()
    record = score_fit(record, method, prepared.train, prepared.test)
    channel.record(record)
    record = score_recovery(record, method.expression_, prepared.problem, prepared.test)
    channel.record(record)
    record = score_accuracy(record, method, prepared.problem, prepared.test)
    timings = {**record.timings, "score": time.monotonic() - scoring}
    channel.record(replace(record, timings=timings))


@dataclass(frozen=True, slots=True)
class Prepared:
    """The rows of a run.

    Attributes
    ----------
    problem : Problem
        Whose they are.
    train, test : Rows
        Train with noise; test without.
    method_seed : int
        ``random_state`` of the method.
    data_sha256 : str
        Hash of the table.
    truth_text : str or None
        The true formula.
    notes : dict
        What was done to the rows.
    """

    problem: Problem
    train: Rows
    test: Rows
    method_seed: int
    data_sha256: str
    truth_text: str | None
    notes: dict[str, Any]


def prepare(spec: RunSpec, cache: Path | None, scratch: Path | None = None) -> Prepared:
    """Load the table, split it, scale it if the protocol says so, and add noise to the training targets."""
    problem = problem_of(spec)
    table = kept_table(problem, cache if spec.source_kind == "cache" else None, scratch)
    if table.source != spec.source_kind:
        raise DataError(
            f"The plan says that {problem.suite}/{problem.name} comes from {spec.source_kind!r}, but it "
            f"came from {table.source!r}. Check the PMLB cache {cache}."
        )
    rules = _rules(spec)
    source: np.random.Generator | int
    if rules.split_seeds:
        source = rules.split_seeds[spec.trial]
    else:
        source = stream("split", spec.suite, spec.problem, spec.noise, spec.trial)
    train_rows, test_rows = split_rows(
        len(table.y), spec.n_rows, source, replace=rules.replacement, max_test_rows=rules.max_test_rows
    )
    X_train, y_train = table.X[train_rows], table.y[train_rows]
    X_test, y_test = table.X[test_rows], table.y[test_rows]
    notes: dict[str, Any] = {}
    if rules.standardise_without_truth and problem.formula is None:
        X_train, X_test = _standardise(X_train, X_test)
        y_train, y_test = _standardise(y_train, y_test)
        notes["scaling"] = "X and y standardised by the training rows; formula and errors are in those units"
    noise = stream("noise", spec.suite, spec.problem, spec.noise, spec.trial)
    y_train = add_noise(y_train, spec.noise, noise)
    names = list(table.feature_names)
    return Prepared(
        problem=problem,
        train=Rows(pd.DataFrame(X_train, columns=names), y_train),
        test=Rows(pd.DataFrame(X_test, columns=names), y_test),
        method_seed=seed_of("method", spec.suite, spec.problem, float(spec.noise), int(spec.trial)) % 2**31,
        data_sha256=table.sha256,
        truth_text=problem.formula,
        notes=notes,
    )


def _standardise(train: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return (train - mean) / deviation, (test - mean) / deviation


def _rules(spec: RunSpec) -> RunRules:
    values = dict(spec.protocol.values)
    return RunRules(**{**values, "split_seeds": tuple(values.get("split_seeds", ()))})


def _fitted(record: Record, method: Method, prepared: Prepared, setup: float) -> Record:
    """Return the record with everything that the fit found; nothing is scored yet."""
    result: FitResult = method.result_
    status: Status = "ok"
    timings = {"setup": setup, **result.timings}
    return replace(
        record,
        status=status,
        expression=None if method.expression_ is None else FormulaText.of(method.expression_),
        complexity=result.best.complexity,
        front=tuple(map(_point, result.front)),
        curve=tuple(map(_point, result.curve)),
        timings=timings,
        seconds=sum(seconds for phase, seconds in result.timings.items() if phase != "load"),
        counts=dict(result.counts),
        notes={**prepared.notes, **result.notes},
    )


def _point(candidate: Candidate) -> FrontPoint:
    formula = None if candidate.complexity is None else FormulaText.of(candidate.model)  # type: ignore[arg-type]
    return FrontPoint(formula, candidate.loss, candidate.complexity, candidate.seconds, candidate.source)


def _redirect_output(log: str) -> None:
    """Send everything that this process and its children print to the log."""
    sys.stdout.flush()
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(null, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(null)
    os.close(file)


def _limit_address_space(n_bytes: int) -> None:
    """Let the address space grow by at most this much over what is mapped already."""
    if not sys.platform.startswith("linux"):
        return
    with open("/proc/self/statm", encoding="ascii") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    limit = mapped + n_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
