from __future__ import annotations

import random
import time

import numpy as np
import pytest

from srbench_ext.expression import parse_infix
from srbench_ext.registry import create
from srbench_ext.search import Archive, Sums, expression_of, tokens_of
from srbench_ext.search.sums import TermPool


def table(n_rows=300):
    X = np.random.default_rng(0).uniform(1.0, 3.0, (n_rows, 4))
    return X, 2.0 * X[:, 0] * X[:, 1] - 3.0 * np.log(X[:, 2]) + X[:, 3] ** 2 + 5.0


def pool(*formulas):
    X, y = table()
    terms = TermPool(X, y)
    for formula in formulas:
        terms.add(tokens_of(parse_infix(formula)))
    return terms


def sums(terms):
    return terms.sums(time.monotonic() + 60.0)


def test_terms_of_several_formulas_are_added_up():
    X, y = table()
    found = sums(pool("x0*x1 + sin(x2)", "sqrt(log(x2) - x1)", "exp(x3**2)"))
    np.testing.assert_allclose(expression_of(found[-1]).evaluate(X), y, rtol=1e-9)
    assert [len(each) for each in found] == sorted({len(each) for each in found})


def test_a_sum_of_one_term_is_the_archives_business():
    X, _ = table()
    terms = TermPool(X, X[:, 0] * X[:, 1])
    terms.add(("mul", "x0", "x1"))
    assert sums(terms) == []


def test_what_was_written_more_often_comes_first():
    terms = pool("x0*x1", "sin(x2)", "sin(x2)", "sin(x2)")
    assert terms._library().tokens[0] in (("sin", "x2"), ("x2",))
    assert terms._library().tokens[-1] in (("mul", "x0", "x1"), ("x0",), ("x1",))


def test_a_term_with_a_constant_counts_whatever_its_value():
    X, y = table()
    terms = TermPool(X, y)
    for i in range(50):
        terms.add(("add", "x0", "sin", "mul", 1.0 + 0.01 * i, "x1"))
    for _ in range(10):
        terms.add(("pow2", "x3"))
    tokens = terms._library().tokens
    sines = [each for each in tokens if each[0] == "sin"]
    assert [each[2] for each in sines] == [1.0 + 0.01 * i for i in (46, 47, 48, 49)]
    assert max(map(tokens.index, sines)) < tokens.index(("pow2", "x3"))
    assert all(each[0] != "mul" for each in tokens)


def test_constants_and_long_parts_are_no_terms():
    long = "*".join(["x0"] * 4 + ["x1"] * 4)
    tokens = pool(f"2.5*x3 + {long}")._library().tokens
    assert all(len(each) <= 12 for each in tokens)
    assert not any(all(not str(t).startswith("x") for t in each) for each in tokens)


def best_sum(noise):
    X, y = table(400)
    y = y + noise * np.random.default_rng(3).normal(size=400)
    archive = Archive(X, y, np.random.default_rng(1))
    added = Sums(archive, X, y, random.Random(0))
    for formula in ("x0*x1 + sin(x2)", "sqrt(log(x2) - x1)", "exp(x3**2)"):
        added.add(tokens_of(parse_infix(formula)))
    return added, added.submit(time.monotonic() + 60.0), y


def test_what_the_best_sum_leaves_is_shown_where_it_is_worth_terms():
    added, on_front, y = best_sum(0.5)
    assert on_front[-1].origin == "sum"
    rest = added.rest()
    assert rest.shape == y.shape
    assert np.var(rest) == pytest.approx(0.25, rel=0.3)
    exact, _, _ = best_sum(0.0)
    assert exact.rest() is None


def test_a_sum_of_many_terms_is_found_where_no_formula_of_the_network_has_all():
    draw = np.random.default_rng(1)
    X = draw.normal(size=(400, 6))
    y = X @ [3.0, -2.0, 1.0, 1.5, -1.0, 0.5] + X[:, 0] * X[:, 1] + X[:, 2] ** 2
    y = y + 0.1 * draw.normal(size=400)
    few = {"n_bags": 2, "n_candidates": 8, "max_rounds": 4, "infills": 2, "max_seconds": 300}
    errors = {}
    for on in (True, False):
        method = create("e2e", **few, sums=on).fit(X[:300], y[:300])
        errors[on] = np.mean((method.predict(X[300:]) - y[300:]) ** 2) / np.var(y)
    assert errors[True] < 0.02
    assert errors[True] < 0.5 * errors[False]
