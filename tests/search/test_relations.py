import time

import numpy as np
import pytest

from srbench_ext.expression import Expression
from srbench_ext.search import Archive, loosened, sparse_relations
from srbench_ext.search.relations import scaled_functions

LAWS = {
    "a pair": lambda a, b: 2.5 * a * np.sin(b) + 0.3 * b**2 + 1.0,
    "a triple": lambda a, b: a**2 - 0.7 * a * b + 3.0 * np.exp(-b),
    "one over a sum": lambda a, b: 1.0 / (np.exp(a) + 2.0 * b),
    "a root": lambda a, b: np.sqrt(a**2 + b**2 - a * np.cos(b)),
    "a quotient": lambda a, b: (1.0 - a**2) / (1.0 + a * np.cos(b)),
    "an angle": lambda a, b: np.arccos((np.cos(a) - b / 9.0) / (1.0 - b / 9.0 * np.cos(a))),
    "an exponential": lambda a, b: np.exp(a * b - b**2),
    "a negative root": lambda a, b: -np.sqrt(a + b**2),
}


def evaluated(tokens, Z):
    prefix = tuple("C" if isinstance(token, float) else token for token in tokens)
    return Expression(prefix, tuple(t for t in tokens if isinstance(t, float))).evaluate(Z)


def related(Z, t, **options):
    return sparse_relations(Z, t, np.random.default_rng(1), deadline=time.monotonic() + 60, **options)


@pytest.fixture(scope="module")
def tables():
    draw = np.random.default_rng(0)
    return draw.uniform(0.5, 3.0, (200, 2)), draw.uniform(0.5, 3.0, (50, 2))


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
def test_a_law_linear_in_few_features_is_found_exactly(tables, law):
    Z, Z_new = tables
    best = related(Z, law(*Z.T))[0]
    assert best.nmse < 1e-20
    np.testing.assert_allclose(evaluated(best.tokens, Z_new), law(*Z_new.T), rtol=1e-8)


def test_the_error_that_is_told_is_that_of_the_formula(tables):
    Z, _ = tables
    t = Z[:, 0] ** Z[:, 1] + np.random.default_rng(3).normal(size=len(Z))
    rows = np.random.default_rng(1).permutation(len(t))[:100]
    for relation in related(Z, t)[:10]:
        error = evaluated(relation.tokens, Z[rows]) - t[rows]
        assert np.mean(error**2) / np.var(t[rows]) == pytest.approx(relation.nmse, rel=1e-6)


def test_noise_finds_nothing_exact(tables):
    Z, _ = tables
    assert related(Z, np.random.default_rng(5).normal(size=len(Z)))[0].nmse > 0.1


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_any_size_of_the_target_is_searched_without_a_warning(tables, scale):
    Z, _ = tables
    assert related(Z, scale * Z[:, 0] * Z[:, 1])


def test_nothing_is_said_about_a_constant_or_too_few_rows(tables):
    Z, _ = tables
    assert related(Z, np.ones(len(Z))) == []
    assert related(Z[:10], Z[:10, 0]) == []


def test_nothing_is_searched_after_the_deadline(tables):
    Z, _ = tables
    assert sparse_relations(Z, Z[:, 0], np.random.default_rng(0), deadline=time.monotonic() - 1) == []


def test_equal_generators_give_equal_formulas(tables):
    Z, _ = tables
    t = Z[:, 0] ** Z[:, 1]
    assert related(Z, t) == related(Z, t)


def test_an_archive_takes_what_is_found(tables):
    Z, _ = tables
    t = LAWS["a quotient"](*Z.T)
    archive = Archive(Z, t, np.random.default_rng(0))
    archive.submit([relation.tokens for relation in related(Z, t)], "relation")
    assert archive.exact


def test_loosened_formulas_have_a_factor_in_every_function():
    assert loosened(("add", "exp", "x0", "sin", "mul", 0.5, "x1")) == (
        *("add", "exp", "mul", 1.0, "x0", "sin", "mul", 0.5, "x1"),
    )


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
@pytest.mark.parametrize("column", [0.0, 1.0, 1e-200, 1e200])
def test_functions_of_columns_that_are_mostly_zero_or_huge_are_finite_formulas(scale, column):
    draw = np.random.default_rng(0)
    Z = np.where(draw.random((60, 2)) < 0.3, draw.normal(size=(60, 2)), column)
    t = scale * (draw.normal(size=60) + (Z[:, 0] > 0.5))
    for tokens in scaled_functions(Z, t):
        assert all(np.isfinite(token) for token in tokens if isinstance(token, float))
