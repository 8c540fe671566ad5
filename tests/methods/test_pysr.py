"""PySR's plugin against a stand-in of PySR: what it is given, and how its table is read.

Where PySR and Julia are installed, the contract runs on them.
"""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from srbench_ext import registry
from srbench_ext.errors import MissingExtraError
from srbench_ext.runner import Store, execute, plan
from srbench_ext.testing import MethodContract

HERE = find_spec("pysr") is not None and shutil.which("julia") is not None
calls = []


class Regressor:
    def __init__(self, **settings):
        self.settings = settings

    def fit(self, X, y, variable_names):
        calls.append((self.settings, X.shape, variable_names))
        self.equations_ = pd.DataFrame({"equation": ["1.5", "square(x0) / x1", "x0 ^ 2.0 / x1", "gamma(x0)"]})


@pytest.fixture
def stand_in(monkeypatch):
    module = ModuleType("pysr")
    module.PySRRegressor = Regressor
    monkeypatch.setitem(sys.modules, "pysr", module)
    monkeypatch.setattr(registry, "missing_packages", lambda info: ())
    calls.clear()


def test_the_table_becomes_the_front_and_what_cannot_be_read_is_counted(stand_in):
    X = np.random.default_rng(0).uniform(1, 3, size=(30, 2))
    method = registry.create("pysr", max_seconds=10, max_size=12).fit(X, X[:, 0] ** 2 / X[:, 1])
    assert str(method.expression_) == "x0**2/x1"
    assert method.result_.counts["formulas_not_read"] == 1


def test_it_compiles_before_the_clock_and_is_given_limit_seed_and_one_thread(stand_in):
    X = np.random.default_rng(0).uniform(1, 3, size=(30, 2))
    registry.create("pysr", max_seconds=10, max_size=12).fit(X, X[:, 0] ** 2)
    (first, shape, _), (settings, whole, names) = calls
    assert (first["niterations"], shape[0] < 30) == (1, True)
    assert (whole, names) == ((30, 2), ["x0", "x1"])
    assert settings["parallelism"] == "serial"
    assert settings["maxsize"] == 12
    assert 8 < settings["timeout_in_seconds"] < 10
    assert isinstance(settings["random_state"], int)


@pytest.mark.skipif(HERE, reason="PySR and Julia are installed")
def test_without_pysr_or_julia_a_run_is_unsupported_and_says_what_to_do(tmp_path):
    with pytest.raises(MissingExtraError, match=r"julia.*Run: pip install 'srbench-ext\[pysr\]'"):
        registry.create("pysr")
    (spec,) = plan(["pysr"], ["strogatz"], "quick", only="strogatz_vdp1")
    execute([spec], tmp_path, progress=False)
    record = Store(tmp_path).load(spec.run_id)
    assert record.status == "unsupported"
    assert "julia" in record.error
    assert "srbench-ext[pysr]" in record.error


@pytest.mark.skipif(not HERE, reason="PySR and Julia are not installed")
class TestPysr(MethodContract):
    method_name = "pysr"
    parameters: ClassVar = {"n_iterations": 2}
    deadline_parameters: ClassVar = {"n_iterations": 10**8}
