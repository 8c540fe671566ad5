"""Methods inside of scikit-learn's own tools."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from srbench_ext import registry
from srbench_ext.errors import WeightsError

INSTALLED = [name for name in registry.names() if not registry.missing_packages(registry.describe(name))]


@pytest.fixture
def rows():
    X = np.random.default_rng(0).uniform(1, 2, size=(60, 3))
    return X, 2 * X[:, 0] - X[:, 1] + 1


def test_a_pipeline_fits_predicts_and_scores(rows):
    X, y = rows
    pipeline = make_pipeline(StandardScaler(), registry.create("linear"))
    assert pipeline.fit(X, y).score(X, y) == pytest.approx(1.0)
    assert pipeline[-1].expression_ is not None


@pytest.mark.parametrize("name", registry.names())
def test_every_method_is_cross_validated_inside_a_pipeline(rows, name):
    if name not in INSTALLED:
        pytest.skip(f"{name} needs {', '.join(registry.missing_packages(registry.describe(name)))}")
    X, y = rows
    pipeline = make_pipeline(StandardScaler(), registry.create(name, max_seconds=1.0))
    try:
        scores = cross_val_score(pipeline, X, y, cv=2, error_score="raise")
    except WeightsError as error:  # a method whose network is still to be trained
        pytest.skip(str(error))
    assert scores.shape == (2,)
    assert np.all(np.isfinite(scores))


@pytest.mark.parametrize("name", ["linear", "forest"])
def test_cross_validation_scores_the_folds_it_left_out(rows, name):
    X, y = rows
    scores = cross_val_score(registry.create(name, max_seconds=2.0), X, y, cv=3, error_score="raise")
    assert np.all(scores > 0.5)


def test_a_grid_search_sets_the_parameters_of_a_method_in_a_pipeline(rows):
    X, y = rows
    pipeline = make_pipeline(StandardScaler(), registry.create("linear"))
    search = GridSearchCV(pipeline, {"linearregressor__n_alphas": [2, 3]}, cv=2, error_score="raise").fit(
        X, y
    )
    assert search.best_params_["linearregressor__n_alphas"] in (2, 3)


@pytest.mark.parametrize("name", registry.names())
def test_every_method_passes_clone(name):
    if name not in INSTALLED:
        pytest.skip(f"{name} needs {', '.join(registry.missing_packages(registry.describe(name)))}")
    for preset in ("", *(f"@{preset}" for preset in registry.describe(name).presets)):
        method = registry.create(f"{name}{preset}", random_state=7, max_seconds=3.0)
        copy = clone(method)
        assert type(copy) is type(method)
        assert copy.get_params() == method.get_params()
        assert copy.set_params(max_seconds=1.5).max_seconds == 1.5
        assert not hasattr(copy, "result_")
