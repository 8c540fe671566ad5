"""Suites of problems, read from folders under ``datasets/``: a ``suite.toml`` and a ``problems.csv`` each."""

from __future__ import annotations

import csv
import fnmatch
import importlib.util
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

from srbench_ext.data.problem import OdeSystem, Problem, Solver
from srbench_ext.errors import ConfigError, UnknownNameError, check_keys

__all__ = ["Suite", "load_suite", "read_suite", "select", "suite_names", "suites"]

_KEYS = ("title", "summary", "source", "licence", "notes", "regeneration", "fetch", "parts")
_REGENERATION_KEYS = {
    "uniform": ("kind", "n_rows"),
    "ode": ("kind", "solver", "step", "n_steps", "initial_states"),
}
_COLUMNS = (
    "name", "formula", "features", "lows", "highs", "n_rows", "n_features", "n_categorical", "n_bytes",
    "sha256", "target", "system", "derivative_of",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suite:
    """A named list of problems and where their facts come from.

    Attributes
    ----------
    name : str
        Name of its folder.
    title, summary : str
        One line each, for lists and tables.
    problems : tuple of Problem
        Sorted by name; a problem taken from another suite keeps that suite's name.
    source, notes : tuple of str
        Where each fact comes from, and what to know about it.
    licence : str
        Terms of the data, as far as they are known.
    refs : tuple of str
        Commits or branches of PMLB's repository to fetch this suite's own tables from, in order.
    """

    name: str
    title: str
    summary: str
    problems: tuple[Problem, ...]
    source: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    licence: str = ""
    refs: tuple[str, ...] = ()


def suite_names() -> list[str]:
    """Return the names of the suites that are installed, sorted."""
    return sorted(_folders())


def suites() -> dict[str, Suite]:
    """Return every installed suite by its name."""
    return {name: load_suite(name) for name in suite_names()}


@cache
def load_suite(name: str) -> Suite:
    """Return a suite.

    Parameters
    ----------
    name : str
        One of :func:`suite_names`.

    Raises
    ------
    UnknownNameError
        No such suite; the message names the nearest.
    ConfigError
        Its files do not fit the schema of ``docs/add-a-dataset.md``.
    """
    folders = _folders()
    if name not in folders:
        raise UnknownNameError("suite", name, folders)
    return read_suite(folders[name])


def select(suite: Suite, pattern: str) -> tuple[Problem, ...]:
    """Return the problems of a suite whose name fits a shell pattern such as ``feynman_I_*``.

    Raises
    ------
    UnknownNameError
        None fits.
    """
    chosen = tuple(p for p in suite.problems if fnmatch.fnmatchcase(p.name, pattern))
    if not chosen:
        raise UnknownNameError(f"problem of suite {suite.name!r}", pattern, [p.name for p in suite.problems])
    return chosen


def read_suite(folder: Path) -> Suite:
    """Read a suite from its folder (see :func:`load_suite` for the installed ones).

    Parameters
    ----------
    folder : Path
        Holds ``suite.toml``, and ``problems.csv`` unless it only refers to other suites.

    Raises
    ------
    ConfigError
        An unknown key or column, a missing fact, or a name that is listed twice.
    """
    path = folder / "suite.toml"
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    check_keys(config, _KEYS, path)
    _require(config, ("title", "summary"), path)
    own = _read_problems(folder, config.get("regeneration", {}))
    problems = own + [p for part in config.get("parts", ()) for p in _read_part(part, path)]
    _check_unique(problems, path)
    return Suite(
        name=folder.name,
        title=config["title"],
        summary=config["summary"],
        problems=tuple(sorted(problems, key=lambda p: p.name)),
        source=tuple(config.get("source", ())),
        notes=tuple(config.get("notes", ())),
        licence=config.get("licence", ""),
        refs=tuple(config.get("fetch", {}).get("refs", ())),
    )


def _folders() -> dict[str, Path]:
    """Return name -> folder of every suite, from the installed package or the checkout beside this one."""
    spec = importlib.util.find_spec("srbench_ext.datasets")
    roots = [Path(p) for p in (spec.submodule_search_locations or ())] if spec else []
    roots.append(Path(__file__).resolve().parents[2] / "datasets")  # a checkout that is not installed
    found: dict[str, Path] = {}
    for root in roots:
        for path in root.glob("*/suite.toml"):
            found.setdefault(path.parent.name, path.parent)
    return found


def _read_part(part: Mapping[str, Any], path: Path) -> tuple[Problem, ...]:
    check_keys(part, ("suite", "problems"), path, "key of [[parts]]")
    _require(part, ("suite",), path)
    problems = load_suite(part["suite"]).problems
    if "problems" not in part:
        return problems
    by_name = {p.name: p for p in problems}
    for name in part["problems"]:
        if name not in by_name:
            raise ConfigError(f"{path}: {UnknownNameError('problem', name, by_name)}")
    return tuple(by_name[name] for name in part["problems"])


def _read_problems(folder: Path, regeneration: Mapping[str, Any]) -> list[Problem]:
    path = folder / "problems.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        check_keys(reader.fieldnames or (), _COLUMNS, path, "column")
        rows = [{key: value for key, value in row.items() if value} for row in reader]
    for row in rows:
        _require(row, ("name", "n_rows"), path)
    try:
        problems = [_problem(folder.name, row) for row in rows]
    except ValueError as error:
        raise ConfigError(f"{path}: {error}.") from error
    return _with_regeneration(problems, rows, regeneration, folder / "suite.toml")


def _problem(suite: str, row: Mapping[str, str]) -> Problem:
    features = tuple(row.get("features", "").split())
    n_features = int(row.get("n_features", len(features)))
    lows, highs = (tuple(map(float, row[key].split())) if key in row else None for key in ("lows", "highs"))
    sizes = {len(values) for values in (features or None, lows, highs) if values is not None}
    if n_features < 1 or sizes - {n_features}:
        raise ValueError(
            f"{row['name']}: features, lows and highs must have the same number of entries, at least 1"
        )
    return Problem(
        suite=suite,
        name=row["name"],
        n_rows=int(row["n_rows"]),
        n_features=n_features,
        sha256=row.get("sha256"),
        n_bytes=int(row["n_bytes"]) if "n_bytes" in row else None,
        formula=row.get("formula"),
        feature_names=features,
        lows=lows,
        highs=highs,
        n_categorical=int(row["n_categorical"]) if "n_categorical" in row else None,
        target_column=row.get("target", "target"),
    )


def _with_regeneration(
    problems: list[Problem], rows: list[dict[str, str]], regeneration: Mapping[str, Any], path: Path
) -> list[Problem]:
    """Give each problem what its rows can be made from."""
    if not regeneration:
        return problems
    kind = regeneration.get("kind")
    if kind not in _REGENERATION_KEYS:
        raise ConfigError(
            f"{path}: regeneration.kind must be one of {', '.join(_REGENERATION_KEYS)}. Got {kind!r}."
        )
    check_keys(regeneration, _REGENERATION_KEYS[kind], path, "key of [regeneration]")
    _require(regeneration, _REGENERATION_KEYS[kind], path)
    if kind == "ode" and regeneration["solver"] not in get_args(Solver):
        raise ConfigError(
            f"{path}: solver must be one of {get_args(Solver)}. Got {regeneration['solver']!r}."
        )
    if kind == "uniform":
        return [replace(p, uniform_rows=int(regeneration["n_rows"])) for p in problems]
    formulas = {
        (row.get("system"), row.get("derivative_of")): p.formula or ""
        for row, p in zip(rows, problems, strict=True)
    }
    with_system = []
    for row, problem in zip(rows, problems, strict=True):
        try:
            system = OdeSystem(
                derivatives=tuple(formulas[row["system"], state] for state in problem.feature_names),
                initial_states=tuple(
                    tuple(map(float, s)) for s in regeneration["initial_states"][row["system"]]
                ),
                step=float(regeneration["step"]),
                n_steps=int(regeneration["n_steps"]),
                solver=regeneration["solver"],
            )
        except KeyError as error:
            raise ConfigError(
                f"{path}: {problem.name} lacks {error}: system, derivative or initial states."
            ) from error
        with_system.append(replace(problem, system=system))
    return with_system


def _check_unique(problems: Iterable[Problem], path: Path) -> None:
    seen: set[str] = set()
    for problem in problems:
        if problem.name in seen:
            raise ConfigError(
                f"{path}: problem {problem.name!r} is listed twice. Names must be unique in a suite."
            )
        seen.add(problem.name)


def _require(mapping: Mapping[str, Any], keys: Iterable[str], path: Path) -> None:
    missing = [key for key in keys if key not in mapping]
    if missing:
        raise ConfigError(f"{path}: missing {', '.join(missing)} in {dict(mapping)!r:.200}.")
