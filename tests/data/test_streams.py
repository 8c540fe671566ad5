import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srbench_ext.data import data_stream, load_suite, seed_of, stream
from srbench_ext.errors import InputError

NAMES = st.lists(
    st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)), max_size=4
)


def test_seeds_stay_what_they_are() -> None:
    assert seed_of("split", "feynman", "feynman_I_10_7", 0) == 16788472005455489243
    assert seed_of("noise", "feynman", "feynman_I_10_7", 0.1, 3) == 14088928115966183113
    assert seed_of("data", "feynman", "feynman_I_10_7") == 6596682285870625134


def test_streams_stay_what_they_are() -> None:
    drawn = {
        kind: int(stream(kind, "strogatz", "strogatz_vdp1", 0.01, 2).integers(2**62))
        for kind in ("split", "noise", "method")
    }
    assert drawn == {
        "split": 2356962694308594784,
        "noise": 1773517812548614128,
        "method": 2648804765463245826,
    }


@given(NAMES, NAMES)
def test_different_names_give_different_seeds(first: list[object], second: list[object]) -> None:
    assert (seed_of(*first) == seed_of(*second)) == (repr(first) == repr(second))  # type: ignore[arg-type]


@given(st.lists(st.text(min_size=1), min_size=2, max_size=2))
def test_where_one_name_ends_matters(names: list[str]) -> None:
    assert seed_of(*names) != seed_of("".join(names))


def test_seed_of_rejects_what_is_not_a_number() -> None:
    with pytest.raises(InputError, match="nan"):
        seed_of("noise", float("nan"))


def test_all_noise_levels_share_their_split() -> None:
    first, second = (
        stream("split", "feynman", "feynman_I_10_7", level, 0).permutation(50) for level in (0.0, 0.1)
    )
    assert (first == second).all()


@pytest.mark.parametrize("kind", ["noise", "method"])
def test_each_noise_level_has_its_own_noise_and_method_stream(kind: str) -> None:
    draws = {stream(kind, "s", "p", level, 0).random() for level in (0.0, 0.001, 0.01, 0.1)}  # type: ignore[arg-type]
    assert len(draws) == 4


def test_an_integer_level_is_the_same_level() -> None:
    assert stream("noise", "s", "p", 0, 0).random() == stream("noise", "s", "p", 0.0, 0).random()


def test_kinds_problems_suites_and_trials_are_independent() -> None:
    settings = [
        (k, s, p, t) for k in ("split", "noise", "method") for s in "ab" for p in "cd" for t in (0, 1)
    ]
    draws = {stream(k, s, p, 0.0, t).random() for k, s, p, t in settings}  # type: ignore[arg-type]
    assert len(draws) == len(settings)


def test_a_selection_leaves_the_streams_of_a_problem_alone() -> None:
    quick = {p.name: p.suite for p in load_suite("quick").problems}
    assert quick["strogatz_vdp1"] == "strogatz"
    home = {p.name: p for p in load_suite("strogatz").problems}["strogatz_vdp1"]
    draws = [data_stream(suite, "strogatz_vdp1").random(3) for suite in (quick["strogatz_vdp1"], home.suite)]
    np.testing.assert_array_equal(*draws)
