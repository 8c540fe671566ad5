"""Ablations: the rows that a method's ``ablation.toml`` compares, as one plan."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srbench_ext.errors import ConfigError, check_keys
from srbench_ext.record import RunSpec
from srbench_ext.registry import describe
from srbench_ext.runner.planning import plan

__all__ = ["Ablation", "AblationRow", "load_ablation", "read_ablation"]

FILE = "ablation.toml"


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One row: ``method`` is a name or ``name@preset``, ``what`` says what differs."""

    method: str
    what: str


@dataclass(frozen=True, slots=True)
class Ablation:
    """What an ablation runs.

    Attributes
    ----------
    title : str
    suites : tuple of str
    protocol : str
        Its rules hold for every run, but for the seconds.
    max_seconds : float
        Of every row alike.
    trials : int
    noise : tuple of float
    rows : tuple of AblationRow
    parameters : mapping
        Of every row alike, such as a number of decodes; optional.
    parameters_of : mapping of str to mapping
        Of every row of one method, by its name; optional.
    """

    title: str
    suites: tuple[str, ...]
    protocol: str
    max_seconds: float
    trials: int
    noise: tuple[float, ...]
    rows: tuple[AblationRow, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    parameters_of: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def plan(
        self,
        *,
        max_seconds: float | None = None,
        trials: int | None = None,
        only: str | None = None,
        cache: Path | None = None,
    ) -> list[RunSpec]:
        """Return the runs; what is given here stands in place of the file's."""
        specs = [
            spec
            for row in self.rows
            for spec in plan(
                [row.method],
                self.suites,
                self.protocol,
                noise=self.noise,
                trials=self.trials if trials is None else trials,
                only=only,
                max_seconds=self.max_seconds if max_seconds is None else max_seconds,
                parameters={**self.parameters, **self.parameters_of.get(row.method.partition("@")[0], {})},
                cache=cache,
            )
        ]
        return sorted(specs, key=lambda spec: (spec.trial, spec.suite, spec.problem, spec.noise))


def load_ablation(method: str) -> Ablation:
    """Read the ablation of a method.

    Raises
    ------
    UnknownNameError
        If there is no such method.
    ConfigError
        If it has none, or a key is missing, unknown or of the wrong type.
    """
    folder = describe(method).folder
    path = None if folder is None else folder / FILE
    if path is None or not path.is_file():
        raise ConfigError(
            f"The method {method!r} has no ablation: {FILE} in its folder, with the rows to compare. Add it."
        )
    return read_ablation(path.read_text("utf8"), f"{method}/{FILE}")


def read_ablation(text: str, name: str) -> Ablation:
    """Read an ablation from TOML text; ``name`` is what errors call it."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is not TOML: {error}.") from error
    check_keys(table, Ablation.__dataclass_fields__, name)
    try:
        rows = tuple(_row(name, row) for row in table["rows"])
        if not rows:
            raise ConfigError(f"{name} has no rows. Add [[rows]] with 'method' and 'what'.")
        return Ablation(
            title=str(table["title"]),
            suites=tuple(map(str, table["suites"])),
            protocol=str(table["protocol"]),
            max_seconds=float(table["max_seconds"]),
            trials=int(table["trials"]),
            noise=tuple(map(float, table["noise"])),
            rows=rows,
            parameters=dict(table.get("parameters", {})),
            parameters_of={of: dict(values) for of, values in table.get("parameters_of", {}).items()},
        )
    except KeyError as error:
        raise ConfigError(f"{name} lacks the key {error}. Add it.") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} has a value of the wrong type: {error}.") from error


def _row(name: str, row: Any) -> AblationRow:
    if not isinstance(row, Mapping):
        raise ConfigError(f"{name}: a row must be a table with 'method' and 'what'. Got {row!r}.")
    check_keys(row, AblationRow.__dataclass_fields__, name)
    return AblationRow(str(row["method"]), str(row["what"]))
