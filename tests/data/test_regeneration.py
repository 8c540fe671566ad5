import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from srbench_ext.data import OdeSystem, Problem, load_suite, load_table, regenerate
from srbench_ext.errors import DataError

QUANTILES = {"p5": 0.05, "q1": 0.25, "median": 0.5, "q3": 0.75, "p95": 0.95}


def uniform_problem(formula: str = "a*b", name: str = "product", **facts: object) -> Problem:
    given = {"formula": formula, "feature_names": ("a", "b"), "lows": (0.0, 2.0), "highs": (1.0, 3.0)}
    return Problem("tiny", name, 500, 2, uniform_rows=500, **{**given, **facts})  # type: ignore[arg-type]


def test_rows_are_uniform_in_the_box_and_follow_the_formula() -> None:
    table = regenerate(uniform_problem())
    assert table.source == "regenerated"
    assert table.X.shape == (500, 2)
    assert table.X.flags.c_contiguous
    assert (table.X >= [0.0, 2.0]).all()
    assert (table.X <= [1.0, 3.0]).all()
    assert (np.ptp(table.X, axis=0) > 0.98).all()
    np.testing.assert_array_equal(table.y, table.X[:, 0] * table.X[:, 1])


def test_regeneration_repeats_itself_and_depends_on_the_name() -> None:
    first, again, other = (regenerate(uniform_problem(name=name)) for name in ("one", "one", "two"))
    np.testing.assert_array_equal(first.X, again.X)
    assert first.sha256 == again.sha256
    assert other.sha256 != first.sha256
    assert not np.array_equal(other.X, first.X)


def test_regenerated_arrays_cannot_be_written() -> None:
    table = regenerate(uniform_problem())
    with pytest.raises(ValueError, match="read-only"):
        table.X[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        table.y[0] = 1.0


def test_a_formula_that_is_not_finite_in_its_box_is_an_error() -> None:
    with pytest.raises(DataError, match=r"product.*not finite on 500 of 500"):
        regenerate(uniform_problem("log(a-2)+b"))


def test_a_problem_without_a_formula_cannot_be_regenerated() -> None:
    with pytest.raises(DataError, match="cannot be regenerated"):
        regenerate(Problem("tiny", "opaque", 5, 1))


def test_trajectories_follow_the_solution_of_a_known_system() -> None:
    circle = OdeSystem(("-v", "u"), ((1.0, 0.0), (0.0, 2.0)), step=0.1, n_steps=100)
    problem = Problem("tiny", "circle", 200, 2, formula="-v", feature_names=("u", "v"), system=circle)
    table = regenerate(problem)
    t = 0.1 * np.arange(100)
    expected = np.r_[np.c_[np.cos(t), np.sin(t)], np.c_[-2 * np.sin(t), 2 * np.cos(t)]]
    np.testing.assert_allclose(table.X, expected, atol=1e-9)
    np.testing.assert_array_equal(table.y, -table.X[:, 1])


def test_every_feynman_problem_has_a_finite_table_of_100000_rows() -> None:
    for problem in load_suite("feynman").problems:
        table = load_table(problem, None)
        assert table.X.shape == (problem.n_rows, problem.n_features) == (100_000, problem.n_features)
        assert np.isfinite(table.y).all()


def test_regenerated_feynman_targets_are_distributed_like_the_real_ones(real_data: Path) -> None:
    problems = {p.name: p for p in load_suite("feynman").problems}
    with (real_data / "feynman_pmlb_profile_stats.csv").open() as stream:
        real = {row["dataset"]: row for row in csv.DictReader(stream) if row["variable"] == "target"}
    assert len(real) == 117
    for name, row in real.items():
        y = load_table(problems[name], None).y
        for column, share in QUANTILES.items():
            standard_error = np.sqrt(share * (1 - share) * 2 / len(y))
            assert abs(np.mean(y <= float(row[column])) - share) < 5 * standard_error, (name, column)


def test_both_derivatives_of_a_system_share_their_trajectories() -> None:
    first, second = (
        load_table(p, None)
        for p in load_suite("strogatz").problems
        if p.name in ("strogatz_vdp1", "strogatz_vdp2")
    )
    np.testing.assert_array_equal(first.X, second.X)
    assert not np.array_equal(first.y, second.y)


def test_regenerated_strogatz_tables_are_the_real_ones_but_for_rounding(real_cache: Path) -> None:
    for problem in load_suite("strogatz").problems:
        real, made = load_table(problem, real_cache), load_table(problem, None)
        for column, wanted in ((made.y, real.y), *zip(made.X.T, real.X.T, strict=True)):
            rms = np.sqrt(np.mean(wanted**2))
            assert np.abs(column - wanted).max() < 1e-9 * rms, problem.name


def test_the_original_solver_was_coarse() -> None:
    """By how many percent rows are off the solution of their equations: see docs/add-a-dataset.md."""
    off = {}
    for problem in load_suite("strogatz").problems:
        assert problem.system is not None
        coarse = load_table(problem, None).X
        exact = regenerate(replace(problem, system=replace(problem.system, solver="adaptive"))).X
        rms = np.sqrt(np.mean(coarse**2, axis=0))
        off[problem.name] = round(100 * float(np.median(np.abs(exact - coarse) / rms)), 1)
    median_percent = {
        "bacres": 0.2,
        "barmag": 0.1,
        "glider": 0.8,
        "lv": 3.5,
        "predprey": 6.0,
        "shearflow": 0.2,
        "vdp": 1.0,
    }
    assert off == {
        f"strogatz_{system}{state}": share for system, share in median_percent.items() for state in (1, 2)
    }
