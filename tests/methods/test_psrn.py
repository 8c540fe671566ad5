from __future__ import annotations

import importlib
import random

import numpy as np
import pytest

from srbench_ext.registry import create

pytest.importorskip("psrn", reason="psrn is not installed: pip install 'srbench-ext[psrn]'")


contract = importlib.import_module("srbench_ext.methods.psrn.test_method")
TestPsrn = contract.TestPsrn


def law():
    X = np.random.default_rng(0).uniform(1, 3, size=(100, 2))
    return X, X[:, 0] ** 2 / X[:, 1]


def test_a_short_law_is_found():
    X, y = law()
    method = create("psrn", max_seconds=120, n_rounds=2).fit(X, y)
    assert method.score(X, y) > 0.999
    assert method.result_.counts["rounds"] >= 1


def test_global_generators_and_the_terminal_are_left_alone(capfd):
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    create("psrn", n_rounds=1, n_fitted=1).fit(*law())
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    assert "".join(capfd.readouterr()) == ""
