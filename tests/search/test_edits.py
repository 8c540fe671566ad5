from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srbench_ext.expression.operators import CONSTANT
from srbench_ext.search import SubtreeSource, expression_of, random_edit, shortening_edit
from srbench_ext.search.edits import EDITS, _Draws, delete, swap_variables

SOURCE = SubtreeSource(("x0", "x2", "x5"))


def _formula(seed: int):
    return SOURCE.formula(random.Random(seed))


@pytest.mark.parametrize("edit", list(EDITS), ids=lambda edit: edit.__name__)
@settings(deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_edit_gives_a_complete_formula_over_the_columns(edit, seed):
    draws = _Draws(random.Random(seed), SOURCE, _formula(seed + 1))
    edited = expression_of(edit(_formula(seed), draws))  # raises if it is not complete
    assert set(edited.variables) <= {0, 2, 5}


@settings(deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_random_edit_keeps_to_the_limit_or_leaves_the_formula_as_it_is(seed):
    formula = _formula(seed)
    edited = random_edit(random.Random(seed), formula, SOURCE, 15, _formula(seed + 1))
    assert len(edited) <= 15 or edited == formula
    expression_of(edited)


@settings(deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_shortening_edit_never_makes_longer_and_keeps_a_variable(seed):
    formula = _formula(seed)
    edited = shortening_edit(random.Random(seed), formula)
    assert len(edited) <= len(formula)
    assert expression_of(edited).variables
    assert set(expression_of(edited).variables) <= set(expression_of(formula).variables)


def test_placeholders_are_edited_like_values():
    rng = random.Random(0)
    formula = ("mul", CONSTANT, "sin", "x0")
    edited = {random_edit(rng, formula, SOURCE, 20, formula) for _ in range(300)}
    assert len(edited) > 100
    assert any(CONSTANT in tokens for tokens in edited)


def test_edits_reach_both_operands_of_a_difference():
    draws = _Draws(random.Random(0), SOURCE, ("x0",))
    assert {delete(("sub", "x0", "x2"), draws) for _ in range(50)} == {("x0",), ("x2",)}


def test_swapping_variables_exchanges_all_of_them():
    draws = _Draws(random.Random(0), SOURCE, ("x0",))
    formula = ("add", "x0", "mul", "x0", "x2")
    assert ("add", "x2", "mul", "x2", "x0") in {swap_variables(formula, draws) for _ in range(50)}


def test_equal_seeds_give_equal_edits():
    formula, mate = _formula(1), _formula(2)
    first, second = (
        [random_edit(rng, formula, SOURCE, 30, mate) for _ in range(50)]
        for rng in (random.Random(7), random.Random(7))
    )
    assert first == second
    assert len(set(first)) > 20
