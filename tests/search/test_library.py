import numpy as np
import pytest

from srbench_ext.expression import Expression
from srbench_ext.search.form import expression_of
from srbench_ext.search.library import feature_library, library_of


@pytest.fixture(scope="module", params=[1, 2, 3, 5])
def table(request):
    return np.random.default_rng(0).uniform(0.5, 3.0, (40, request.param))


def evaluated(tokens, Z):
    prefix = tuple("C" if isinstance(token, float) else token for token in tokens)
    constants = tuple(token for token in tokens if isinstance(token, float))
    return Expression(prefix, constants).evaluate(Z)


def test_the_tokens_of_a_feature_give_its_values(table):
    library = feature_library(table, most=3000)
    for index in range(0, len(library), 17):
        np.testing.assert_allclose(evaluated(library.tokens[index], table), library.values[index], rtol=1e-9)


def test_no_two_features_are_equal_up_to_a_factor(table):
    library = feature_library(table, most=2000)
    scaled = library.values / library.values[:, :1]
    assert len(np.unique(np.round(scaled[:, :12], 7), axis=0)) > 0.99 * len(library)


def test_features_are_finite_and_vary_where_functions_are_not_defined():
    Z = np.random.default_rng(0).uniform(-2.0, 2.0, (40, 2))
    library = feature_library(Z)
    assert np.isfinite(library.values).all()
    assert (np.ptp(library.values, axis=1) > 0).all()


def test_a_table_without_a_column_that_varies_has_no_features():
    assert len(feature_library(np.ones((40, 2)))) == 0


def test_ten_columns_stay_within_the_limit():
    Z = np.random.default_rng(0).uniform(0.5, 3.0, (40, 10))
    assert 0 < len(feature_library(Z, most=5000)) <= 5000


def test_expressions_of_the_search_read_the_tokens(table):
    library = feature_library(table, most=500)
    assert expression_of(library.tokens[-1]).variables


def test_given_features_keep_their_order_without_what_is_of_no_use():
    x = np.linspace(1.0, 2.0, 20)
    given = [
        (("pow2", "x0"), x**2),
        (("x0",), x),
        (("mul", 3.0, "x0"), 3.0 * x),
        (("log", "x1"), np.full(20, np.nan)),
        (("sub", "x0", "x0"), 0.0 * x),
    ]
    library = library_of(given, 20, most=10)
    assert library.tokens == (("pow2", "x0"), ("x0",))
    assert library_of(given, 20, most=1).tokens == (("pow2", "x0"),)
    assert library_of([], 20, most=10).values.shape == (0, 20)
