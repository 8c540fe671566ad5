from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from srbench_ext.data import load_suite, load_table
from srbench_ext.errors import DataError
from srbench_ext.runner import plan
from srbench_ext.runner.worker import prepare

from .chaos import PROTOCOL


def spec(**changes):
    options = {key: changes.pop(key) for key in ("noise", "only", "cache", "suites") if key in changes}
    protocol = replace(PROTOCOL, rules=replace(PROTOCOL.rules, **changes))
    only = options.pop("only", "strogatz_vdp1")
    return plan(["linear"], options.pop("suites", None), protocol, only=only, **options)[0]


def whole_table(specification):
    problems = {p.name: p for p in load_suite(specification.suite).problems}
    return load_table(problems[specification.problem], None)


def test_train_and_test_rows_are_those_of_the_table_and_disjoint():
    one = spec(n_rows=None, max_test_rows=None)
    prepared, table = prepare(one, None), whole_table(one)
    assert len(prepared.train.y) + len(prepared.test.y) == len(table.y)
    both = np.vstack([prepared.train.X, prepared.test.X])
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(table.X, axis=0))
    assert tuple(prepared.train.X.columns) == table.feature_names


def test_noise_touches_the_training_targets_alone():
    clean, noisy = prepare(spec(), None), prepare(spec(noise=[0.1]), None)
    pd.testing.assert_frame_equal(clean.train.X, noisy.train.X)
    np.testing.assert_array_equal(clean.test.y, noisy.test.y)
    difference = noisy.train.y - clean.train.y
    rms = np.sqrt(np.mean(clean.train.y**2))
    assert 0.07 < difference.std() / rms < 0.13


def test_methods_of_one_problem_see_the_same_rows_and_seed():
    one = spec()
    other = replace(one, method="other", parameters={"a": 1})
    assert prepare(one, None).method_seed == prepare(other, None).method_seed
    np.testing.assert_array_equal(prepare(one, None).train.y, prepare(other, None).train.y)
    assert prepare(replace(one, trial=1), None).method_seed != prepare(one, None).method_seed


def test_fixed_split_seeds_give_scikit_learns_split():
    from sklearn.model_selection import train_test_split

    one = spec(split_seeds=(23654,), n_rows=None, max_test_rows=None)
    table = whole_table(one)
    _, expected = train_test_split(table.y, test_size=0.25, random_state=23654)
    np.testing.assert_array_equal(np.sort(prepare(one, None).test.y), np.sort(expected))


def test_standardising_uses_the_training_rows_of_tables_without_a_truth(monkeypatch):
    one = spec(standardise_without_truth=True)
    assert "scaling" not in prepare(one, None).notes
    from srbench_ext.runner import worker

    problem = load_suite("strogatz").problems[0]
    monkeypatch.setattr(worker, "problem_of", lambda s: replace(problem, formula=None))
    monkeypatch.setattr(worker, "kept_table", lambda p, cache, scratch: load_table(problem, cache))
    prepared = prepare(one, None)
    assert prepared.notes["scaling"]
    assert prepared.train.y.mean() == pytest.approx(0, abs=1e-12)
    assert prepared.train.X.to_numpy().std(axis=0) == pytest.approx([1, 1])
    assert abs(prepared.test.y.mean()) > 1e-6


def test_rows_that_come_from_elsewhere_than_planned_are_refused(tmp_path):
    one = replace(spec(), source_kind="cache")
    with pytest.raises(DataError):
        prepare(one, tmp_path)
