from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench_ext.expression import Expression
from srbench_ext.search import SubtreeSource, expression_of, normal_form, tokens_of


def test_tokens_and_expression_are_two_forms_of_one_formula():
    expression = Expression(("add", "mul", "C", "x0", "C"), (2.5, -1.0))
    assert tokens_of(expression) == ("add", "mul", 2.5, "x0", -1.0)
    assert expression_of(tokens_of(expression)) == expression


def test_outer_scale_and_offset_are_left_out_whatever_numbers_they_are():
    for tokens in (
        ("add", 2.5, "mul", "3", "sin", "x0"),
        ("neg", "div", "sin", "x0", "pi"),
        ("sub", "sqrt", "2", "mul", "sin", "x0", 4.0),
    ):
        assert normal_form(tokens) == ("sin", "x0")


def test_subtrees_of_numbers_become_one_number():
    assert normal_form(("pow", "x0", "add", "sqrt", 4.0, "exp", "0")) == ("pow", "x0", 3.0)


def test_signs_go_into_constants():
    assert normal_form(("exp", "neg", "mul", 2.0, "x0")) == ("exp", "mul", "x0", -2.0)
    assert normal_form(("exp", "mul", -2.0, "x0")) == ("exp", "mul", "x0", -2.0)
    assert normal_form(("exp", "neg", "x0")) == ("exp", "neg", "x0")


def test_a_formula_without_variables_or_without_a_finite_number_has_no_form():
    assert normal_form(("mul", "2", "exp", 1.5)) is None
    assert normal_form(("sub", "x0", "x0")) is None
    assert normal_form(("sin", "mul", "x0", "log", "-1")) is None


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_normal_form_has_the_same_values_up_to_scale_and_offset(seed):
    source = SubtreeSource(("x0", "x1", "x2"))
    tokens = source.formula(random.Random(seed))
    X = np.random.default_rng(seed).uniform(0.3, 2.0, (30, 3))
    form = normal_form(tokens)
    expected = expression_of(tokens).evaluate(X)
    if form is None or not np.isfinite(expected).all() or np.abs(expected).max() > 1e6:
        return
    got = expression_of(form).evaluate(X)
    assert np.isfinite(got).all()
    design = np.column_stack([got, np.ones(30)]) / [np.abs(got).max() or 1.0, 1.0]
    fitted = design @ np.linalg.lstsq(design, expected, rcond=None)[0]
    np.testing.assert_allclose(fitted, expected, atol=1e-8 * (1 + np.abs(expected).max()))
