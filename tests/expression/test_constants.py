from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench_ext.errors import ExpressionError, InputError
from srbench_ext.expression import (
    Expression,
    compile_prefix,
    evaluate,
    fit_constants,
    fit_constants_many,
    parse_infix,
    warm_up,
)

from .strategies import N_COLUMNS, expressions

PLANTED = [
    "2.5*x0 + 3.5",
    "3.0*exp(-0.7*x0) + 1.5",
    "x0/(x1 + 2.5)",
    "1.5*sin(2.3*x0 + 0.4)*x1",
    "4.0*x0 + 2.5*x1 - 7.5*x2",
    "x0**1.7/(x1 + 0.3)",
    "2.0*tanh(0.8*x0 - 1.2) + x2",
    "log(x0 + 3.3*x1)*x2",
    "sqrt(x0**2 + 2.2*x1**2)",
    "-x0*x1 + 0.25",
    "x0/(1 - 0.3*x1) - 1.75*x2",
]


@pytest.fixture(scope="module")
def X() -> np.ndarray:  # noqa: N802 - the name of a table
    warm_up()
    return np.random.default_rng(0).uniform(1, 3, size=(200, N_COLUMNS))


@pytest.mark.parametrize("text", PLANTED)
@pytest.mark.parametrize("scale_and_offset", [True, False])
def test_planted_constants_are_found(text: str, scale_and_offset: bool, X: np.ndarray) -> None:
    truth = parse_infix(text)
    y = truth.evaluate(X)
    fit = fit_constants(truth.prefix, X, y, n_starts=8, max_iterations=60, scale_and_offset=scale_and_offset)
    assert fit.loss < 1e-18 * y.var()
    assert fit.converged
    assert len(fit.expression.prefix) <= len(truth.prefix) + 1
    np.testing.assert_allclose(fit.expression.evaluate(X), y, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("unit", [1e-100, 1e-30, 1e30, 1e100])
def test_the_unit_of_the_target_does_not_matter(unit: float, X: np.ndarray) -> None:
    truth = parse_infix("1.5*sin(2.3*x0 + 0.4)*x1 + 0.7*x2")
    y = truth.evaluate(X)
    fit = fit_constants(truth.prefix, X, y * unit, n_starts=8)
    assert fit.loss < 1e-18 * np.var(y) * unit**2
    np.testing.assert_allclose(fit.expression.evaluate(X), y * unit, rtol=1e-6)


def test_loss_is_that_of_the_returned_formula(X: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=200)
    for text in PLANTED:
        fit = fit_constants(parse_infix(text).prefix, X, y)
        assert fit.loss == pytest.approx(np.mean((fit.expression.evaluate(X) - y) ** 2), rel=1e-12)


def test_scale_and_offset_are_left_out_where_they_do_not_matter(X: np.ndarray) -> None:
    def fitted(prefix: str, y: np.ndarray) -> tuple[str, ...]:
        return fit_constants(prefix.split(), X, y).expression.prefix

    product = X[:, 0] * X[:, 1]
    assert fitted("mul x0 x1", product) == ("mul", "x0", "x1")
    assert fitted("mul x0 x1", -product) == ("neg", "mul", "x0", "x1")
    assert fitted("mul x0 x1", 3 * product) == ("mul", "C", "mul", "x0", "x1")
    assert fitted("mul x0 x1", product + 3) == ("add", "C", "mul", "x0", "x1")
    assert fitted("mul x0 x1", 3 - product) == ("sub", "C", "mul", "x0", "x1")
    assert fitted("inv x0", 3 / X[:, 0]) == ("div", "C", "x0")
    assert fitted("add C mul C x0", X[:, 0]) == ("x0",)
    assert fitted("mul x0 add C x1", 3 * product + 2 * X[:, 0])[0] == "mul"


def test_constants_of_the_skeleton_take_up_scale_and_offset(X: np.ndarray) -> None:
    truth = parse_infix("x2 + 3.0*x0*(0.5*x1 + 1.5)")
    prefix = ("add", "mul", "C", "x2", "mul", "x0", "add", "mul", "C", "x1", "C")
    fit = fit_constants(prefix, X, truth.evaluate(X))
    assert fit.expression.prefix == prefix
    np.testing.assert_allclose(fit.expression.constants, [1.0, 1.5, 4.5], rtol=1e-8)


def test_given_constants_are_the_first_start(X: np.ndarray) -> None:
    truth = parse_infix("sin(9.3*x0)*x1")
    near = truth.with_constants([9.25])
    fit = fit_constants(near, X, truth.evaluate(X), n_starts=1)
    assert fit.loss < 1e-18
    assert fit.expression.constants == pytest.approx([9.3])
    blind = fit_constants(truth.prefix, X, truth.evaluate(X), n_starts=1)
    assert blind.loss > 1e-3


@pytest.mark.parametrize(
    "text", ["1.5*sin(0.7*x0)*x1", "x1*exp(-0.4*x0) + 2.0*x2", "x1/(x0 + 1.7)", "tanh(x0/0.8 - x1)"]
)
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_unit_of_a_column_does_not_matter(text: str, scale: float, X: np.ndarray) -> None:
    truth = parse_infix(text)
    y = truth.evaluate(X)
    table = X * np.array([scale, 1.0, 1.0])
    fit = fit_constants(truth.prefix, table, y, n_starts=1, max_iterations=60)
    assert fit.loss < 1e-18 * y.var()


def test_given_constants_are_not_scaled(X: np.ndarray) -> None:
    truth = parse_infix("sin(9.3e6*x0)*x1")
    table = X * np.array([1e-6, 1.0, 1.0])
    near = truth.with_constants([9.25e6])
    fit = fit_constants(near, table, truth.evaluate(table), n_starts=1)
    assert fit.expression.constants == pytest.approx([9.3e6])


@given(expressions(), st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_fit_is_never_worse_than_its_start(e: Expression, seed: int, scale_and_offset: bool) -> None:
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.5, 2.0, size=(60, N_COLUMNS))
    y = rng.normal(size=60)
    values = evaluate(e, X)
    fit = fit_constants(e, X, y, scale_and_offset=scale_and_offset)
    if np.isfinite(values).all() and np.abs(values).max() < 1e8:
        start = np.mean((values - y) ** 2)
        assert fit.loss <= start * (1 + 1e-6)
        if scale_and_offset:
            assert fit.loss <= y.var() * (1 + 1e-6)


def test_no_finite_value_gives_infinite_loss(X: np.ndarray) -> None:
    for text in ("log(-x0)", "log(-(1.5*x0)**2)", "x0/0"):
        for scale_and_offset in (True, False):
            fit = fit_constants(parse_infix(text), X, X[:, 0], scale_and_offset=scale_and_offset)
            assert fit.loss == np.inf
            assert not fit.converged


def test_formulas_without_a_variable_become_the_mean(X: np.ndarray) -> None:
    fit = fit_constants(("exp", "C"), X, X[:, 0])
    assert fit.expression.prefix == ("C",)
    assert fit.expression.constants[0] == pytest.approx(X[:, 0].mean())
    flat = fit_constants(("mul", "C", "x0"), X, np.full(200, 7.0))
    assert flat.expression == Expression(("C",), (7.0,))
    assert flat.loss == 0.0


def test_constants_stay_within_their_bound(X: np.ndarray) -> None:
    y = evaluate(parse_infix("x0/(x1 + 5000.0)"), X)
    fit = fit_constants(("div", "x0", "add", "x1", "C"), X, y, max_constant=100.0)
    assert abs(fit.expression.constants[-1]) <= 100.0


def test_a_deadline_is_kept() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.uniform(size=(100_000, 3)), rng.normal(size=100_000)
    truth = parse_infix("1.5*sin(2.3*x0)*exp(0.3*x1)/(x2 + 0.5) + 1.2*tanh(0.4*x0)")
    warm_up()
    begin = time.monotonic()
    fit = fit_constants(truth.prefix, X, y, n_starts=50, max_iterations=200, deadline=begin + 0.3)
    assert time.monotonic() - begin < 1.5
    assert np.isfinite(fit.loss)
    late = list(fit_constants_many([truth.prefix] * 3, X, y, deadline=begin))
    assert late == []


def test_many_fits_are_the_same_on_any_number_of_threads(X: np.ndarray) -> None:
    y = evaluate(parse_infix("1.5*sin(2.3*x0)*x1"), X)
    skeletons = [parse_infix(text).prefix for text in PLANTED] * 3
    one = dict(fit_constants_many(skeletons, X, y, rng=np.random.default_rng(5)))
    two = dict(fit_constants_many(iter(skeletons), X, y, rng=np.random.default_rng(5), n_jobs=2))
    assert one == two
    assert sorted(one) == list(range(len(skeletons)))


def test_inputs_are_never_written(X: np.ndarray) -> None:
    y = X[:, 0] * 1e3
    X_before, y_before = X.copy(), y.copy()
    X.flags.writeable = y.flags.writeable = False
    fit_constants(("exp", "mul", "C", "x1"), X, y)
    X.flags.writeable = True
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)


