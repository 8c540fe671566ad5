from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.errors import InputError, WeightsError
from srbench_ext.registry import create
from srbench_ext.testing import MethodContract

FEW = {"n_bags": 2, "n_candidates": 8, "n_refined": 10, "max_rounds": 1}


class TestE2EContract(MethodContract):
    method_name = "e2e"
    parameters = FEW


def product(n_rows=200, seed=0):
    X = np.random.default_rng(seed).uniform(1, 5, (n_rows, 2))
    return X, X[:, 0] * X[:, 1]


@pytest.mark.parametrize("mode", ["numeric", "skeleton"])
def test_a_product_is_found_exactly(mode):
    X, y = product()
    method = create("e2e", max_seconds=20, mode=mode).fit(X, y)
    X_new, y_new = product(seed=1)
    np.testing.assert_allclose(method.predict(X_new), y_new, rtol=1e-6)


@pytest.mark.parametrize("refinement", ["model", "random", "none"])
def test_every_refinement_gives_a_formula(refinement):
    X, y = product()
    method = create("e2e", **FEW, refinement=refinement).fit(X, y + 0.1 * np.sin(X[:, 0]))
    assert np.isfinite(method.predict(X)).all()


def test_refinement_never_makes_the_best_fit_worse():
    X, y = product()
    y = y + 0.3 * np.sin(3 * X[:, 0])
    losses = [create("e2e", **FEW, refinement=r).fit(X, y).result_.curve[-1].loss for r in ("none", "model")]
    assert losses[1] <= losses[0]


def test_beam_search_gives_a_formula():
    X, y = product()
    method = create("e2e", **{**FEW, "n_candidates": 3}, decoding="beam").fit(X, y)
    assert np.isfinite(method.predict(X)).all()


def test_an_unknown_mode_is_refused_by_name():
    X, y = product()
    with pytest.raises(InputError, match=r"'mode' parameter of E2E .* Got 'words'"):
        create("e2e", mode="words").fit(X, y)


def test_missing_weights_are_named(tmp_path):
    X, y = product()
    with pytest.raises(WeightsError, match=r"absent\.safetensors"):
        create("e2e", weights=str(tmp_path / "absent.safetensors")).fit(X, y)
