import csv
import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from srbench_ext.data import load_suite, read_suite, seed_of, select, suite_names, suites
from srbench_ext.errors import ConfigError, UnknownNameError

SIZES = {
    "feynman": 119,
    "strogatz": 14,
    "black-box": 57,
    "black-box-122": 122,
    "feynman-3": 53,
    "feynman-40": 40,
    "quick": 40,
    "first-principles": 12,
    "srbench-2025-black-box": 12,
}
MINIMAL = 'title = "T"\nsummary = "S"\n'


def write_suite(folder: Path, toml: str = MINIMAL, table: str | None = None) -> Path:
    folder.mkdir()
    (folder / "suite.toml").write_text(toml)
    if table is not None:
        (folder / "problems.csv").write_text(table)
    return folder


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_suites_are_complete() -> None:
    assert {name: len(suite.problems) for name, suite in suites().items() if name in SIZES} == SIZES
    assert set(SIZES) <= set(suite_names())


@pytest.mark.parametrize("name", SIZES)
def test_problems_are_sorted_and_unique(name: str) -> None:
    names = [p.name for p in load_suite(name).problems]
    assert names == sorted(set(names))


@pytest.mark.parametrize("name", SIZES)
def test_every_problem_has_a_hash_and_a_size(name: str) -> None:
    for problem in load_suite(name).problems:
        assert problem.sha256 is not None
        assert re.fullmatch(r"[0-9a-f]{64}", problem.sha256), problem.name
        assert problem.n_bytes is not None
        assert problem.n_bytes > 0
        assert problem.n_rows > 1
    hashes = [p.sha256 for p in load_suite(name).problems]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("name", ["feynman", "strogatz"])
def test_every_formula_uses_the_columns_it_is_given(name: str) -> None:
    for problem in load_suite(name).problems:
        truth = problem.truth()
        assert truth is not None
        assert truth.names == problem.feature_names
        assert set(truth.variables) <= set(range(problem.n_features))
        assert problem.lows is not None
        assert problem.highs is not None
        assert all(low < high for low, high in zip(problem.lows, problem.highs, strict=True)), problem.name
        assert problem.can_be_regenerated


def test_every_feynman_formula_uses_all_its_columns() -> None:
    for problem in load_suite("feynman").problems:
        truth = problem.truth()
        assert truth is not None
        assert truth.variables == tuple(range(problem.n_features)), problem.name


def test_black_box_problems_have_no_truth() -> None:
    for problem in load_suite("black-box-122").problems:
        assert problem.truth() is None
        assert not problem.can_be_regenerated


def test_black_box_is_the_numeric_part_of_the_122() -> None:
    by_rule = [
        p.name for p in load_suite("black-box-122").problems if p.n_features <= 10 and not p.n_categorical
    ]
    assert [p.name for p in load_suite("black-box").problems] == by_rule


def test_the_tables_of_srbench_2025_are_those_of_the_122() -> None:
    of_the_122 = {p.name: p for p in load_suite("black-box-122").problems}
    for problem in load_suite("srbench-2025-black-box").problems:
        assert replace(of_the_122[problem.name], suite=problem.suite) == problem


def test_62_of_the_122_are_friedman_functions() -> None:
    assert len(select(load_suite("black-box-122"), "*_fri_*")) == 62


def test_feynman_40_is_every_third_problem_of_the_sorted_list() -> None:
    assert load_suite("feynman-40").problems == load_suite("feynman").problems[::3]


def test_feynman_3_is_what_has_at_most_three_columns() -> None:
    wanted = tuple(p for p in load_suite("feynman").problems if p.n_features <= 3)
    assert load_suite("feynman-3").problems == wanted


def test_quick_is_the_documented_draw() -> None:
    problems = load_suite("feynman").problems
    by_size = {
        size: [p.name for p in group]
        for size, group in itertools.groupby(
            sorted(problems, key=lambda p: p.n_features), lambda p: p.n_features
        )
    }
    share = {size: 26 * len(names) / len(problems) for size, names in by_size.items()}
    quota = {size: int(part) for size, part in share.items()}
    by_remainder = sorted(share, key=lambda size: quota[size] - share[size])
    for size in by_remainder[: 26 - sum(quota.values())]:
        quota[size] += 1
    drawn = {
        names[i]
        for size, names in by_size.items()
        for i in np.random.default_rng(seed_of("quick", size)).choice(
            len(names), size=quota[size], replace=False
        )
    }
    listed = {p.name for p in load_suite("quick").problems}
    assert listed == drawn | {p.name for p in load_suite("strogatz").problems}


