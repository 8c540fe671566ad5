"""The plan: which runs a command asks for, as a sorted list of specifications."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from srbench_ext.data import Problem, load_suite, source_kind
from srbench_ext.errors import ConfigError, DataError, InputError
from srbench_ext.record import RunSpec
from srbench_ext.runner.identity import RESERVED, identity_of
from srbench_ext.runner.protocol import Protocol, load_protocol

__all__ = ["parse_settings", "parse_value", "plan"]


def plan(
    methods: Sequence[str],
    suites: Sequence[str] | None = None,
    protocol: str | Protocol = "quick",
    *,
    noise: Sequence[float] | None = None,
    trials: int | None = None,
    only: str | None = None,
    max_seconds: float | None = None,
    parameters: Mapping[str, Any] | None = None,
    cache: Path | None = None,
) -> list[RunSpec]:
    """Return the runs of methods on suites under a protocol.

    Parameters
    ----------
    methods : sequence of str
        Registered names, or ``name@preset``.
    suites : sequence of str or None
        None takes those of the protocol.
    protocol : str or Protocol
        Its name, or a protocol of one's own.
    noise : sequence of float or None
        Noise levels in place of the protocol's. Problems without a known formula keep the protocol's.
    trials : int or None
        Repetitions in place of the protocol's.
    only : str or None
        Keep problems whose name matches this pattern (``*`` and ``?``).
    max_seconds : float or None
        Seconds a run in place of the protocol's; this makes another protocol.
    parameters : mapping or None
        Parameters for every method; see :func:`parse_settings`.
    cache : Path or None
        The PMLB cache (see :func:`srbench_ext.data.find_cache`); without it tables are regenerated.

    Returns
    -------
    list of RunSpec
        Sorted by suite, problem, noise, trial and method, each once.

    Raises
    ------
    UnknownNameError
        For an unknown method, suite, protocol or parameter.
    InputError
        If nothing is left to run.
    DataError
        If no table at all is in the cache or can be regenerated. Where only some are not at hand, their runs
        are planned from the cache and leave ``unsupported`` records that say so.
    """
    rules = (load_protocol(protocol) if isinstance(protocol, str) else protocol).with_seconds(max_seconds)
    n_trials = _trials(rules, trials)
    identities = [_identity(name, parameters or {}) for name in dict.fromkeys(methods)]
    problems = _problems(suites or rules.suites, only)
    specs = [
        RunSpec(
            **identity,
            suite=problem.suite,
            problem=problem.name,
            source_kind=source,
            noise=level,
            trial=trial,
            protocol=stamp,
            max_seconds=rules.rules.max_seconds,
            n_rows=rules.rules.n_rows,
        )
        for stamp in [rules.stamp()]
        for problem, source in zip(problems, _sources(problems, cache), strict=True)
        for level in _levels(problem, rules, noise)
        for trial in range(n_trials)
        for identity in identities
    ]
    if not specs:
        raise InputError("Nothing to run: give at least one method, one noise level and one trial.")
    specs.sort(key=lambda s: (s.suite, s.problem, s.noise, s.trial, s.method))
    return list({spec.run_id: spec for spec in specs}.values())


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Read ``key=value`` settings; the value is TOML, or a plain word.

    Examples
    --------
    >>> parse_settings(["beam=10", "mode=skeleton", "scale=false", "lr=[1e-3, 1e-4]"])
    {'beam': 10, 'mode': 'skeleton', 'scale': False, 'lr': [0.001, 0.0001]}
    """
    parameters: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals or not key.isidentifier():
            raise ConfigError(f"A setting must read key=value. Got {setting!r}. For instance: --set beam=10")
        parameters[key] = parse_value(text.strip())
    return parameters


def parse_value(text: str) -> Any:
    """Read the value of a setting: TOML, or a plain word."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a plain word needs no quotes


def _trials(protocol: Protocol, trials: int | None) -> int:
    wanted = protocol.trials if trials is None else trials
    if wanted < 1:
        raise InputError(f"The number of trials must be at least 1. Got {wanted}.")
    seeds = protocol.rules.split_seeds
    if seeds and wanted > len(seeds):
        raise InputError(
            f"The protocol {protocol.name!r} has split seeds for {len(seeds)} trials. Got {wanted}."
        )
    return wanted


def _identity(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a specification that concern the method."""
    for key in RESERVED:
        if key in parameters:
            raise ConfigError(
                f"{key!r} cannot be set: the protocol and the trial determine it. "
                "Use --max-seconds or --trials instead."
            )
    return identity_of(name, parameters)


def _problems(suites: Sequence[str], only: str | None) -> list[Problem]:
    loaded = [load_suite(name) for name in suites]
    problems = {(p.suite, p.name): p for suite in loaded for p in suite.problems}
    kept = [p for p in problems.values() if only is None or fnmatch.fnmatchcase(p.name, only)]
    if not kept:
        raise InputError(
            f"No problem of {', '.join(suites)} matches {only!r}. "
            f"Names look like {next(iter(problems.values())).name!r}."
        )
    return kept


def _sources(problems: Sequence[Problem], cache: Path | None) -> list[Literal["cache", "regenerated"]]:
    """Return where each table comes from; one that is nowhere could only come from the cache."""
    kinds = [source_kind(problem, cache) for problem in problems]
    if not any(kinds):
        raise DataError(
            f"No table of {problems[0].suite}/{problems[0].name}{' and the others' if problems[1:] else ''}: "
            f"not in the cache ({cache or 'there is none'}), and they cannot be regenerated. "
            f"Run: srbench-ext data fetch {problems[0].suite}"
        )
    return [kind or "cache" for kind in kinds]


def _levels(problem: Problem, protocol: Protocol, noise: Sequence[float] | None) -> Sequence[float]:
    if problem.formula is None:
        return protocol.noise_without_truth
    return protocol.noise if noise is None else tuple(dict.fromkeys(noise))
