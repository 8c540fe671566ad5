from __future__ import annotations

import itertools
import random

import pytest

from srbench_ext.corpus.grammar import GRAMMARS
from srbench_ext.corpus.normal import flatten, skeleton_of
from srbench_ext.latent_study.tree_distance import tree_distance, tree_edits


def formulas(count):
    rng = random.Random(3)
    return [skeleton_of(flatten(GRAMMARS["science"](rng, 2))) for _ in range(count)]


@pytest.mark.parametrize(
    ("a", "b", "edits"),
    [
        ("x0", "x0", 0),
        ("x0", "x1", 1),
        ("sin x0", "x0", 1),
        ("sin x0", "cos x0", 1),
        ("add x0 x1", "mul x0 x1", 1),
        ("add x0 x1", "add x1 x0", 2),
        ("add sin x0 x1", "add x0 x1", 1),
        ("mul add x0 x1 C", "add mul x0 C x1", 4),
        ("x0", "exp add x0 C", 3),
    ],
)
def test_edits_are_counted(a, b, edits):
    assert tree_edits(tuple(a.split()), tuple(b.split())) == edits


def test_the_distance_is_a_metric():
    known = formulas(14)
    for a, b in itertools.combinations(known, 2):
        assert tree_edits(a, b) == tree_edits(b, a)
        assert (tree_edits(a, b) == 0) == (a == b)
    for a, b, c in itertools.permutations(known, 3):
        assert tree_edits(a, c) <= tree_edits(a, b) + tree_edits(b, c)


def test_edits_are_at_least_the_difference_in_length():
    for a, b in itertools.combinations(formulas(14), 2):
        assert tree_edits(a, b) >= abs(len(a) - len(b))
        assert 0.0 < tree_distance(a, b) <= 1.0 or a == b
