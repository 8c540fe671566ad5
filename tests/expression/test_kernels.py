from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench_ext.expression import compile_prefix
from srbench_ext.expression.kernels import BLOCK, unary_kernel
from srbench_ext.expression.operators import OPERATORS

LIMIT = 2.0  # units in the last place

needs_long_double = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than double here"
)
VECTOR = {"exp": np.exp, "log": np.log, "sin": np.sin, "cos": np.cos, "tanh": np.tanh}


def _apply(name: str, a: np.ndarray) -> np.ndarray:
    out = np.empty_like(a)
    unary_kernel(OPERATORS[name].opcode, a, out)
    return out


def _units(got: np.ndarray, exact: np.ndarray) -> float:
    """The largest error in units in the last place of the exact value."""
    unit = np.spacing(np.abs(exact.astype(np.float64))).astype(np.longdouble)
    return float(np.max(np.abs(got.astype(np.longdouble) - exact) / unit))


def _arguments(name: str, rng: np.random.Generator) -> np.ndarray:
    near_zero = rng.normal(size=4000) * 10.0 ** rng.uniform(-12, 0, 4000)
    if name == "exp":
        return np.concatenate([near_zero, rng.uniform(-740, 709.7, 4000)])
    if name == "log":
        return np.concatenate([np.exp(near_zero), np.exp(rng.uniform(-744, 709, 4000))])
    if name == "tanh":
        return np.concatenate([near_zero, rng.uniform(-25, 25, 4000)])
    multiples = np.round(rng.uniform(-5e5, 5e5, 4000)) * (math.pi / 2)
    return np.concatenate([near_zero, rng.uniform(-7, 7, 4000), rng.uniform(-8e5, 8e5, 4000), multiples])


@needs_long_double
@pytest.mark.parametrize("name", VECTOR)
@pytest.mark.parametrize("seed", range(3))
def test_vector_functions_are_within_two_units_in_the_last_place(name: str, seed: int) -> None:
    a = _arguments(name, np.random.default_rng(seed))
    assert _units(_apply(name, a), VECTOR[name](a.astype(np.longdouble))) <= LIMIT


@needs_long_double
@pytest.mark.parametrize(
    ("bases", "exponents"),
    [
        ((-3, 3), (-5, 5)),
        ((-600, 600), (-1.1, 1.1)),
        ((-0.4, 0.4), (-1500, 1500)),
        ((-1e-3, 1e-3), (-1e5, 1e5)),
    ],
)
def test_powers_are_within_two_units_in_the_last_place(
    bases: tuple[float, float], exponents: tuple[float, float]
) -> None:
    rng = np.random.default_rng(0)
    a, b = np.exp(rng.uniform(*bases, 20_000)), rng.uniform(*exponents, 20_000)
    exact = np.power(a.astype(np.longdouble), b.astype(np.longdouble))
    plain = (exact > 1e-300) & (exact < 1e300)
    got = compile_prefix(("pow", "x0", "x1")).evaluate(np.stack([a, b], axis=1))
    assert _units(got[plain], exact[plain]) <= LIMIT


@given(st.sampled_from(sorted(VECTOR)), st.lists(st.floats(), min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
def test_vector_functions_agree_with_the_c_library_on_any_double(name: str, values: list[float]) -> None:
    a = np.array(values)
    with np.errstate(all="ignore"):
        expected = VECTOR[name](a)
    if name == "log":
        expected[~(a > 0)] = np.nan
    np.testing.assert_allclose(_apply(name, a), expected, rtol=1e-15, atol=1e-322)


@given(st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
def test_powers_agree_with_the_c_library_on_any_doubles(pairs: list[tuple[float, float]]) -> None:
    table = np.array(pairs)
    a, b = table.T
    with np.errstate(all="ignore"):
        expected = np.power(a, b)
    expected[np.isnan(a) | np.isnan(b) | ((a == 0) & (b < 0))] = np.nan
    got = compile_prefix(("pow", "x0", "x1")).evaluate(table)
    np.testing.assert_allclose(got, expected, rtol=1e-15, atol=1e-322)


@given(st.integers(-64, 64), st.lists(st.floats(-30, 30), min_size=1, max_size=10))
@settings(max_examples=200, deadline=None)
def test_whole_powers_agree_with_repeated_products(power: int, values: list[float]) -> None:
    a = np.array(values)
    got = compile_prefix(("pow", "x0", str(power))).evaluate(a[:, None])
    with np.errstate(all="ignore"):
        expected = np.where((a == 0) & (power < 0), np.nan, np.power(a, float(power)))
    plain = ~((np.abs(expected) < 1e-290) | (np.abs(expected) > 1e290))
    np.testing.assert_allclose(got[plain], expected[plain], rtol=1e-13)


@pytest.mark.parametrize("n", [1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 3])
def test_the_place_of_a_row_in_its_block_does_not_matter(n: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 2.0, size=(n, 2))
    program = compile_prefix(("mul", "pow", "x0", "C", "sin", "exp", "mul", "C", "x1"))
    values, jacobian = program.evaluate_with_jacobian(X, (1.3, 0.7))
    for r in {0, n // 2, n - 1}:
        alone, row = program.evaluate_with_jacobian(X[r : r + 1], (1.3, 0.7))
        np.testing.assert_allclose(alone, values[r : r + 1], rtol=1e-15)
        np.testing.assert_allclose(row, jacobian[r : r + 1], rtol=1e-14)
    np.testing.assert_array_equal(program.evaluate(X, (1.3, 0.7)), values)
