import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from srbench_ext.data import add_noise, split_rows
from srbench_ext.errors import InputError

SRBENCH_SEEDS = (23654, 15795, 860)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(2, 400), st.one_of(st.none(), st.integers(1, 500)), st.booleans(), st.integers(0, 99))
def test_no_row_is_in_both_parts(n_rows: int, n_train: int | None, replace: bool, seed: int) -> None:
    train, test = split_rows(n_rows, n_train, generator(seed), replace=replace)
    assert not set(train) & set(test)
    assert set(train) | set(test) <= set(range(n_rows))
    assert len(train) >= 1
    assert len(test) == int(np.ceil(n_rows / 4))


def test_training_rows_are_drawn_after_the_split() -> None:
    whole, _ = split_rows(1000, None, generator())
    train, test = split_rows(1000, 200, generator())
    assert len(train) == len(set(train)) == 200
    assert set(train) <= set(whole)
    assert len(test) == 250


def test_a_small_table_gives_all_its_training_rows() -> None:
    train, test = split_rows(400, 2000, generator())
    assert (len(train), len(test)) == (300, 100)
    assert len(set(train)) == 300


def test_the_test_part_has_at_most_25000_rows() -> None:
    _, test = split_rows(200_000, 100, generator())
    assert len(test) == 25_000
    _, test = split_rows(200_000, 100, generator(), max_test_rows=None)
    assert len(test) == 50_000


def test_the_test_rows_do_not_depend_on_how_many_rows_train() -> None:
    tests = [split_rows(1000, n, generator())[1] for n in (10, 100, None)]
    np.testing.assert_array_equal(tests[0], tests[1])
    np.testing.assert_array_equal(tests[0], tests[2])


def test_draws_with_replacement_when_the_table_is_larger() -> None:
    train, test = split_rows(10_500, 10_000, generator(), replace=True)
    assert len(train) == 10_000
    assert len(set(train)) < 7_875
    assert not set(train) & set(test)
    train, _ = split_rows(9_999, 10_000, generator(), replace=True)
    assert len(train) == len(set(train)) == 7_499


@pytest.mark.parametrize("seed", SRBENCH_SEEDS)
@pytest.mark.parametrize("n_rows", [47, 400, 1001])
def test_fixed_seeds_give_scikit_learns_rows(n_rows: int, seed: int) -> None:
    expected = train_test_split(np.arange(n_rows), train_size=0.75, test_size=0.25, random_state=seed)
    for rows, wanted in zip(split_rows(n_rows, None, seed), expected, strict=True):
        np.testing.assert_array_equal(rows, wanted)


def test_fixed_seeds_draw_the_rows_of_srbench_2021() -> None:
    seed = SRBENCH_SEEDS[0]
    pool, _ = train_test_split(np.arange(40_000), train_size=0.75, test_size=0.25, random_state=seed)
    drawn = pool[np.random.RandomState(seed).choice(len(pool), size=10_000)]
    train, _ = split_rows(40_000, 10_000, seed, replace=True)
    np.testing.assert_array_equal(train, drawn)


@pytest.mark.parametrize("n_rows", [0, 1])
def test_a_table_of_one_row_cannot_be_split(n_rows: int) -> None:
    with pytest.raises(InputError, match="at least 2 rows"):
        split_rows(n_rows, None, generator())


def test_a_size_below_one_is_an_error() -> None:
    with pytest.raises(InputError, match="n_train must be at least 1"):
        split_rows(10, 0, generator())


@given(st.floats(1e-3, 10), st.sampled_from([1e-200, 1.0, 1e200]))
def test_noise_has_the_stated_size(level: float, scale: float) -> None:
    y = scale * generator(1).normal(3.0, 1.0, 20_000)
    rms = scale * np.sqrt(np.mean((y / scale) ** 2))
    noise = (add_noise(y, level, generator(2)) - y) / (level * rms)
    assert abs(noise.std() - 1) < 0.02
    assert abs(noise.mean()) < 0.03


def test_noise_leaves_its_input_alone() -> None:
    y = np.arange(5.0)
    noisy = add_noise(y, 0.1, generator())
    np.testing.assert_array_equal(y, np.arange(5.0))
    assert not np.array_equal(noisy, y)


def test_level_zero_draws_nothing() -> None:
    rng = generator()
    np.testing.assert_array_equal(add_noise(np.arange(5.0), 0.0, rng), np.arange(5.0))
    assert rng.random() == generator().random()


@pytest.mark.parametrize("level", [-0.1, float("nan"), float("inf")])
def test_a_bad_level_is_an_error(level: float) -> None:
    with pytest.raises(InputError, match="noise level"):
        add_noise(np.ones(3), level, generator())


def test_noise_on_targets_that_are_not_finite_is_an_error() -> None:
    with pytest.raises(InputError, match="2 of 4"):
        add_noise(np.array([1.0, np.nan, np.inf, 2.0]), 0.1, generator())
