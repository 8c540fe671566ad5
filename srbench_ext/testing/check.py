"""Running the contract tests of a method and saying what to fix."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from srbench_ext.errors import ConfigError, MissingExtraError
from srbench_ext.registry import INTERPRETER_VARIABLE, PLUGINS_VARIABLE, adopt, describe

__all__ = ["HINTS", "CheckResult", "add_folder", "check"]

HINTS = {
    "test_parameters_survive_clone_and_get_params": (
        "__init__ takes keywords with defaults, stores each under its own name, passes max_seconds and "
        "random_state on, and does nothing else."
    ),
    "test_fit_returns_the_estimator_and_sets_what_it_learned": (
        "Write search() only; fit() and what it sets belong to the base class."
    ),
    "test_the_front_is_ordered_and_holds_the_choice": (
        "choose() returns one of the candidates of the front that it is given."
    ),
    "test_losses_are_those_of_the_formulas": "Yield the very expression whose constants were fitted.",
    "test_prediction_is_that_of_the_chosen_model": "Do not override predict(); give the model one.",
    "test_fit_leaves_its_inputs_alone": "search() must not write into X or y: copy what you change.",
    "test_equal_seeds_give_equal_results": (
        "Draw from run.rng alone, seed other libraries from it, and sort what comes out of sets."
    ),
    "test_fit_survives_pickling": "Keep no open files, lambdas or locks as attributes of the fitted method.",
    "test_fit_ends_at_the_deadline": (
        "Look at run.expired in every loop and pass run.deadline or run.remaining to what takes long."
    ),
    "test_formula_comes_back_in_odd_column_names": (
        "Write formulas over x0, x1, ... of the X that search() was given; the base class renames."
    ),
    "test_repeated_column_names_are_told_apart": "Do not look at column names: search() gets an array.",
    "test_a_constant_target_gives_that_constant": "Do not override fit(); it answers such targets itself.",
    "test_one_row_is_enough": "search() must not fail on one row; yielding nothing is allowed.",
    "test_a_few_rows_are_enough": "search() must not fail on three rows: mind splits and batches.",
    "test_a_single_column_is_enough": "search() must not fail on one column.",
    "test_columns_beyond_the_limit_are_dropped_and_named": (
        "Give the limit as max_features of the class; the base class drops the columns."
    ),
    "test_values_that_are_not_finite_are_refused_by_column": "Do not override fit(); it refuses NaN itself.",
    "test_targets_that_are_not_finite_are_refused": "Do not override fit(); it refuses NaN itself.",
}
"""What to do about each test of the contract that fails."""

_TEST = """\
from srbench_ext.testing import MethodContract


class TestMethod(MethodContract):
    method_name = {name!r}
    parameters = {parameters!r}
"""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What became of one test: its name, the message of a failure or a skip, and what to do about it."""

    test: str
    state: Literal["passed", "failed", "skipped"]
    message: str = ""
    hint: str = ""


def add_folder(method: str) -> str:
    """Return the name of a method that is given by its name or its folder; a folder is registered.

    Parameters
    ----------
    method : str
        A registered name, a folder with a ``method.toml``, or ``srbench:`` and a folder of SRBench's shape.
    """
    method = adopt(method)
    folder = Path(method).resolve()
    if not (folder / "method.toml").is_file():
        return method
    others = [p for p in os.environ.get(PLUGINS_VARIABLE, "").split(os.pathsep) if p]
    if str(folder.parent) not in others and folder.parent.name != "methods":
        os.environ[PLUGINS_VARIABLE] = os.pathsep.join([*others, str(folder.parent)])
    return folder.name


def check(
    method: str, parameters: Mapping[str, Any] | None = None, seconds: float = 600.0
) -> list[CheckResult]:
    """Run the contract tests of a method in a process of their own.

    The method's own ``test_method.py`` is run where it has one, since it knows with which parameters a fit
    ends soon; else the contract with the given parameters.

    Parameters
    ----------
    method : str
        A registered name.
    parameters : mapping or None
        With which a fit on 60 rows ends within a second or two; given, they go before the method's own tests.
    seconds : float
        For all tests.

    Raises
    ------
    MissingExtraError
        If pytest is not installed.
    ConfigError
        If the tests do not come to an end, or there are none.
    """
    if importlib.util.find_spec("pytest") is None:
        raise MissingExtraError("Checking a method", ["pytest"])
    info = describe(method)
    own = None if info.folder is None else info.folder / "test_method.py"
    with tempfile.TemporaryDirectory(prefix="srbench-ext-check-") as scratch:
        tests = Path(scratch) / "test_contract.py"
        if own is not None and own.is_file() and not parameters:
            tests.write_text(own.read_text(encoding="utf-8"), encoding="utf-8")
        else:
            tests.write_text(_TEST.format(name=method, parameters=dict(parameters or {})), encoding="utf-8")
        results = Path(scratch) / "results.xml"
        command = [
            info.python or sys.executable, "-m", "pytest", str(tests), "--quiet", "--import-mode=importlib",
            f"--rootdir={scratch}", f"--junitxml={results}", "-p", "no:cacheprovider",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
                cwd=scratch,
                env=os.environ | ({INTERPRETER_VARIABLE: info.python} if info.python else {}),
            )
        except subprocess.TimeoutExpired as error:
            raise ConfigError(
                f"The tests of {method!r} are not done after {seconds:g} s. Give parameters with which a fit "
                "ends soon, as in --set n_generations=3, or write them into the method's test_method.py."
            ) from error
        if not results.is_file():
            raise ConfigError(
                f"The tests of {method!r} could not be run:\n{(done.stdout + done.stderr)[-2000:]}"
            )
        return _read(results)


def _read(results: Path) -> list[CheckResult]:
    found = []
    for case in ElementTree.parse(results).getroot().iter("testcase"):
        name = case.get("name", "")
        bad = [child for child in case if child.tag in ("failure", "error")]
        skipped = case.find("skipped")
        if bad:
            hint = HINTS.get(name.partition("[")[0], "")
            found.append(CheckResult(name, "failed", _message(bad[0]), hint))
        elif skipped is not None:
            found.append(CheckResult(name, "skipped", skipped.get("message", "")))
        else:
            found.append(CheckResult(name, "passed"))
    return found


def _message(element: ElementTree.Element) -> str:
    """Return the last lines of a failure that pytest marks as its reason."""
    lines = [line[1:].strip() for line in (element.text or "").splitlines() if line.startswith("E ")]
    return "\n".join(lines[:6]) or element.get("message", "")
