"""What every method has to do, as tests."""

# ruff: noqa: D102  # a test's name says what it shows

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.base import clone

from srbench_ext.errors import InputError
from srbench_ext.expression import Expression, parse_infix
from srbench_ext.method import Method
from srbench_ext.registry import create

__all__ = ["MethodContract"]

FloatArray = npt.NDArray[np.float64]

ODD_NAMES = ("I", "E", "beta", "gamma", "lambda", "two words", "größe", "x1")
"""Column names that clash with constants, functions, keywords and the default names."""


class MethodContract:
    """The contract; a subclass sets :attr:`method_name` or overrides :meth:`make`.

    Attributes
    ----------
    method_name : str
        A registered name.
    parameters : mapping
        Parameters with which a fit on 60 rows ends by itself, well before :attr:`max_seconds`.
    max_seconds : float
        Time limit of the fits, for all tests but that of the deadline.
    deadline_parameters : mapping
        Parameters of the deadline's test; with them the search would go on for longer than a second.
    deadline_grace : float
        Seconds past the limit at which a fit has to be back.
    """

    method_name: ClassVar[str]
    parameters: ClassVar[Mapping[str, Any]] = {}
    max_seconds: ClassVar[float] = 20.0
    deadline_parameters: ClassVar[Mapping[str, Any]] = {}
    deadline_grace: ClassVar[float] = 2.0

    @classmethod
    def make(cls, **changes: Any) -> Method:
        """Make the method under test."""
        return create(cls.method_name, **{"max_seconds": cls.max_seconds, **cls.parameters, **changes})

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls) -> Method:
        """Fit the method to the table of :func:`example`, once for all tests."""
        X, y = example()
        return cls.make().fit(X, y)

    def test_parameters_survive_clone_and_get_params(self) -> None:
        method = self.make(random_state=3)
        copy = clone(method)
        assert copy.get_params() == method.get_params()
        assert {"max_seconds", "random_state"} <= set(method.get_params())

    def test_fit_returns_the_estimator_and_sets_what_it_learned(self, fitted: Method) -> None:
        assert isinstance(fitted, Method)
        assert fitted.n_features_in_ == 2
        assert tuple(fitted.feature_names_in_) == ("x0", "x1")
        assert fitted.selected_features_ == (0, 1)
        assert set(fitted.result_.timings) >= {"load", "search", "refine"}
        assert fitted.result_.notes["choice"] == fitted.choice_rule

    def test_the_front_is_ordered_and_holds_the_choice(self, fitted: Method) -> None:
        front = fitted.result_.front
        losses = [candidate.loss for candidate in front]
        assert fitted.result_.best in front
        assert losses == sorted(losses, key=lambda loss: -(loss or 0.0))
        curve = [candidate.loss for candidate in fitted.result_.curve]
        assert curve == sorted(curve, key=lambda loss: -(loss or 0.0))

    def test_losses_are_those_of_the_formulas(self, fitted: Method) -> None:
        X, y = example()
        for candidate in fitted.result_.front:
            if isinstance(candidate.model, Expression):
                loss = np.mean((candidate.model.evaluate(X) - y) ** 2)
                assert candidate.loss == pytest.approx(loss, rel=1e-12)
                assert candidate.complexity == candidate.model.complexity

    def test_prediction_is_that_of_the_chosen_model(self, fitted: Method) -> None:
        X, _ = example(seed=1)
        model = fitted.result_.best.model
        expected = model.evaluate(X) if isinstance(model, Expression) else model.predict(X)
        np.testing.assert_array_equal(fitted.predict(X), expected)

    def test_fit_leaves_its_inputs_alone(self) -> None:
        X, y = example()
        X_before, y_before = X.copy(), y.copy()
        X.setflags(write=False)
        y.setflags(write=False)
        self.make().fit(X, y)
        np.testing.assert_array_equal(X, X_before)
        np.testing.assert_array_equal(y, y_before)

    def test_equal_seeds_give_equal_results(self, fitted: Method) -> None:
        X, y = example()
        again = self.make().fit(X, y)
        X_new, _ = example(seed=1)
        assert again.expression_ == fitted.expression_
        np.testing.assert_array_equal(again.predict(X_new), fitted.predict(X_new))

    def test_fit_survives_pickling(self, fitted: Method) -> None:
        X, _ = example()
        copy = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))
        assert copy.expression_ == fitted.expression_

    def test_fit_ends_at_the_deadline(self) -> None:
        X, y = example(n_rows=500)
        rng = np.random.default_rng(5)
        y = y + rng.normal(size=y.size)  # nothing exact to find
        method = self.make(max_seconds=1.0, **self.deadline_parameters)
        started = time.monotonic()
        method.fit(X, y)
        assert time.monotonic() - started - method.result_.timings["load"] < 1.0 + self.deadline_grace

    def test_formula_comes_back_in_odd_column_names(self) -> None:
        names = ODD_NAMES[: self._columns()]
        X, y = example(n_columns=len(names))
        frame = pd.DataFrame(X, columns=list(names))
        method = self.make().fit(frame, y)
        assert tuple(method.feature_names_in_) == names
        if method.expression_ is not None:
            assert method.expression_.names == names
            read_back = parse_infix(str(method.expression_), names=names)
            np.testing.assert_allclose(read_back.evaluate(X), method.predict(frame), rtol=1e-9)

    def test_repeated_column_names_are_told_apart(self) -> None:
        X, y = example()
        frame = pd.DataFrame(X, columns=["a", "a"])
        method = self.make().fit(frame, y)
        assert method.predict(frame).shape == y.shape
        assert method.result_.notes["column_names"] == ["a", "a_2"]

    def test_a_constant_target_gives_that_constant(self) -> None:
        X, _ = example()
        method = self.make().fit(X, np.full(X.shape[0], 2.5))
        np.testing.assert_array_equal(method.predict(X), np.full(X.shape[0], 2.5))
        assert method.expression_ is not None
        assert method.expression_.complexity == 1

    def test_one_row_is_enough(self) -> None:
        method = self.make().fit(np.array([[1.0, 2.0]]), np.array([3.0]))
        assert method.predict(np.array([[5.0, 6.0]])) == pytest.approx([3.0])

    def test_a_few_rows_are_enough(self) -> None:
        X, y = example(n_rows=3)
        assert self.make().fit(X, y).predict(X).shape == (3,)

    def test_a_single_column_is_enough(self) -> None:
        X, y = example(n_columns=1)
        assert self.make().fit(X, y).predict(X).shape == y.shape

    def test_columns_beyond_the_limit_are_dropped_and_named(self) -> None:
        limit = self.make().max_features
        if limit is None:
            pytest.skip("the method takes any number of columns")
        X, y = example(n_columns=limit + 2)
        frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(limit + 2)])
        method = self.make().fit(frame, y)
        notes = method.result_.notes
        assert len(notes["selected_features"]) == limit
        assert len(notes["dropped_features"]) == 2
        assert [f"c{i}" for i in method.selected_features_] == notes["selected_features"]
        assert method.predict(frame).shape == y.shape
        if method.expression_ is not None:
            assert set(method.expression_.variables) <= set(method.selected_features_)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_values_that_are_not_finite_are_refused_by_column(self, bad: float) -> None:
        X, y = example()
        X[[3, 4], 1] = bad
        frame = pd.DataFrame(X, columns=["good", "bad column"])
        with pytest.raises(InputError, match=r"2 of 60 rows.*'bad column' \(2 rows\)"):
            self.make().fit(frame, y)

    def test_targets_that_are_not_finite_are_refused(self) -> None:
        X, y = example()
        y[0] = np.nan
        with pytest.raises(InputError, match="y has NaN or infinity in 1 of 60 rows"):
            self.make().fit(X, y)

    def _columns(self) -> int:
        limit = self.make().max_features
        return len(ODD_NAMES) if limit is None else min(limit, len(ODD_NAMES))


def example(n_rows: int = 60, n_columns: int = 2, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Return a small table X (n, d) and a smooth target y (n,) of its first and last column."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.5, 2.0, size=(n_rows, n_columns))
    return X, 1.5 * X[:, 0] * X[:, -1] + 0.25
