"""Folders of SRBench's shape, written here, run as methods without change."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from srbench_ext import registry
from srbench_ext.errors import ConfigError, MissingExtraError, UnknownNameError
from srbench_ext.runner import Store, execute, plan

REGRESSOR = '''
"""A least-squares plane, in the shape of a method of SRBench."""
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from neighbour import DIGITS


class Plane(RegressorMixin, BaseEstimator):
    def __init__(self, max_time=3600, random_state=None):
        self.max_time = max_time
        self.random_state = random_state

    def fit(self, X, y):
        self.columns_ = list(getattr(X, "columns", []))
        A = np.column_stack([np.asarray(X), np.ones(len(y))])
        self.coef_ = np.linalg.lstsq(A, y, rcond=None)[0]
        return self

    def predict(self, X):
        return np.asarray(X) @ self.coef_[:-1] + self.coef_[-1]


est = Plane()
hyper_params = [{"max_time": [1, 2]}]


def model(est, X=None):
    names = list(X.columns) if hasattr(X, "columns") else [f"x{i}" for i in range(X.shape[1])]
    terms = [f"{c:.{DIGITS}g}*{n}" for c, n in zip(est.coef_, names)]
    return " + ".join([*terms, f"{est.coef_[-1]:.{DIGITS}g}"])


def complexity(est):
    return 4 * len(est.coef_) - 3
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Write a method folder; ``changes`` are appended to its regressor.py."""
    monkeypatch.setenv(registry.PLUGINS_VARIABLE, "")
    monkeypatch.setattr("sys.path", __import__("sys").path[:])

    def write(changes="", name="plane", text=REGRESSOR):
        place = tmp_path / "methods" / name
        place.mkdir(parents=True)
        (place / "regressor.py").write_text(text + changes)
        (place / "neighbour.py").write_text("DIGITS = 17\n")
        (place / "metadata.yml").write_text("authors: nobody\n")
        return place

    yield write
    __import__("sys").modules.pop("neighbour", None)


def rows(n=50):
    X = np.random.default_rng(0).uniform(1, 3, size=(n, 2))
    return X, 2 * X[:, 0] - X[:, 1] + 5


def fitted(place, **parameters):
    X, y = rows()
    return registry.create(f"srbench:{place}", **parameters).fit(X, y)


def test_a_folder_is_a_method_that_gives_its_formula(folder):
    method = fitted(folder())
    X, y = rows()
    assert method.name == "srbench:plane"
    assert method.expression_ is not None
    np.testing.assert_allclose(method.predict(X), y)
    assert method.result_.notes["srbench_formula_differs_by"] < 1e-6


def test_the_limit_and_the_seed_are_given_under_the_regressors_own_names(folder):
    changes = """
_fit = Plane.fit
def fit(self, X, y):
    assert self.max_time == 19 and isinstance(self.random_state, int), (self.max_time, self.random_state)
    return _fit(self, X, y)
Plane.fit = fit
"""
    method = fitted(folder(changes), max_seconds=20.5)
    assert method.result_.notes["srbench_time_parameter"] == "max_time"


@pytest.mark.parametrize("scaled", ["scale_x", "scale_y"])
def test_a_formula_of_standardised_columns_comes_back_in_the_units_of_the_table(folder, scaled):
    method = fitted(folder(f"\neval_kwargs = {{{scaled!r}: True}}\n"))
    X, y = rows()
    np.testing.assert_allclose(method.expression_.evaluate(X), y)


def test_settings_are_heeded_and_those_that_are_not_are_noted(folder):
    changes = """
eval_kwargs = {
    "max_train_samples": 7,
    "use_dataframe": False,
    "test_params": {},
    "pre_train": lambda e, X, y: setattr(e, "seen", X.shape),
}
_fit = Plane.fit
def fit(self, X, y):
    assert self.seen == (7, 2) and isinstance(X, np.ndarray)
    return _fit(self, X, y)
Plane.fit = fit
"""
    notes = fitted(folder(changes)).result_.notes
    assert notes["srbench_settings_not_used"] == ["test_params"]


def test_columns_that_count_from_one_are_told_by_the_predictions(folder):
    changes = (
        "\ndef model(est):\n    a, b, _, c = map(float, est.coef_); return f'X1*{a!r} + X2*{b!r} + {c!r}'\n"
    )
    X, y = rows()
    # with three columns both readings exist
    X = np.column_stack([X, np.random.default_rng(1).normal(size=len(y))])
    method = registry.create(f"srbench:{folder(changes)}").fit(X, y)
    np.testing.assert_allclose(method.expression_.evaluate(X), y, rtol=1e-6)


def test_where_the_formula_differs_the_regressor_stands_beside_it(folder):
    method = fitted(folder("\ndef model(est):\n    return '1.0*x0'\n"))
    X, y = rows()
    assert method.result_.notes["srbench_formula_differs_by"] > 1
    assert {candidate.source for candidate in method.result_.front} == {"model(est, X)", "est.predict"}
    np.testing.assert_allclose(method.predict(X), y)
    assert method.expression_ is None


def test_a_formula_that_cannot_be_read_leaves_the_regressor(folder):
    method = fitted(folder("\ndef model(est):\n    return 'if x0 then 3'\n"))
    assert method.expression_ is None
    assert "srbench_model_not_read" in method.result_.notes


def test_what_lies_around_the_folder_of_methods_can_be_imported(folder, tmp_path):
    place = folder("\nimport symbolic_utils_of_a_test\n")
    (tmp_path / "symbolic_utils_of_a_test.py").write_text("")
    assert fitted(place).expression_ is not None


def test_a_fitted_method_survives_pickling(folder):
    method = fitted(folder())
    X, _ = rows()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(method)).predict(X), method.predict(X))


def test_another_regressor_is_another_version(folder):
    one, two = (
        registry.create(f"srbench:{folder(text, name)}") for text, name in [("", "a"), ("\nx = 1\n", "b")]
    )
    assert one.version != two.version


def test_a_folder_of_folders_is_found_and_our_own_methods_in_it_stay_ours(folder, monkeypatch):
    place = folder()
    own = folder(name="own")
    (own / "method.toml").write_text('name = "own"\nclass = "method:Own"\nsummary = "ours"\n')
    monkeypatch.setenv(registry.PLUGINS_VARIABLE, str(place.parent))
    assert {"srbench:plane", "own"} <= set(registry.names())
    assert "srbench:own" not in registry.names()


def test_a_missing_package_is_named(folder):
    place = folder(text="import surely_not_installed\n")
    with pytest.raises(MissingExtraError, match="surely_not_installed"):
        fitted(place)


def test_what_is_no_method_folder_is_refused(folder, tmp_path):
    with pytest.raises(UnknownNameError, match=r"regressor\.py"):
        registry.adopt(f"srbench:{tmp_path}")
    with pytest.raises(ConfigError, match="has no 'model'"):
        fitted(folder(text="est = 3\n"))


def test_a_folder_runs_in_the_harness_and_leaves_records(folder, tmp_path):
    name = registry.adopt(f"srbench:{folder()}")
    (spec,) = plan([name], ["strogatz"], "quick", only="strogatz_vdp2")
    execute([spec], tmp_path / "out", progress=False)
    record = Store(tmp_path / "out").load(spec.run_id)
    assert (record.status, record.spec.method) == ("ok", "srbench:plane"), record.error
    assert record.metrics["test"].r2 > 0.99
    assert record.expression is not None
