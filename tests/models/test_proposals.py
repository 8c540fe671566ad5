import random
import time

import numpy as np
import pytest

from srbench_ext.expression import Expression
from srbench_ext.models.proposals import Proposer, holes

from .tiny import tiny_foundation

PARENTS = [
    ("mul", "x0", "sin", "x1"),
    ("add", "mul", "C", "x0", "exp", "x1"),
    ("div", "x0", "add", "x1", "pow2", "x0"),
    ("sqrt", "add", "pow2", "x0", "pow2", "x1"),
]


@pytest.fixture
def proposer():
    draw = np.random.default_rng(0)
    X = draw.uniform(1, 2, (30, 2))
    return Proposer(tiny_foundation().eval(), X, X[:, 0] * X[:, 1], draw, n_bags=1, bag_size=20)


def test_a_hole_stands_for_a_subtree_of_a_parent():
    for around in holes(random.Random(0), PARENTS, 8):
        filled = [
            parent
            for parent in PARENTS
            if parent[: around.index("<hole>")] == around[: around.index("<hole>")]
            and parent[::-1][: len(around) - around.index("<hole>") - 1]
            == around[::-1][: len(around) - around.index("<hole>") - 1]
        ]
        assert filled, around


def test_the_holes_drawn_have_few_lengths_and_differ():
    found = holes(random.Random(1), PARENTS, 8)
    assert len(found) == len(set(found)) == 8
    assert len({len(around) for around in found}) <= 4


def test_no_more_holes_are_drawn_than_there_are():
    assert holes(random.Random(0), [("x0",)], 5) == [("<hole>",)]
    assert holes(random.Random(0), [], 5) == []


def test_what_is_written_is_the_formula_around_the_hole_and_valid(proposer):
    arounds = holes(random.Random(0), PARENTS, 6)
    found = list(proposer.infill(arounds, 5))
    assert len(found) > len(arounds)
    for tokens in found:
        Expression(tokens, (1.0,) * tokens.count("C"))
        assert any(
            tokens[: around.index("<hole>")] == around[: around.index("<hole>")]
            and tokens[::-1][: len(around) - around.index("<hole>") - 1]
            == around[::-1][: len(around) - around.index("<hole>") - 1]
            for around in arounds
        )


def test_formulas_of_several_lengths_all_get_subtrees(proposer):
    arounds = [("mul", "x0", "<hole>"), ("add", "mul", "C", "x0", "exp", "<hole>")]
    starts = {tokens[0] for tokens in proposer.infill(arounds, 4)}
    assert starts == {"mul", "add"}


def test_nothing_is_written_after_the_deadline(proposer):
    assert list(proposer.infill([("mul", "x0", "<hole>")], 4, deadline=time.monotonic() - 1)) == []
