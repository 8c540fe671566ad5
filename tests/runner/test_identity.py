from __future__ import annotations

import sys

import pytest

from srbench_ext import registry
from srbench_ext.errors import ConfigError, InputError
from srbench_ext.runner import Store, execute, plan
from srbench_ext.runner.identity import identity_of

from .chaos import PROTOCOL

TOML = """
name = "apart"
class = "method:Apart"
summary = "runs in an interpreter of its own"
python = "{python}"
"""
METHOD = """
import os
from srbench_ext.expression import Expression
from srbench_ext.method import Candidate, Method

if os.environ.get("OF_ITS_OWN") != "yes":
    raise ImportError("this interpreter lacks what the method needs")


class Apart(Method):
    name = "apart"
    version = "7"

    def __init__(self, *, max_seconds=60.0, random_state=0, depth=3):
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.depth = depth

    def search(self, X, y, run):
        run.note("own", os.environ["OF_ITS_OWN"])
        yield Candidate(Expression(("x0",)))
"""


@pytest.fixture
def apart(tmp_path, monkeypatch):
    """A method that only its own interpreter can import."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nOF_ITS_OWN=yes exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    folder = tmp_path / "plugins" / "apart"
    folder.mkdir(parents=True)
    (folder / "method.toml").write_text(TOML.format(python=python))
    (folder / "method.py").write_text(METHOD)
    monkeypatch.setenv(registry.PLUGINS_VARIABLE, str(tmp_path / "plugins"))
    return python


def test_a_method_runs_in_the_interpreter_that_it_names(apart, tmp_path):
    (spec,) = plan(["apart"], None, PROTOCOL, only="strogatz_vdp1", parameters={"depth": 5})
    assert (spec.method_version, spec.parameters) == ("7", {"depth": 5})
    execute([spec], tmp_path / "out", progress=False)
    record = Store(tmp_path / "out").load(spec.run_id)
    assert (record.status, record.notes["own"]) == ("ok", "yes"), record.error


def test_what_that_interpreter_refuses_is_an_error_here(apart):
    with pytest.raises(ConfigError, match=r"Did you mean 'depth'.*said by"):
        identity_of("apart", {"deepth": 5})


def test_an_interpreter_without_the_package_gives_the_line_to_run(apart):
    apart.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(ConfigError, match=r"-m pip install srbench-ext=="):
        identity_of("apart", {})


def test_an_interpreter_that_is_nowhere_is_refused(apart):
    apart.unlink()
    with pytest.raises(ConfigError, match="full path of an interpreter"):
        registry.names()


def test_methods_of_this_interpreter_are_asked_here():
    assert identity_of("linear", {"n_alphas": 3})["parameters"] == {"n_alphas": 3}


@pytest.mark.parametrize(
    ("name", "parameters", "allowed"),
    [
        ("linear", {"n_alphas": 0}, "n_alphas.*an integer of at least 1. Got 0"),
        ("evolve", {"max_rounds": 1.5}, "max_rounds.*an integer of at least 0. Got 1.5"),
        ("gensr", {"selection": "best"}, "selection.*'archive', 'one-se'. Got 'best'"),
        ("equate", {"improve": 2}, "improve.*at most 1. Got 2"),
    ],
)
def test_values_that_a_method_does_not_allow_end_before_the_first_run(name, parameters, allowed):
    with pytest.raises(InputError, match=allowed):
        identity_of(name, parameters)
