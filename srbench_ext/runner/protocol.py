"""Protocols: the rules of a comparison, read from the TOML files of ``srbench_ext/protocols``."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from srbench_ext.errors import ConfigError, UnknownNameError, check_keys
from srbench_ext.record import ProtocolStamp

__all__ = ["Protocol", "RunRules", "load_protocol", "protocol_names"]

_HASH_LENGTH = 16


@dataclass(frozen=True, slots=True)
class RunRules:
    """What a protocol says about each single run; these values make its hash.

    Attributes
    ----------
    max_seconds : float
        Seconds for ``fit``, loading of weights apart.
    n_rows : int or None
        Most training rows, drawn after the split; None for all.
    replacement : bool
        Whether training rows are drawn with replacement when a table has more than ``n_rows`` rows.
    max_test_rows : int or None
        Most test rows; None for all.
    split_seeds : tuple of int
        One seed a trial for scikit-learn's split; empty: the project's own streams.
    standardise_without_truth : bool
        Whether tables without a known formula are scaled to mean 0 and standard deviation 1, X and y, by
        their training rows.
    memory_gb : float
        Most resident memory of a run, in 2**30 bytes.
    """

    max_seconds: float
    n_rows: int | None = None
    replacement: bool = False
    max_test_rows: int | None = None
    split_seeds: tuple[int, ...] = ()
    standardise_without_truth: bool = False
    memory_gb: float = 8.0

    @property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the sha256 of these values as canonical JSON."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]


@dataclass(frozen=True, slots=True)
class Protocol:
    """The rules of a comparison.

    Attributes
    ----------
    name, title, summary, source : str
        Its name and one line each.
    suites : tuple of str
        The suites that are run when no other is asked for.
    noise : tuple of float
        Noise levels of problems with a known formula.
    noise_without_truth : tuple of float
        Noise levels of the others.
    trials : int
        Repetitions, numbered from 0.
    rules : RunRules
        What holds for each run.
    """

    name: str
    title: str
    summary: str
    source: str
    suites: tuple[str, ...]
    noise: tuple[float, ...]
    noise_without_truth: tuple[float, ...]
    trials: int
    rules: RunRules

    def with_seconds(self, max_seconds: float | None) -> Protocol:
        """Return the protocol with other seconds a run: another protocol, such as ``quick+30s``."""
        if max_seconds is None or max_seconds == self.rules.max_seconds:
            return self
        if not math.isfinite(max_seconds) or max_seconds <= 0:
            raise ConfigError(f"The seconds of a run must be a positive number. Got {max_seconds!r}.")
        name = f"{self.name.partition('+')[0]}+{max_seconds:g}s"
        return replace(self, name=name, rules=replace(self.rules, max_seconds=float(max_seconds)))

    def with_rows(self, n_rows: int) -> Protocol:
        """Return the protocol with another limit of training rows: another protocol, ``quick+200rows``."""
        if n_rows == self.rules.n_rows:
            return self
        if not isinstance(n_rows, int) or n_rows < 2:
            raise ConfigError(f"The training rows of a run must be an integer from 2 on. Got {n_rows!r}.")
        return replace(self, name=f"{self.name}+{n_rows}rows", rules=replace(self.rules, n_rows=n_rows))

    def stamp(self) -> ProtocolStamp:
        """Return what a record says of the protocol."""
        values = dataclasses.asdict(self.rules)
        return ProtocolStamp(
            self.name, self.rules.hash, values | {"split_seeds": list(self.rules.split_seeds)}
        )


def protocol_names() -> list[str]:
    """Return the names of the protocols, sorted."""
    return sorted(_texts())


def load_protocol(name: str) -> Protocol:
    """Read a protocol.

    Raises
    ------
    UnknownNameError
        With the nearest names.
    """
    texts = _texts()
    if name not in texts:
        raise UnknownNameError("protocol", name, texts)
    return read_protocol(name, texts[name])


def read_protocol(name: str, text: str) -> Protocol:
    """Read a protocol from TOML text.

    Raises
    ------
    ConfigError
        If the text is not TOML, or a key is missing, unknown, or of the wrong type.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The protocol {name!r} is not TOML: {error}.") from error
    check_keys(table, {"title", "summary", "source", "plan", "run"}, f"The protocol {name!r}")
    plan, run = table.get("plan", {}), table.get("run", {})
    _check_table(name, "plan", plan, {"suites", "noise", "noise_without_truth", "trials"})
    _check_table(name, "run", run, {f.name for f in dataclasses.fields(RunRules)})
    try:
        return Protocol(
            name=name,
            title=str(table["title"]),
            summary=str(table["summary"]),
            source=str(table["source"]),
            suites=tuple(map(str, plan["suites"])),
            noise=tuple(map(float, plan["noise"])),
            noise_without_truth=tuple(map(float, plan["noise_without_truth"])),
            trials=int(plan["trials"]),
            rules=_rules(run),
        )
    except KeyError as error:
        raise ConfigError(f"The protocol {name!r} lacks the key {error}. Add it.") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"The protocol {name!r} has a value of the wrong type: {error}.") from error


def _rules(run: Mapping[str, Any]) -> RunRules:
    return RunRules(
        max_seconds=float(run["max_seconds"]),
        n_rows=None if "n_rows" not in run else int(run["n_rows"]),
        replacement=bool(run.get("replacement", False)),
        max_test_rows=None if "max_test_rows" not in run else int(run["max_test_rows"]),
        split_seeds=tuple(map(int, run.get("split_seeds", ()))),
        standardise_without_truth=bool(run.get("standardise_without_truth", False)),
        memory_gb=float(run.get("memory_gb", 8.0)),
    )


def _check_table(name: str, key: str, table: object, known: set[str]) -> None:
    if not isinstance(table, Mapping):
        raise ConfigError(f"The protocol {name!r} must hold a table {key!r}. Got {table!r}.")
    check_keys(table, known, f"The protocol {name!r}", f"key of [{key}]")


def _texts() -> dict[str, str]:
    folder = files("srbench_ext") / "protocols"
    return {
        entry.name.removesuffix(".toml"): entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    }
