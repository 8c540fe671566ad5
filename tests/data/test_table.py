import gzip
import socket
from pathlib import Path

import numpy as np
import pmlb
import pytest

from srbench_ext.data import load_suite, load_table, require_finite
from srbench_ext.errors import DataError, InputError

from .tables import small_problem, table_bytes, write_table


def no_network(*_: object) -> None:
    raise AssertionError("a connection was opened")


@pytest.fixture(autouse=True)
def _without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)


def test_the_target_is_read_by_its_name(tmp_path: Path) -> None:
    write_table(tmp_path, "small", table_bytes())
    table = load_table(small_problem(), tmp_path)
    assert table.feature_names == ("a b", "I")
    assert table.source == "cache"
    assert table.sha256 == small_problem().sha256
    np.testing.assert_array_equal(table.y, np.arange(8.0))
    np.testing.assert_array_equal(table.X[:, 1], np.arange(8.0) ** 2)
    assert table.X.dtype == table.y.dtype == np.float64
    assert table.X.flags.c_contiguous


def test_another_target_column_can_be_named(tmp_path: Path) -> None:
    content = table_bytes(target="yield")
    write_table(tmp_path, "small", content)
    assert load_table(small_problem(content=content, target_column="yield"), tmp_path).X.shape == (8, 2)
    with pytest.raises(DataError, match=r"no column 'target'.*yield, a b, I"):
        load_table(small_problem(content=content), tmp_path)


def test_an_altered_file_is_named_with_both_hashes(tmp_path: Path) -> None:
    path = write_table(tmp_path, "small", table_bytes(seed=7))
    problem = small_problem(uniform_rows=5, formula="a", feature_names=("a", "b"))
    with pytest.raises(DataError) as caught:
        load_table(problem, tmp_path)
    message = str(caught.value)
    assert str(path) in message
    assert f"expected sha256 {problem.sha256}" in message
    found = small_problem(content=table_bytes(seed=7)).sha256
    assert f"found {found}" in message


def test_a_git_lfs_pointer_is_called_by_its_name(tmp_path: Path) -> None:
    write_table(tmp_path, "small", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(DataError, match="Git-LFS pointer"):
        load_table(small_problem(), tmp_path)


def test_a_table_that_is_nowhere_names_the_command_to_run(tmp_path: Path) -> None:
    for cache in (None, tmp_path):
        with pytest.raises(DataError, match="srbench-ext data fetch tiny"):
            load_table(small_problem(), cache)


def test_a_file_in_the_cache_goes_before_regeneration(tmp_path: Path) -> None:
    (problem,) = (p for p in load_suite("strogatz").problems if p.name == "strogatz_lv1")
    assert load_table(problem, None).source == "regenerated"
    assert load_table(problem, tmp_path).source == "regenerated"
    write_table(tmp_path, problem.name, table_bytes())
    with pytest.raises(DataError, match="strogatz_lv1"):
        load_table(problem, tmp_path)


def test_a_file_of_another_shape_is_an_error(tmp_path: Path) -> None:
    write_table(tmp_path, "small", table_bytes())
    with pytest.raises(DataError, match=r"\(8, 2\).*\(9, 2\)"):
        load_table(small_problem(n_rows=9), tmp_path)
    with pytest.raises(DataError, match="columns"):
        load_table(small_problem(feature_names=("a b", "J")), tmp_path)


def test_nan_and_infinity_are_counted_by_column(tmp_path: Path) -> None:
    content = gzip.compress(b"u\tv\ttarget\n1\t\t3\n\tinf\t3\n2\t2\t-inf\n")
    write_table(tmp_path, "small", content)
    problem = small_problem(content=content, n_rows=3)
    with pytest.raises(
        InputError, match=r"'u' \(1 of 3 rows\), 'v' \(2 of 3 rows\), 'target' \(1 of 3 rows\)"
    ):
        load_table(problem, tmp_path)


def test_finite_numbers_pass() -> None:
    require_finite(np.zeros((2, 1)), np.zeros(2), ["a"])


@pytest.mark.parametrize("name", ["strogatz_glider2", "192_vineyard", "banana"])
def test_real_tables_are_what_pmlb_reads(real_cache: Path, name: str) -> None:
    problems = [p for suite in ("strogatz", "black-box") for p in load_suite(suite).problems]
    table = load_table(next(p for p in problems if p.name == name), real_cache)
    X, y = pmlb.fetch_data(name, return_X_y=True, local_cache_dir=str(real_cache), dropna=False)
    np.testing.assert_array_equal(table.X, X)
    np.testing.assert_array_equal(table.y, y)


def test_every_real_black_box_table_can_be_loaded(real_cache: Path) -> None:
    for problem in load_suite("black-box").problems:
        table = load_table(problem, real_cache)
        assert table.X.shape == (problem.n_rows, problem.n_features)
