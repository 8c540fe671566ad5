import importlib

import numpy as np
import pytest

from srbench_ext.registry import create

pytest.importorskip(
    "rils_rols_cpp",
    reason="rils-rols is not installed: pip install pybind11 && pip install --no-build-isolation rils-rols",
)


contract = importlib.import_module("srbench_ext.methods.rilsrols.test_method")
TestRilsRols = contract.TestRilsRols


def test_a_short_law_is_found():
    X = np.random.default_rng(0).uniform(1, 5, size=(200, 3))
    method = create("rilsrols", max_seconds=4).fit(X, X[:, 0] * X[:, 1] / X[:, 2] ** 2)
    assert method.score(X, X[:, 0] * X[:, 1] / X[:, 2] ** 2) > 0.999
    assert method.expression_ is not None
