from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from srbench_ext.errors import ExpressionError, InputError, UnknownNameError
from srbench_ext.expression import Expression, parse_prefix
from srbench_ext.method import Candidate, Method, SearchRun, one_se, read_table
from srbench_ext.method.inputs import most_correlated, unique_names


class Scripted(Method):
    """Yields what the test hands it; ``steps`` holds prefix texts and callables of the run."""

    name = "scripted"
    version = "1"

    def __init__(self, *, max_seconds=60.0, random_state=0, steps=()):
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.steps = steps

    def search(self, X, y, run):
        for step in self.steps:
            model = step(run) if callable(step) else parse_prefix(step)
            if model is not None:
                yield Candidate(model)


class TwoColumns(Scripted):
    max_features = 2


class OneColumn(Scripted):
    max_features = 1


class Picky(Scripted):
    choice_rule = "most complex"

    def choose(self, front, X, y, run):
        return front[-1]


class Network:
    def predict(self, X):
        return X[:, 0] + 1


def table(n=40, d=2, seed=0):
    return np.random.default_rng(seed).uniform(1, 2, size=(n, d))


def test_the_base_class_computes_loss_complexity_and_time():
    X = table()
    result = Scripted(steps=("x0", "mul x0 x1")).fit(X, X[:, 0] * X[:, 1] + 1).result_
    best = result.front[-1]
    assert best.loss == pytest.approx(1.0)
    assert best.complexity == 3
    assert 0 <= best.seconds < 5


def test_duplicates_and_undefined_formulas_are_dropped_and_counted():
    X = table()
    result = Scripted(steps=("x0", "x0", "log sub x0 x0")).fit(X, X[:, 1]).result_
    assert result.counts == {"candidates": 3, "duplicates": 1, "non_finite": 1}
    assert len(result.front) == 1


def test_the_curve_holds_each_new_best_model_in_order_of_time():
    X = table()
    steps = ("x0", "add x0 x1", "mul x0 x0", "mul x0 x1")
    curve = Scripted(steps=steps).fit(X, X[:, 0] * X[:, 1]).result_.curve
    losses = [candidate.loss for candidate in curve]
    assert losses == sorted(losses, reverse=True)
    assert [c.seconds for c in curve] == sorted(c.seconds for c in curve)
    assert losses[-1] == 0


def test_without_a_usable_candidate_the_mean_stands_in_and_is_noted():
    X = table()
    method = Scripted(steps=("log sub x0 x0",)).fit(X, X[:, 0])
    assert method.predict(X) == pytest.approx(np.full(40, X[:, 0].mean()))
    assert "mean" in method.result_.notes["fallback"]


def test_the_incumbent_survives_the_deadline():
    def late(run):
        time.sleep(0.25)
        return parse_prefix("x1")

    X = table()
    method = Scripted(max_seconds=0.2, steps=("x0", late, late, late)).fit(X, X[:, 0] + 1)
    assert method.result_.counts["candidates"] == 2
    assert method.result_.notes["stopped_at_deadline"]
    assert str(method.expression_) == "x0"


def test_a_search_is_closed_at_the_deadline():
    closed = []

    class Closing(Scripted):
        def search(self, X, y, run):
            try:
                while True:
                    time.sleep(0.02)
                    yield Candidate(parse_prefix("x0"))
            finally:
                closed.append(True)

    X = table()
    Closing(max_seconds=0.1).fit(X, X[:, 1])
    assert closed == [True]


def test_an_error_of_the_search_is_not_swallowed():
    def fail(run):
        raise ZeroDivisionError("from the search")

    X = table()
    with pytest.raises(ZeroDivisionError, match="from the search"):
        Scripted(steps=("x0", fail)).fit(X, X[:, 1])


def test_a_formula_over_columns_that_are_not_there_is_an_error():
    X = table()
    with pytest.raises((ExpressionError, InputError)):
        Scripted(steps=("x7",)).fit(X, X[:, 1])


