"""What of a method is part of a run's identity, asked of the interpreter that the method runs in.

Started as ``python -m srbench_ext.runner.identity``, for a method with an interpreter of its own, it reads
``{"name": ..., "parameters": ...}`` and writes the identity, or ``{"error": ..., "kind": ...}``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import srbench_ext
from srbench_ext import errors
from srbench_ext.errors import ConfigError, MissingExtraError, SrbenchError
from srbench_ext.registry import INTERPRETER_VARIABLE, check_parameters, create, describe

__all__ = ["RESERVED", "identity_of"]

RESERVED = ("max_seconds", "random_state")
"""Parameters that the protocol and the trial determine."""

_SECONDS = 120.0


def identity_of(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a specification that concern the method.

    Parameters
    ----------
    name : str
        A name, or ``name@preset``.
    parameters : mapping
        What differs from the defaults.

    Raises
    ------
    UnknownNameError
        For a method, preset or parameter that does not exist.
    InputError
        For a parameter's value that the method does not allow.
    ConfigError
        For an interpreter in which this package cannot be used.
    """
    base, _, preset = name.partition("@")
    info = describe(base)
    if info.python is not None and os.environ.get(INTERPRETER_VARIABLE) != info.python:
        return _asked_of(info.python, name, parameters)
    try:
        check_parameters(base, parameters)
        method = create(name, **parameters)
        method.check_parameters()
    except MissingExtraError:
        # planned all the same: the run leaves a record that says what is missing
        return {
            "method": base,
            "method_version": "not installed",
            "parameters": dict(parameters),
            "weights_sha256": None,
        }
    chosen = dict(info.parameters) | dict(info.presets.get(preset, {})) | dict(parameters)
    return {
        "method": base,
        "method_version": method.version,
        "parameters": {key: chosen[key] for key in sorted(chosen) if key not in RESERVED},
        "weights_sha256": method.weights_sha256,
    }


def _asked_of(python: str, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [python, "-m", "srbench_ext.runner.identity"],
            input=json.dumps({"name": name, "parameters": dict(parameters)}),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env=os.environ | {INTERPRETER_VARIABLE: python},
        )
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise ConfigError(
            f"The method {name!r} names the interpreter {python}, in which srbench-ext cannot be used. "
            f"Run: {python} -m pip install srbench-ext=={srbench_ext.__version__}"
        ) from error
    if "error" in answer:
        kind = (
            ConfigError
            if answer["kind"] not in ("InputError", "DataError")
            else getattr(errors, answer["kind"])
        )
        raise kind(f"{answer['error']} (said by {python})")
    return answer


def _main() -> None:
    asked = json.load(sys.stdin)
    try:
        answer = identity_of(asked["name"], asked["parameters"])
    except SrbenchError as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    print(json.dumps(answer))


if __name__ == "__main__":
    _main()
