from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.corpus import audit_key, load_mixture
from srbench_ext.corpus.families import FAMILIES_OF_FUNCTIONS, family_tables
from srbench_ext.corpus.normal import skeleton_of
from srbench_ext.errors import InputError, UnknownNameError
from srbench_ext.expression import compile_prefix

UNARIES = {"exp", "log", "sin", "cos", "sqrt", "tan", "abs", "atan"}


@pytest.fixture(scope="module")
def tables():
    return family_tables(6, 40)


def test_there_are_as_many_tables_of_every_class(tables):
    classes = [(table.family, table.n_variables) for table in tables]
    assert sorted(set(classes)) == [(f, n) for f in sorted(FAMILIES_OF_FUNCTIONS) for n in (2, 5)]
    assert all(classes.count(each) == 6 for each in set(classes))


def test_a_law_has_operators_of_its_family_and_of_no_other(tables):
    for table in tables:
        used = UNARIES & set(table.skeleton)
        assert used
        assert used <= set(FAMILIES_OF_FUNCTIONS[table.family])


def test_y_is_what_the_formula_says_of_x(tables):
    for table in tables:
        constants = [token for token in table.formula if isinstance(token, float)]
        values = compile_prefix(skeleton_of(table.formula)).evaluate(table.X, constants)
        np.testing.assert_array_equal(values, table.y)
        assert table.X.shape == (40, table.n_variables)
        assert np.isfinite(table.y).all()
        assert np.ptp(table.y) > 0


def test_laws_are_within_the_limits_of_the_shared_corpus(tables):
    limits = load_mixture().limits
    for table in tables:
        assert len(table.formula) <= limits["max_tokens"]
        assert table.skeleton.count("C") <= limits["max_constants"]
        assert {f"x{i}" for i in range(table.n_variables)} <= set(table.skeleton)
        assert table.law == audit_key(table.skeleton)


def test_a_larger_set_starts_with_the_smaller_one(tables):
    few = family_tables(2, 40, families=("trig",), sizes=(5,))
    same = [table for table in tables if (table.family, table.n_variables) == ("trig", 5)][:2]
    assert [table.formula for table in few] == [table.formula for table in same]
    np.testing.assert_array_equal(few[1].X, same[1].X)


def test_an_unknown_family_is_named():
    with pytest.raises(UnknownNameError, match="trig"):
        family_tables(1, 10, families=("trigs",))


def test_an_empty_set_is_refused():
    with pytest.raises(InputError, match="count=0"):
        family_tables(0, 10)
