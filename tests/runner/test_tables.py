from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.data import load_suite, load_table
from srbench_ext.runner import tables
from srbench_ext.runner.tables import kept_table

PROBLEMS = load_suite("strogatz").problems


def assert_same(one, other):
    np.testing.assert_array_equal(one.X, other.X)
    np.testing.assert_array_equal(one.y, other.y)
    facts = [(t.feature_names, t.source, t.sha256, t.X.dtype, t.X.shape) for t in (one, other)]
    assert facts[0] == facts[1]


def test_a_kept_table_is_the_table_and_is_not_made_again(tmp_path, monkeypatch):
    made = load_table(PROBLEMS[0], None)
    assert_same(kept_table(PROBLEMS[0], None, tmp_path), made)
    monkeypatch.setattr(tables, "load_table", lambda problem, cache: pytest.fail("made again"))
    assert_same(kept_table(PROBLEMS[0], None, tmp_path), made)


def test_a_kept_table_cannot_be_written_to(tmp_path):
    for _ in range(2):
        table = kept_table(PROBLEMS[0], None, tmp_path)
        with pytest.raises(ValueError, match="read-only"):
            table.X[0, 0] = 1.0


def test_without_a_folder_nothing_is_kept():
    assert_same(kept_table(PROBLEMS[0], None, None), load_table(PROBLEMS[0], None))


def test_only_the_last_tables_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_MOST_TABLES", 2)
    for problem in PROBLEMS[:3]:
        kept_table(problem, None, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_table_that_cannot_be_kept_is_used_all_the_same(tmp_path):
    assert_same(kept_table(PROBLEMS[0], None, tmp_path / "gone"), load_table(PROBLEMS[0], None))
