from __future__ import annotations

import random

import numpy as np
import pytest

from srbench_ext.corpus.grammar import GRAMMARS
from srbench_ext.corpus.normal import flatten, normalise, skeleton_of
from srbench_ext.corpus.values import REASONS, DrawnFormula, verdict
from srbench_ext.expression import compile_prefix

from .trees import n_variables_of

X = np.random.default_rng(0).uniform(0.2, 3.0, (15, 5))


@pytest.mark.parametrize("grammar", sorted(GRAMMARS))
def test_values_are_those_of_the_checked_program(grammar: str) -> None:
    rng = random.Random(0)
    for i in range(60):
        formula = tuple(flatten(normalise(GRAMMARS[grammar](rng, n_variables_of(grammar, i)))))
        constants = [token for token in formula if isinstance(token, float)]
        expected = compile_prefix(skeleton_of(formula)).evaluate(X, constants)
        np.testing.assert_array_equal(DrawnFormula(formula, skeleton_of(formula)).evaluate(X), expected)


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        ([1.0, 2.0, -3.0], ""),
        ([1.0, np.nan, 2.0], "outside the domain"),
        ([1.0, -np.inf, 2.0], "outside the domain"),
        ([1.0, np.nan, 1e9], "outside the domain"),
        ([1.0, -101.0, 2.0], "too large"),
        ([1.0, 100.0, 2.0], ""),
        ([5.0, 5.0, 5.0], "nearly constant"),
        ([5.0, 5.0005, 5.0], "nearly constant"),
        ([5.0, 5.01, 5.0], ""),
        ([0.0, 0.0, 0.0], "nearly constant"),
    ],
)
def test_targets_that_make_no_problem_are_told_by_reason(y: list[float], reason: str) -> None:
    assert REASONS[verdict(np.array(y), 100.0)] == reason
