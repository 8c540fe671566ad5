from __future__ import annotations

import random
from typing import ClassVar

import numpy as np
import pytest

from srbench_ext.registry import create
from srbench_ext.testing import MethodContract

pytest.importorskip("psrn", reason="psrn is not installed: pip install 'srbench-ext[psrn]'")


class TestPsrn(MethodContract):
    method_name = "psrn"
    parameters: ClassVar = {"n_rounds": 1, "n_fitted": 1}
    deadline_parameters: ClassVar = {"n_rounds": 10**6, "n_fitted": 30}
    deadline_grace = 10.0  # its first round, which nothing can interrupt; later ones are foreseen


def law():
    X = np.random.default_rng(0).uniform(1, 3, size=(100, 2))
    return X, X[:, 0] ** 2 / X[:, 1]


def test_a_short_law_is_found():
    X, y = law()
    method = create("psrn", max_seconds=20).fit(X, y)
    assert method.score(X, y) > 0.999
    assert method.result_.counts["rounds"] >= 1


def test_global_generators_and_the_terminal_are_left_alone(capfd):
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    create("psrn", n_rounds=1, n_fitted=1).fit(*law())
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    assert "".join(capfd.readouterr()) == ""