def test_a_selection_keeps_the_home_suite_of_its_problems() -> None:
    assert {p.suite for p in load_suite("quick").problems} == {"feynman", "strogatz"}
    assert {p.suite for p in load_suite("black-box-122").problems} == {"black-box", "black-box-122"}
    assert set(load_suite("black-box").problems) < set(load_suite("black-box-122").problems)


def test_facts_equal_the_lists_beside_the_repository(real_data: Path) -> None:
    listed = {
        p.name: p for name in ("feynman", "strogatz", "black-box-122") for p in load_suite(name).problems
    }
    for table, column in (("feynman_problems", "lfs_sha256"), ("strogatz_problems", "lfs_sha256")):
        for row in read_csv(real_data / f"{table}.csv"):
            problem = listed.pop(row["dataset"])
            assert problem.sha256 == row[column]
            assert (problem.formula or "").replace(" ", "") == row["formula"].replace(" ", "")
    for row in read_csv(real_data / "blackbox_table.csv"):
        problem = listed.pop(row["dataset"])
        assert problem.sha256 == row["sha256"]
        assert (problem.n_rows, problem.n_features) == (
            int(row["pmlb2021_n_instances"]),
            int(row["pmlb2021_n_features"]),
        )
    assert not listed


def test_an_unknown_suite_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'feynman'"):
        load_suite("feynmann")


def test_select_takes_a_pattern() -> None:
    strogatz = load_suite("strogatz")
    assert [p.name for p in select(strogatz, "*vdp*")] == ["strogatz_vdp1", "strogatz_vdp2"]
    assert select(strogatz, "*") == strogatz.problems
    with pytest.raises(UnknownNameError, match="strogatz_vdp1"):
        select(strogatz, "strogatz_vpd1")


def test_reads_a_suite_of_ones_own(tmp_path: Path) -> None:
    table = "name,formula,features,lows,highs,n_rows\nproduct,a*b,a b,0 1,2 3,50\n"
    toml = MINIMAL + '[regeneration]\nkind = "uniform"\nn_rows = 50\n'
    (problem,) = read_suite(write_suite(tmp_path / "mine", toml, table)).problems
    assert (problem.suite, problem.feature_names, problem.uniform_rows) == ("mine", ("a", "b"), 50)
    assert (problem.lows, problem.highs, problem.sha256) == ((0.0, 1.0), (2.0, 3.0), None)


@pytest.mark.parametrize(
    ("toml", "table", "message"),
    [
        (MINIMAL + 'sumary = "x"\n', None, "Did you mean 'summary'"),
        ('title = "T"\n', None, "missing summary"),
        ("title = \n", None, "not valid TOML"),
        (MINIMAL, "name,n_row\na,5\n", "Did you mean 'n_rows'"),
        (MINIMAL, "name,features,n_rows\na,x,5\na,x,5\n", "listed twice"),
        (MINIMAL, "name,features,lows,n_rows\na,x y,1,5\n", "same number of entries"),
        (MINIMAL, "name,features,n_rows\na,x,many\n", "many"),
        (MINIMAL, "name,features\na,x\n", "missing n_rows"),
        (MINIMAL + '[regeneration]\nkind = "normal"\n', "name,features,n_rows\na,x,5\n", "uniform, ode"),
        (MINIMAL + '[regeneration]\nkind = "uniform"\n', "name,features,n_rows\na,x,5\n", "missing n_rows"),
        (MINIMAL + '[[parts]]\nsuite = "strogatz"\nproblems = ["strogatz_vdp3"]\n', None, "'strogatz_vdp1'"),
        (
            MINIMAL
            + '[regeneration]\nkind = "ode"\nsolver = "euler"\nstep = 1\nn_steps = 2\ninitial_states={}\n',
            "name,features,n_rows,system,derivative_of\na,x,5,s,x\n",
            "solver must be one of",
        ),
        (
            MINIMAL
            + '[regeneration]\nkind = "ode"\nsolver = "adaptive"\nstep = 1\nn_steps = 2\ninitial_states={}\n',
            "name,features,n_rows,system,derivative_of\na,x,5,s,x\n",
            "a lacks 's'",
        ),
    ],
)
def test_a_suite_that_does_not_fit_is_a_named_error(
    tmp_path: Path, toml: str, table: str | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_suite(write_suite(tmp_path / "bad", toml, table))
