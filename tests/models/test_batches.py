from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from torch.utils.data import DataLoader

from srbench_ext.expression import compile_prefix
from srbench_ext.models.batches import IGNORED, Batch, ExampleEncoder, Pool, Pools, sequence_of, subtree_end
from srbench_ext.models.encoders import POINT_FEATURES
from srbench_ext.models.tokens import MODES, Vocabulary

from .tiny import PLAN, tiny_corpus

VOCABULARY = Vocabulary()


def pools(seed: int = 1, start: int = 0) -> Pools:
    return Pools(tiny_corpus(), PLAN, ExampleEncoder(VOCABULARY), seed, start)


def assert_equal(a: Pool, b: Pool) -> None:
    assert len(a.batches) == len(b.batches)
    for left, right in zip(a.batches, b.batches, strict=True):
        for name in Batch.__dataclass_fields__:
            if name != "extra":
                np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    assert (a.truth_hits, a.rejected) == (b.truth_hits, b.rejected)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # fork beside torch's threads
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_pools_come_in_one_order_whatever_the_number_of_workers(workers: int) -> None:
    source = pools()
    loader = DataLoader(pools(), batch_size=None, num_workers=workers, collate_fn=lambda pool: pool)
    for number, pool in enumerate(itertools.islice(loader, 4)):
        assert_equal(pool, source.pool(number))


def test_pool_depends_on_seed_and_number_alone() -> None:
    a, b = pools(), pools()
    b.pool(0)
    assert_equal(a.pool(3), b.pool(3))
    assert_equal(next(iter(pools(start=3))), a.pool(3))
    assert not np.array_equal(pools(seed=2).pool(3).batches[0].features, a.pool(3).batches[0].features)


def test_pool_has_the_batches_planned() -> None:
    pool = pools().pool(0)
    assert len(pool.batches) == PLAN.batches_per_pool
    for batch in pool.batches:
        rows, n_points, n_features = batch.features.shape
        assert rows == len(batch.ids) == len(batch.targets) == len(batch.modes) == PLAN.batch_size
        assert PLAN.few_points[0] <= n_points <= PLAN.many_points[1]
        assert n_features == POINT_FEATURES
        assert np.isfinite(batch.features).all()


def test_targets_are_the_next_tokens_and_given_ones_are_not_learned() -> None:
    separator = VOCABULARY.ids["<sep>"]
    for batch in (b for number in range(6) for b in pools().pool(number).batches):
        for ids, targets, mode in zip(batch.ids, batch.targets, batch.modes, strict=True):
            assert VOCABULARY.tokens[ids[0]] == MODES[mode]
            learned = np.flatnonzero(targets != IGNORED)
            np.testing.assert_array_equal(targets[learned[:-1]], ids[learned[1:]])
            assert targets[learned[-1]] == VOCABULARY.eos
            assert (ids[learned[-1] + 1 :] == VOCABULARY.pad).all()
            first = int(np.flatnonzero(ids == separator)[0]) if MODES[mode] == "<infill>" else 0
            assert learned[0] == first


def test_all_modes_are_drawn() -> None:
    source = pools()
    seen = {int(m) for number in range(6) for batch in source.pool(number).batches for m in batch.modes}
    assert seen == {0, 1, 2}


def test_infill_sequence_is_a_formula_with_a_hole_and_the_subtree_that_fits() -> None:
    choice = random.Random(0)
    whole = 0
    examples = tiny_corpus().examples((3,), 60, 6)
    for example in examples:
        ids, given = sequence_of(example, MODES.index("<infill>"), choice, VOCABULARY)
        tokens = VOCABULARY.decode(ids)
        cut = tokens.index("<sep>")
        assert given == cut
        around, subtree = tokens[1:cut], tuple(tokens[cut + 1 :])
        assert around.count("<hole>") == 1
        assert compile_prefix(subtree).prefix == subtree
        hole = around.index("<hole>")
        filled = (*around[:hole], *subtree, *around[hole + 1 :])
        assert compile_prefix(filled).prefix == filled
        whole += filled == example.skeleton
    assert len(examples) * 0.6 < whole < len(examples)  # a fifth has a wrong leaf elsewhere


def test_numeric_sequence_is_the_formula_in_raw_units() -> None:
    for example in tiny_corpus().examples((4,), 30, 6):
        ids, given = sequence_of(example, MODES.index("<numeric>"), random.Random(0), VOCABULARY)
        found = VOCABULARY.read_numeric(VOCABULARY.decode(ids)[1:])
        assert given == 0
        assert [t if isinstance(t, str) else pytest.approx(t, rel=1e-3) for t in found] == list(
            example.formula
        )


def test_skeleton_sequence_is_the_skeleton() -> None:
    for example in tiny_corpus().examples((5,), 10, 6):
        ids, _ = sequence_of(example, MODES.index("<skeleton>"), random.Random(0), VOCABULARY)
        assert VOCABULARY.decode(ids) == ["<skeleton>", *example.skeleton]
        assert ids[-1] == VOCABULARY.eos


def test_subtree_ends_after_its_last_leaf() -> None:
    prefix = ["add", "mul", "x0", 2.5, "sin", "x1"]
    assert [subtree_end(prefix, i) for i in range(len(prefix))] == [6, 4, 3, 4, 6, 6]


def test_padding_reaches_a_multiple_of_four() -> None:
    examples = tiny_corpus().examples((6,), 3, 6)
    sequences = [([2, 30, 1], 0), ([2, 10, 30, 31, 20, 1], 0), ([2, 1], 0)]
    batch = ExampleEncoder(VOCABULARY).batch(examples, sequences, [0, 0, 0], random.Random(0))
    assert batch.ids.shape == batch.targets.shape == (3, 8)
    assert batch.targets[0].tolist() == [30, 1, *[IGNORED] * 6]
