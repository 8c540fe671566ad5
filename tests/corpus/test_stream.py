from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from srbench_ext.corpus import Audit, Corpus, Example, audit_key, load_mixture
from srbench_ext.expression import Expression, compile_prefix, evaluate


def corpus(**limits: float) -> Corpus:
    mixture = load_mixture()
    return Corpus(dataclasses.replace(mixture, limits={**mixture.limits, **limits}), Audit([]))


def assert_equal(a: list[Example], b: list[Example]) -> None:
    assert len(a) == len(b)
    for left, right in zip(a, b, strict=True):
        np.testing.assert_array_equal(left.X, right.X)
        np.testing.assert_array_equal(left.y, right.y)
        assert left.formula == right.formula
        assert (left.skeleton, left.noise) == (right.skeleton, right.noise)


def without_noise(example: Example) -> np.ndarray:
    constants = tuple(token for token in example.formula if isinstance(token, float))
    prefix = tuple(token if isinstance(token, str) else "C" for token in example.formula)
    return evaluate(Expression(prefix, constants), example.X)


def test_equal_seeds_give_equal_examples() -> None:
    assert_equal(corpus().examples((1, 7), 30, 25), corpus().examples((1, 7), 30, 25))


def test_examples_do_not_depend_on_what_was_drawn_before() -> None:
    used = corpus()
    used.examples((1, 6), 10, 20)
    assert_equal(used.examples((1, 7), 10, 20), corpus().examples((1, 7), 10, 20))


def test_other_seeds_give_other_examples() -> None:
    a, b = corpus().examples((1, 7), 10, 20), corpus().examples((1, 8), 10, 20)
    assert [e.formula for e in a] != [e.formula for e in b]


def test_examples_keep_the_limits() -> None:
    source = corpus()
    limits = source.mixture.limits
    for example in source.examples((3,), 150, 20):
        assert example.X.shape[0] == example.y.shape[0] == 20
        assert np.isfinite(example.X).all()
        assert np.isfinite(example.y).all()
        assert len(example.formula) <= limits["max_tokens"]
        assert len(example.skeleton) <= limits["max_skeleton_tokens"]
        assert example.skeleton.count("C") <= limits["max_constants"]
        used = {token for token in example.skeleton if re.fullmatch(r"x\d+", token)}
        assert used == {f"x{i}" for i in range(example.X.shape[1])}
        assert compile_prefix(example.skeleton).n_columns == example.X.shape[1]


def test_targets_are_the_values_of_the_formula_with_noise_of_the_size_told() -> None:
    noisy = 0
    for example in corpus().examples((4,), 120, 200):
        y = without_noise(example)
        size = np.sqrt(np.mean((example.y - y) ** 2) / np.mean(y**2))
        if example.noise == 0.0:
            np.testing.assert_array_equal(example.y, y)
        else:
            noisy += 1
            assert size == pytest.approx(example.noise, rel=0.3)
    assert 10 < noisy < 60  # a quarter


def test_skeleton_is_of_the_same_law_as_the_formula() -> None:
    examples = corpus().examples((5,), 200, 10)
    same = [audit_key(example.skeleton) == audit_key(example.formula) for example in examples]
    assert np.mean(same) > 0.95  # not all: two placeholders may cancel where two constants do not


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [
        ("max_skeleton_tokens", 5, "too long"),
        ("max_constants", 0, "too many constants"),
        ("max_abs_y", 1.0, "too large"),
        ("draws_of_points", 1, "outside the domain"),
    ],
)
def test_rejections_are_counted_by_reason(limit: str, value: float, reason: str) -> None:
    source = corpus(**{limit: value})
    source.examples((6,), 20, 20)
    assert source.rejected[reason] > 0


def test_rejected_reasons_are_the_named_ones() -> None:
    source = corpus()
    source.examples((7,), 200, 20)
    assert set(source.rejected) <= {
        "a term cancelled",
        "a variable cancelled",
        "benchmark truth",
        "nearly constant",
        "outside the domain",
        "too large",
        "too long",
        "too many constants",
    }
    assert source.rejected["benchmark truth"] == 0


def test_formula_that_the_audit_knows_is_never_drawn() -> None:
    free = corpus().examples((8,), 40, 20)
    longest = max(free, key=lambda example: len(example.skeleton))
    guarded = Corpus(load_mixture(), Audit([("law", longest.skeleton)]))
    assert longest.skeleton not in [example.skeleton for example in guarded.examples((8,), 40, 20)]
    assert guarded.rejected["benchmark truth"] == guarded.audit.refused["law"] > 0


def test_counts_can_be_forgotten() -> None:
    source = corpus(max_skeleton_tokens=5)
    source.examples((9,), 5, 20)
    source.audit.hits["law"] += 1
    source.forget_counts()
    assert not source.rejected
    assert not source.audit.hits