def test_names_are_kept(X: np.ndarray) -> None:
    e = parse_infix("2.0*a + b", ["a", "b", "c"])
    assert fit_constants(e, X, X[:, 0] + 2 * X[:, 1]).expression.names == ("a", "b", "c")


def test_one_row_is_enough() -> None:
    fit = fit_constants(("mul", "C", "x0"), [[2.0]], [6.0])
    assert fit.loss == pytest.approx(0.0, abs=1e-20)


def test_bad_input_is_refused(X: np.ndarray) -> None:
    with pytest.raises(InputError, match="one value for each of the 200 rows"):
        fit_constants(("x0",), X, np.zeros(3))
    with pytest.raises(InputError, match="1 values that are not finite"):
        fit_constants(("x0",), X[:2], [1.0, np.nan])
    with pytest.raises(InputError, match="column x7"):
        fit_constants(("x7",), X, X[:, 0])
    with pytest.raises(ExpressionError, match="lacks"):
        fit_constants(("add", "x0"), X, X[:, 0])


def test_memory_does_not_grow_with_the_number_of_skeletons() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.uniform(0.5, 2.0, size=(1000, 3)), rng.normal(size=1000)
    warm_up()

    def skeletons(count: int) -> Iterator[tuple[str, ...]]:
        leaves = ("x0", "x1", "x2", "C")
        for _ in range(count):
            a, b, c, d, e = rng.choice(leaves, 5)
            f, g = rng.choice(("sin", "exp", "tanh", "pow2", "inv"), 2)
            yield ("add", "mul", "C", f, a, "mul", b, "div", g, "mul", "C", c, "add", d, e)

    def used() -> float:
        return psutil.Process().memory_info().rss / 1e6

    for _ in fit_constants_many(skeletons(300), X, y, n_starts=1, max_iterations=5):
        pass
    before = used()
    for _ in fit_constants_many(skeletons(2500), X, y, n_starts=1, max_iterations=5):
        pass
    assert used() - before < 20


def test_only_one_machine_version_of_each_kernel_is_compiled(X: np.ndarray) -> None:
    from srbench_ext.expression import kernels

    frozen = np.asfortranarray(X)
    frozen.flags.writeable = False
    for table in (X, frozen, X[:, ::-1], X.tolist()):
        fit_constants(("exp", "mul", "C", "x1"), table, X[:, 0], scale_and_offset=False)
        fit_constants(("x1",), table, X[:, 0])
        compile_prefix(("pi",)).evaluate(table)
        compile_prefix(("sin", "C")).evaluate_with_jacobian(table, [1])
    for name in ("value_kernel", "jacobian_kernel", "column_kernel", "fit_kernel"):
        assert len(getattr(kernels, name).signatures) == 1, name


@pytest.mark.parametrize("size", [1.0, 1e4])
def test_a_logarithm_of_columns_on_both_sides_of_zero_finds_its_offset(size):
    X = np.random.default_rng(0).normal(size=(200, 2))
    y = np.log(6.0 + X[:, 0] - 0.5 * X[:, 1])
    skeleton = ["log", "add", "C", "add", "mul", "C", "x0", "mul", "C", "x1"]
    fit = fit_constants(skeleton, size * X, y, n_starts=2)
    assert fit.loss < 1e-20
