from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.errors import InputError
from srbench_ext.search.rows import split_for_search

LIMITS = {"validation_share": 0.2, "max_fit_rows": 100, "screen_rows": 30}


def test_validation_rows_are_no_fit_rows():
    rows = split_for_search(1000, np.random.default_rng(0), **LIMITS)
    assert len(rows.fit) == len(rows.validation) == 100
    assert not set(rows.fit) & set(rows.validation)
    assert set(rows.screen) <= set(rows.fit)
    assert len(rows.screen) == 30


def test_a_small_table_is_used_whole_for_both():
    rows = split_for_search(59, np.random.default_rng(0), **LIMITS)
    assert set(rows.fit) == set(rows.validation) == set(range(59))


def test_limits_without_sense_are_named():
    with pytest.raises(InputError, match=r"share 1\.0"):
        split_for_search(10, np.random.default_rng(0), **{**LIMITS, "validation_share": 1.0})


def test_more_rows_may_validate_than_fit():
    options = {"validation_share": 0.2, "max_fit_rows": 300, "screen_rows": 100, "max_validation_rows": 1500}
    rows = split_for_search(10_000, np.random.default_rng(0), **options)
    assert len(rows.fit) == 300
    assert len(rows.validation) == 1500
    assert not set(rows.fit) & set(rows.validation)
