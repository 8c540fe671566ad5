"""Every formula suite against real rows, as published by PMLB and in the AI Feynman database."""

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from srbench_ext.data import Problem, load_suite, load_table

HALF_OF_THE_SIXTH_DECIMAL = 5e-7


@pytest.fixture(scope="module")
def feynman() -> dict[str, Problem]:
    return {p.name: p for p in load_suite("feynman").problems}


def read_rows(
    path: Path, problems: dict[str, Problem]
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    rows = defaultdict(list)
    with path.open() as stream:
        for line in csv.DictReader(stream):
            rows[line["dataset"]].append(json.loads(line["row_json"]))
    return {
        name: (
            np.array(
                [[row[column] for column in problems[name].feature_names] for row in found], dtype=float
            ),
            np.array([row["target"] for row in found], dtype=float),
        )
        for name, found in rows.items()
    }


def truth_at(problem: Problem, X: NDArray[np.float64]) -> NDArray[np.float64]:
    truth = problem.truth()
    assert truth is not None
    return truth.evaluate(X)


def test_feynman_formulas_reproduce_rows_of_full_precision(
    real_data: Path, feynman: dict[str, Problem]
) -> None:
    rows = read_rows(real_data / "feynman_fsrd_rows_fullprec.csv", feynman)
    assert sum(len(y) for _, y in rows.values()) == 1620
    for name, (X, y) in rows.items():
        np.testing.assert_allclose(truth_at(feynman[name], X), y, rtol=1e-12, err_msg=name)


def test_feynman_formulas_reproduce_rows_of_six_decimals(
    real_data: Path, feynman: dict[str, Problem]
) -> None:
    rows = read_rows(real_data / "feynman_pmlb_sample_rows.csv", feynman)
    assert sum(len(y) for _, y in rows.values()) == 2340
    for name, (X, y) in rows.items():
        predicted = truth_at(feynman[name], X)
        moved = [truth_at(feynman[name], X + HALF_OF_THE_SIXTH_DECIMAL * step) for step in np.eye(X.shape[1])]
        allowed = HALF_OF_THE_SIXTH_DECIMAL + 1.1 * sum(np.abs(m - predicted) for m in moved)
        assert (np.abs(predicted - y) <= allowed + 1e-9).all(), name


def test_real_feynman_rows_cover_every_problem(real_data: Path, feynman: dict[str, Problem]) -> None:
    files = ("feynman_fsrd_rows_fullprec.csv", "feynman_pmlb_sample_rows.csv")
    covered = set().union(*(read_rows(real_data / file, feynman) for file in files))
    assert covered == set(feynman)


def test_strogatz_formulas_reproduce_the_real_tables(real_cache: Path) -> None:
    for problem in load_suite("strogatz").problems:
        table = load_table(problem, real_cache)
        assert table.X.shape == (400, 2)
        rms = np.sqrt(np.mean(table.y**2))
        assert np.abs(truth_at(problem, table.X) - table.y).max() < 1e-12 * rms, problem.name
        np.testing.assert_allclose(table.X.min(axis=0), problem.lows, err_msg=problem.name)
        np.testing.assert_allclose(table.X.max(axis=0), problem.highs, err_msg=problem.name)


def test_strogatz_trajectories_start_where_the_real_ones_do(real_cache: Path) -> None:
    for problem in load_suite("strogatz").problems:
        assert problem.system is not None
        real = load_table(problem, real_cache).X[:: problem.system.n_steps]
        np.testing.assert_array_equal(real, problem.system.initial_states, err_msg=problem.name)
