import os
from pathlib import Path

import pytest

from srbench_ext.data import (
    CACHE_VARIABLE,
    cache_folder,
    find_cache,
    load_suite,
    source_kind,
    table_path,
    verify,
    where,
)
from srbench_ext.errors import DataError

from .tables import small_problem, small_suite, table_bytes, write_table


@pytest.fixture(autouse=True)
def _no_cache_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))


def test_an_argument_goes_before_the_variable_before_the_users_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert find_cache() is None
    users = cache_folder()
    users.mkdir(parents=True)
    assert find_cache() == users
    (tmp_path / "variable").mkdir()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "variable"))
    assert find_cache() == tmp_path / "variable"
    (tmp_path / "argument").mkdir()
    assert find_cache(tmp_path / "argument") == tmp_path / "argument"


def test_a_folder_that_was_asked_for_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="argument"):
        find_cache(tmp_path / "nowhere")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=CACHE_VARIABLE):
        find_cache()


def test_verify_tells_whole_absent_and_altered_files_apart(tmp_path: Path) -> None:
    suite = small_suite(small_problem("absent"), small_problem("altered"), small_problem("whole"))
    write_table(tmp_path, "altered", table_bytes(seed=1))
    write_table(tmp_path, "whole", table_bytes())
    found = verify(suite, tmp_path)
    assert [s.state for s in found] == ["absent", "altered", "ok"]
    assert found[0].found is None
    assert found[1].found not in (None, suite.problems[1].sha256)
    assert found[2].found == suite.problems[2].sha256
    assert [s.path for s in found] == [table_path(p, tmp_path) for p in suite.problems]


def test_verify_notices_a_change_after_an_earlier_look(tmp_path: Path) -> None:
    suite = small_suite(small_problem())
    path = write_table(tmp_path, "small", table_bytes())
    assert verify(suite, tmp_path)[0].state == "ok"
    content = bytearray(table_bytes())
    content[-1] ^= 1  # the same size
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    assert verify(suite, tmp_path)[0].state == "altered"


def test_the_source_of_a_problem_is_known_before_it_is_read(tmp_path: Path) -> None:
    write_table(tmp_path, "small", b"not even a table")
    assert source_kind(small_problem(), tmp_path) == "cache"
    assert source_kind(small_problem(), None) is None
    assert source_kind(small_problem(uniform_rows=5), None) == "regenerated"
    assert source_kind(small_problem("other", uniform_rows=5), tmp_path) == "regenerated"


def test_where_counts_what_is_cached_regenerated_and_missing(tmp_path: Path) -> None:
    write_table(tmp_path, "strogatz_vdp1", b"")
    write_table(tmp_path, "192_vineyard", b"")
    counts = {w.suite: (w.n_cached, w.n_regenerable, w.n_missing) for w in where(tmp_path)}
    assert counts["strogatz"] == (1, 13, 0)
    assert counts["black-box"] == (1, 0, 56)
    assert counts["feynman"] == (0, 119, 0)
    without = {w.suite: w for w in where(None)}
    assert without["black-box"].n_missing == 57
    assert without["black-box"].missing_bytes == sum(p.n_bytes or 0 for p in load_suite("black-box").problems)


def test_the_real_cache_holds_what_the_suites_list(real_cache: Path) -> None:
    assert {s.state for s in verify(load_suite("strogatz"), real_cache)} == {"ok"}
    assert {s.state for s in verify(load_suite("black-box"), real_cache)} == {"ok"}
    states = {s.problem.name: s.state for s in verify(load_suite("black-box-122"), real_cache)}
    absent = {name for name, state in states.items() if state == "absent"}
    assert absent == {"1191_BNG_pbc", "1196_BNG_pharynx", "1595_poker"}
    assert set(states.values()) == {"ok", "absent"}