def test_a_search_must_yield_candidates():
    class Wrong(Scripted):
        def search(self, X, y, run):
            yield parse_prefix("x0")

    with pytest.raises(InputError, match="must yield Candidate"):
        Wrong().fit(table(), table()[:, 0])


def test_opaque_models_predict_and_have_no_complexity():
    X = table()
    method = Scripted(steps=(lambda run: Network(),)).fit(X, X[:, 0] + 1)
    assert method.expression_ is None
    assert method.result_.best.complexity is None
    np.testing.assert_allclose(method.predict(X), X[:, 0] + 1)


def test_dropped_columns_come_back_as_the_callers():
    X = table(d=5)
    y = X[:, 3] * 2 + X[:, 1] * 0.5
    frame = pd.DataFrame(X, columns=list("abcde"))
    method = TwoColumns(steps=("mul 2 x1",)).fit(frame, y)
    assert method.selected_features_ == (1, 3)
    assert str(method.expression_) == "2*d"
    np.testing.assert_allclose(method.predict(frame), 2 * X[:, 3])


def test_dropped_columns_concern_opaque_models_too():
    X = table(d=5)
    y = X[:, 3] + 0.1 * X[:, 4]
    method = OneColumn(steps=(lambda run: Network(),)).fit(X, y)
    np.testing.assert_allclose(method.predict(X), X[:, 3] + 1)


def test_an_override_of_the_choice_names_its_rule():
    X = table()
    method = Picky(steps=("x0", "mul x0 x1", "sub mul x0 x1 0")).fit(X, X[:, 0] * X[:, 1] + 1e-3)
    assert method.result_.notes["choice"] == "most complex"
    assert method.result_.notes["one_se_complexity"] == 3


@pytest.mark.parametrize(
    ("key", "value"), [("max_seconds", 0), ("max_seconds", np.inf), ("random_state", -1)]
)
def test_bad_parameters_are_named(key, value):
    with pytest.raises(InputError, match=f"The '{key}' parameter of Scripted must be"):
        Scripted(**{key: value}).fit(table(), table()[:, 0])


def test_predict_before_fit_says_so():
    with pytest.raises(NotFittedError):
        Scripted().predict(table())


def test_predict_wants_the_columns_of_the_fit():
    frame = pd.DataFrame(table(), columns=["a", "b"])
    method = Scripted(steps=("x0",)).fit(frame, frame["b"])
    with pytest.raises(InputError, match="has 3 columns"):
        method.predict(table(d=3))
    with pytest.raises(InputError, match=r"\['b', 'a'\]"):
        method.predict(frame[["b", "a"]])
    assert method.predict(frame.to_numpy()).shape == (40,)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([1.0, 2.0], "two dimensions"),
        (np.empty((0, 2)), "at least one row"),
        (np.empty((2, 0)), "at least one row and one column"),
        (pd.DataFrame({"a": [1.0], "b": ["red"]}), "'b'"),
        (np.array([[1 + 2j]]), "real numbers"),
        ([["x"]], "real numbers"),
    ],
)
def test_tables_that_are_not_numbers_are_refused(X, message):
    with pytest.raises(InputError, match=message):
        read_table(X)


@pytest.mark.parametrize("y", [np.ones(3), np.ones((40, 2)), np.full(40, "a"), np.full(40, 1e200)])
def test_targets_that_do_not_fit_are_refused(y):
    with pytest.raises(InputError):
        Scripted(steps=("x0",)).fit(table(), y)


def test_many_bad_columns_are_summarised():
    X = np.full((2, 30), np.nan)
    with pytest.raises(InputError, match="and 10 more columns"):
        read_table(X)


@given(st.lists(st.sampled_from(["a", "a_2", "a_3", "b", ""]), max_size=12))
def test_repeated_names_become_unique_and_single_ones_stay(names):
    result = unique_names(names)
    assert len(set(result)) == len(names)
    for before, after in zip(names, result, strict=True):
        assert after == before or names.index(before) < result.index(after)


