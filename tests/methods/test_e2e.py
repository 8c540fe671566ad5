from __future__ import annotations

import random

import numpy as np
import pytest

from srbench_ext.errors import InputError, WeightsError
from srbench_ext.expression import Expression, parse_infix
from srbench_ext.methods.e2e.whitening import Whitening
from srbench_ext.registry import create
from srbench_ext.search import expression_of, tokens_of
from srbench_ext.search.variants import permuted, with_coefficients, with_offsets
from srbench_ext.testing import MethodContract

FEW = {"n_bags": 2, "n_candidates": 8, "n_refined": 10, "max_rounds": 2}
ONE = {**FEW, "max_rounds": 1}
PRESETS = ["no-refinement", "random-initialisation", "ranking", "skeleton", "official"]


class TestE2EContract(MethodContract):
    method_name = "e2e"
    parameters = FEW


def product(n_rows=200, seed=0):
    X = np.random.default_rng(seed).uniform(1, 5, (n_rows, 2))
    return X, X[:, 0] * X[:, 1]


def tokens(text):
    return tokens_of(parse_infix(text))


@pytest.mark.parametrize("mode", ["both", "numeric", "skeleton"])
def test_a_product_is_found_exactly(mode):
    X, y = product()
    method = create("e2e", max_seconds=300, max_rounds=8, mode=mode).fit(X, y)
    X_new, y_new = product(seed=1)
    np.testing.assert_allclose(method.predict(X_new), y_new, rtol=1e-6)


@pytest.mark.parametrize(
    "preset", ["no-refinement", "random-initialisation", "ranking", "skeleton", "official"]
)
def test_every_preset_gives_a_formula(preset):
    X, y = product()
    method = create(f"e2e@{preset}", **ONE).fit(X, y + 0.1 * np.sin(X[:, 0]))
    assert np.isfinite(method.predict(X)).all()


def test_refinement_never_makes_the_best_fit_worse():
    X, y = product()
    y = y + 0.3 * np.sin(3 * X[:, 0])
    losses = [
        create(f"e2e@{preset}", **ONE).fit(X, y).result_.curve[-1].loss
        for preset in ("no-refinement", "ranking")
    ]
    assert losses[1] <= losses[0]


def test_beam_search_gives_a_formula():
    X, y = product()
    method = create("e2e@e2e-beam", **{**FEW, "n_candidates": 3}).fit(X, y)
    assert np.isfinite(method.predict(X)).all()


def test_formulas_of_the_archive_get_new_subtrees_from_the_network():
    X, y = product()
    y = y + 0.1 * np.sin(X[:, 0])
    results = {n: create("e2e", **FEW, infills=n, max_seconds=300).fit(X, y).result_ for n in (0, 3)}
    assert "infilled" not in results[0].counts
    assert results[3].counts["infilled"] > 0
    assert results[3].counts["evaluated"] > results[0].counts["evaluated"]


def test_noise_does_not_make_a_product_longer():
    X, y = product(400)
    noisy = y + 0.01 * y.std() * np.random.default_rng(2).normal(size=len(y))
    method = create("e2e", max_seconds=300, max_rounds=6).fit(X, noisy)
    assert method.expression_.complexity <= 7
    np.testing.assert_allclose(method.predict(X), y, rtol=0.02, atol=0.2)


def test_a_constant_column_is_no_obstacle():
    X, y = product()
    method = create("e2e@official", **ONE).fit(np.column_stack([X, np.full(len(y), 3.0)]), y)
    assert np.isfinite(method.predict(np.column_stack([X, np.full(len(y), 3.0)]))).all()


@pytest.mark.parametrize(
    ("parameter", "value"), [("mode", "words"), ("selection", "best"), ("n_bags", 0), ("temperature", -1.0)]
)
def test_a_parameter_that_makes_no_sense_is_refused_by_name(parameter, value):
    X, y = product()
    with pytest.raises(InputError, match=rf"'{parameter}' parameter of E2E .* Got {value!r}"):
        create("e2e", **{parameter: value}).fit(X, y)


def test_missing_weights_are_named(tmp_path):
    X, y = product()
    with pytest.raises(WeightsError, match=r"absent\.safetensors"):
        create("e2e", weights=str(tmp_path / "absent.safetensors")).fit(X, y)


def test_a_formula_over_whitened_columns_has_the_same_values_in_raw_units():
    X = np.random.default_rng(3).normal(5.0, 20.0, (50, 3))
    X[:, 2] = 7.0
    whitening = Whitening.of(X)
    white = whitening.apply(X)
    np.testing.assert_allclose(white.std(axis=0), [1, 1, 0], atol=1e-12)
    formula = Expression(("add", "mul", "C", "x0", "mul", "x1", "sub", "x2", "C"), (2.5, -1.5))
    raw = whitening.in_raw_units(formula)
    np.testing.assert_allclose(raw.evaluate(X), formula.evaluate(white), rtol=1e-9, atol=1e-9)
    assert raw.complexity == formula.complexity + 3 * 4


def test_permutations_are_new_injective_assignments_of_columns():
    found = list(permuted(tokens("x0*x1/x2**2"), [0, 1, 3], random.Random(0), 5))
    assert 1 <= len(found) <= 5
    assert len(set(found)) == len(found)
    for form in found:
        assert {t for t in form if str(t)[0] == "x"} <= {"x0", "x1", "x3"}
        assert len({t for t in form if str(t)[0] == "x"}) == 3


def test_a_formula_with_more_variables_than_columns_has_no_permutation():
    assert not list(permuted(tokens("x0*x1"), [0], random.Random(0), 5))


@pytest.mark.parametrize("change", [with_coefficients, with_offsets])
@pytest.mark.parametrize("text", ["x0*x1 + sin(x0)", "exp(-x0)/x1", "x0", "(x0 - x1)**2 + 2.5*x0"])
def test_constants_in_more_places_can_leave_the_formula_as_it_was(change, text):
    X, _ = product()
    before = tokens(text)
    after = change(before)
    neutral = [t if isinstance(t, str) else {0.01: 0.0}.get(t, t) for t in after]
    np.testing.assert_allclose(
        expression_of(tuple(neutral)).evaluate(X), expression_of(before).evaluate(X), rtol=1e-12
    )


def test_terms_of_sums_and_arguments_get_coefficients():
    assert with_coefficients(("add", "x0", "sin", "x1")) == (
        "add", "mul", 1.0, "x0", "mul", 1.0, "sin", "mul", 1.0, "x1"
    )  # fmt: skip
    assert with_coefficients(("pow2", "x0")) == ("pow2", "x0")
    assert with_offsets(("mul", "x0", "x1")) == ("mul", "add", 0.01, "x0", "add", 0.01, "x1")
