import importlib

import numpy as np
import pytest

from srbench_ext.registry import create

pytest.importorskip("ffx", reason="ffx is not installed: pip install 'srbench-ext[ffx]'")
pytest.importorskip("six", reason="six, which ffx needs, is not installed: pip install 'srbench-ext[ffx]'")


contract = importlib.import_module("srbench_ext.methods.ffx.test_method")
TestFfx = contract.TestFfx


def rows():
    X = np.random.default_rng(0).uniform(0.5, 2.0, size=(80, 2))
    return X, 3 * X[:, 0] * X[:, 1] + np.log10(X[:, 0]) - 2


def test_every_model_converts_to_what_ffx_predicts():
    from srbench_ext.method import SearchRun
    from srbench_ext.methods.ffx.method import _approaches, _path, to_expression

    X, y = rows()
    checked = 0
    for approach in _approaches():
        run = SearchRun(np.random.default_rng(0), ("x0", "x1"), 0.5)
        for model in _path(approach, X, y, run):
            np.testing.assert_allclose(
                to_expression(model).evaluate(X), model.predict(X), rtol=1e-9, atol=1e-12
            )
            checked += 1
    assert checked > 20


def test_the_families_are_those_of_ffx_and_the_smallest_come_first():
    from srbench_ext.methods.ffx.method import _approaches

    sizes = [approach.num_feature_types for approach in _approaches()]
    assert sizes == [1, 2, 2, 2, 3, 3, 3]


def test_sums_of_products_and_logarithms_are_found():
    X, y = rows()
    method = create("ffx", max_seconds=10, n_families=2).fit(X[:60], y[:60])
    assert method.score(X[60:], y[60:]) > 0.99
    assert method.result_.counts["families"] >= 1