def test_the_most_correlated_columns_are_kept_in_order():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    X[:, 2] = 5.0
    y = X[:, 3] - 0.5 * X[:, 0]
    assert most_correlated(X, y, 2) == (0, 3)
    assert most_correlated(X * 1e200, y * 1e-200, 2) == (0, 3)


class TestClock:
    def run(self, seconds=1.0, **options):
        return SearchRun(np.random.default_rng(0), ("a",), seconds, **options)

    def test_it_runs_out(self):
        run = self.run(0.05)
        assert not run.expired
        assert 0 < run.remaining <= 0.05
        time.sleep(0.06)
        assert run.expired
        assert run.remaining == 0

    def test_it_stands_still_while_loading(self):
        run = self.run(0.1)
        with run.phase("load"):
            time.sleep(0.15)
            assert not run.expired
        assert run.elapsed < 0.1
        assert run.timings["load"] >= 0.15
        assert run.deadline - time.monotonic() == pytest.approx(run.remaining, abs=0.01)

    def test_loading_beyond_the_allowance_counts(self, monkeypatch):
        monkeypatch.setattr("srbench_ext.method.run.LOAD_ALLOWANCE", 0.05)
        run = self.run(0.05)
        with run.phase("load"):
            time.sleep(0.15)
        assert run.expired

    def test_phases_share_out_the_time(self):
        run = self.run()
        with run.phase("refine"):
            time.sleep(0.03)
            with run.phase("load"):
                time.sleep(0.03)
        timings = run.timings
        assert timings["refine"] >= 0.03
        assert timings["load"] >= 0.03
        assert sum(timings.values()) < 0.5

    def test_phases_are_told_to_the_listener_even_on_errors(self):
        heard = []
        run = self.run(listener=lambda name, entering: heard.append((name, entering)))
        with pytest.raises(KeyError), run.phase("load"):
            raise KeyError
        assert heard == [("load", True), ("load", False)]

    def test_unknown_phases_are_refused(self):
        with pytest.raises(UnknownNameError, match="'load'"), self.run().phase("lod"):
            pass

    def test_notes_and_counts_are_plain(self):
        run = self.run()
        run.note("a", np.float64(2.0))
        run.note("b", (1, np.int64(2), float("nan")))
        run.count("n", np.int64(3))
        assert run.notes == {"a": 2.0, "b": [1, 2, None]}
        assert type(run.notes["a"]) is float
        assert run.counts == {"n": 3}
        with pytest.raises(InputError, match="The note 'c'"):
            run.note("c", object())


class TestOneStandardError:
    def candidates(self, X, y, *texts, constants=()):
        found = []
        for text in texts:
            model = Expression(tuple(text.split()), (1e-9,) if " C" in text else ())
            loss = float(np.mean((model.evaluate(X) - y) ** 2))
            found.append(Candidate(model, loss=loss, complexity=model.complexity))
        return found

    def test_the_simplest_exact_formula_wins(self):
        X = table()
        front = self.candidates(X, X[:, 0], "x1", "x0", "add x0 sub x1 x1")
        assert one_se(front, X, X[:, 0]).model.prefix == ("x0",)

    def test_noise_does_not_buy_complexity(self):
        X = table(n=200)
        y = X[:, 0] + np.random.default_rng(1).normal(size=200)
        front = self.candidates(X, y, "x0", "add x0 mul C x1")
        assert one_se(front, X, y).complexity == 1

    def test_a_clearly_better_formula_wins(self):
        X = table(n=200)
        y = X[:, 0] * X[:, 1] + 1e-3 * np.random.default_rng(1).normal(size=200)
        front = self.candidates(X, y, "x0", "mul x0 x1")
        assert one_se(front, X, y).complexity == 3
