from __future__ import annotations

import time
from types import MappingProxyType

import numpy as np
import pytest

from srbench_ext.errors import InputError
from srbench_ext.registry import create
from srbench_ext.testing import MethodContract


class TestEvolveContract(MethodContract):
    method_name = "evolve"
    parameters = MappingProxyType({"max_rounds": 5, "n_initial": 200})
    deadline_grace = 1.0


def _table(n: int = 200):
    X = np.random.default_rng(0).uniform(1.0, 3.0, (n, 3))
    return X, 2.5 * X[:, 0] * X[:, 1] / X[:, 2] ** 2 + 1.0


def test_a_law_is_found_exactly_and_its_numbers_are_snapped():
    X, y = _table()
    method = create("evolve", max_seconds=20).fit(X, y)
    assert method.expression_.complexity <= 12
    np.testing.assert_allclose(method.predict(X), y, rtol=1e-9)
    assert 2.5 in method.expression_.constants
    assert method.result_.timings["search"] < 15


def test_equal_seeds_give_equal_results_and_others_do_not():
    X, y = _table()
    y = y + 0.05 * np.random.default_rng(1).normal(size=len(y))

    def fit(seed: int):
        method = create("evolve", max_rounds=5, n_initial=200, random_state=seed).fit(X, y)
        return [candidate.model for candidate in method.result_.front], method.result_.counts

    assert fit(0) == fit(0)
    assert fit(0)[1] != fit(1)[1]


@pytest.mark.parametrize("max_seconds", [0.05, 1.0])
def test_the_deadline_is_kept_with_many_rows(max_seconds):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 10))
    y = np.sin(X).sum(axis=1) + rng.normal(size=len(X))
    create("evolve", max_rounds=1, n_initial=50).fit(X, y)  # compiles
    started = time.monotonic()
    method = create("evolve", max_seconds=max_seconds).fit(X, y)
    assert time.monotonic() - started < max_seconds + 1.0
    assert method.result_.front


def test_wide_tables_and_constant_columns_work():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 60))
    X[:, 3] = 7.0
    y = X[:, 0] - 2 * X[:, 5]
    method = create("evolve", max_rounds=2, n_initial=100).fit(X, y)
    assert method.score(X, y) > 0.99
    assert 3 not in method.expression_.variables


def test_a_parameter_without_sense_is_named():
    X, y = _table()
    with pytest.raises(InputError, match="'n_initial' parameter of Evolve"):
        create("evolve", n_initial=0).fit(X, y)
