"""Sweeps: one method at several values of one setting, everything else equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from srbench_ext.errors import ConfigError
from srbench_ext.record import RunSpec
from srbench_ext.runner.planning import parse_value, plan
from srbench_ext.runner.protocol import load_protocol

__all__ = ["PROTOCOL_SETTINGS", "parse_values", "plan_sweep"]

PROTOCOL_SETTINGS = ("seconds", "rows", "noise")
"""What can be swept beside the parameters of a method: seconds a run, training rows, noise levels."""


def parse_values(text: str) -> list[Any]:
    """Read the values of a sweep, separated by commas.

    Raises
    ------
    ConfigError
        If there are fewer than two different ones.

    Examples
    --------
    >>> parse_values("1,2,4"), parse_values("beam, sampling")
    ([1, 2, 4], ['beam', 'sampling'])
    """
    values = [parse_value(part.strip()) for part in text.split(",") if part.strip()]
    distinct = [value for i, value in enumerate(values) if value not in values[:i]]
    if len(distinct) < 2:
        raise ConfigError(
            f"A sweep takes two values or more, separated by commas, as in 1,2,4. Got {text!r}."
        )
    return distinct


def plan_sweep(
    method: str,
    parameter: str,
    values: Sequence[Any],
    suites: Sequence[str] | None = None,
    protocol: str = "quick",
    *,
    noise: Sequence[float] | None = None,
    trials: int | None = None,
    only: str | None = None,
    max_seconds: float | None = None,
    parameters: Mapping[str, Any] | None = None,
    cache: Path | None = None,
) -> list[RunSpec]:
    """Return the runs of a sweep.

    Parameters
    ----------
    method : str
        A registered name, or ``name@preset``.
    parameter : str
        One of :data:`PROTOCOL_SETTINGS`, or a parameter of the method.
    values : sequence
        What it takes.
    suites, protocol, noise, trials, only, max_seconds, parameters, cache
        As for :func:`~srbench_ext.runner.planning.plan`; what is swept cannot be given as well.

    Returns
    -------
    list of RunSpec
        Value by value, in the order of the plan.

    Raises
    ------
    ConfigError
        If the setting is given a second time, or a value is no number where it has to be.
    UnknownNameError
        For an unknown method, suite, protocol or parameter.
    """
    given = {"seconds": max_seconds, "noise": noise, **(parameters or {})}
    if given.get(parameter) is not None:
        raise ConfigError(
            f"{parameter!r} is swept and cannot have a value of its own. Leave one of them out."
        )
    rules = load_protocol(protocol).with_seconds(max_seconds)
    shared: dict[str, Any] = {"trials": trials, "only": only, "cache": cache}
    if parameter in PROTOCOL_SETTINGS:
        _check_numbers(parameter, values)
    if parameter == "noise":
        return plan([method], suites, rules, noise=values, parameters=parameters, **shared)
    specs: list[RunSpec] = []
    for value in values:
        changed, settings = rules, dict(parameters or {})
        if parameter == "seconds":
            changed = rules.with_seconds(value)
        elif parameter == "rows":
            changed = rules.with_rows(value)
        else:
            settings[parameter] = value
        specs += plan([method], suites, changed, noise=noise, parameters=settings, **shared)
    return specs


def _check_numbers(parameter: str, values: Sequence[Any]) -> None:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"The values of {parameter!r} must be numbers. Got {value!r}.")
