from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.corpus import (
    Audit,
    Corpus,
    HeldOutExample,
    audit_key,
    benchmark_audit,
    held_out,
    load_mixture,
)
from srbench_ext.errors import InputError
from srbench_ext.expression import Expression, evaluate

FREE = Audit([])


def clean(example: HeldOutExample, X: np.ndarray) -> np.ndarray:
    constants = tuple(token for token in example.formula if isinstance(token, float))
    prefix = tuple(token if isinstance(token, str) else "C" for token in example.formula)
    return evaluate(Expression(prefix, constants), X)


def test_set_has_as_many_problems_and_rows_as_wanted() -> None:
    found = held_out(12, 30, n_test_points=50, audit=FREE)
    assert len(found) == 12
    for example in found:
        d = example.X.shape[1]
        assert (example.X.shape, example.y.shape) == ((30, d), (30,))
        assert (example.X_test.shape, example.y_test.shape) == ((50, d), (50,))


def test_longer_set_starts_with_the_shorter_one() -> None:
    short, long = held_out(5, 20, audit=FREE), held_out(9, 20, audit=FREE)
    for a, b in zip(short, long, strict=False):
        assert a.formula == b.formula
        for left, right in ((a.X, b.X), (a.y, b.y), (a.X_test, b.X_test), (a.y_test, b.y_test)):
            np.testing.assert_array_equal(left, right)


def test_no_law_stands_twice() -> None:
    found = held_out(300, 10, n_test_points=10, audit=FREE)
    assert len({audit_key(example.skeleton) for example in found}) == 300


def test_test_targets_are_clean_and_training_targets_have_the_noise_told() -> None:
    noisy = 0
    for example in held_out(60, 100, n_test_points=40, audit=FREE):
        np.testing.assert_array_equal(example.y_test, clean(example, example.X_test))
        y = clean(example, example.X)
        if example.noise == 0.0:
            np.testing.assert_array_equal(example.y, y)
        else:
            noisy += 1
            size = np.sqrt(np.mean((example.y - y) ** 2) / np.mean(y**2))
            assert size == pytest.approx(example.noise, rel=0.4)
    assert noisy > 5


def test_test_points_are_of_the_same_draw_and_other_rows() -> None:
    far = 0
    for example in held_out(40, 100, n_test_points=100, audit=FREE):
        assert not (example.X[:, None] == example.X_test).all(axis=2).all()
        far += np.abs(np.median(example.X_test, axis=0) - np.median(example.X, axis=0)).max() > np.ptp(
            example.X
        )
    assert far == 0


def test_problems_are_not_those_of_training_or_validation() -> None:
    corpus = Corpus(load_mixture(), FREE)
    trained = {e.formula for seed in (1, 990_001) for e in corpus.examples((seed, 0), 200, 20)}
    constants = [e for e in held_out(100, 20, audit=FREE) if any(isinstance(t, float) for t in e.formula)]
    assert len(constants) > 20
    assert not {e.formula for e in constants} & trained


def test_benchmark_truths_are_kept_out_and_the_counts_left_alone() -> None:
    audit = benchmark_audit()
    audit.hits["a problem"] = 3
    found = held_out(40, 20, audit=audit)
    assert audit.hits == {"a problem": 3}
    assert not {audit_key(example.skeleton) for example in found} & set(audit.forbidden)


@pytest.mark.parametrize(("count", "n_points", "n_test"), [(-1, 5, 5), (1, 0, 5), (1, 5, 0)])
def test_impossible_sizes_are_an_error(count: int, n_points: int, n_test: int) -> None:
    with pytest.raises(InputError, match="held-out"):
        held_out(count, n_points, n_test_points=n_test, audit=FREE)
