import numpy as np
import pandas as pd
import pytest

from srbench_ext.data import load_suite
from srbench_ext.report.published_problems import (
    PROBLEM_COLUMNS,
    compare_published,
    load_published_problems,
    sources,
)


def runs(**hits):
    """Runs of the method ``mine`` on problems a, b, ...; a test R² each, None for a failed run."""
    rows = []
    for problem, r2 in hits.items():
        status = "timeout" if r2 is None else "ok"
        rows.append(["p", "s", 0.0, "mine", problem, status, r2, r2 is not None and r2 > 0.999])
    columns = ["protocol", "suite", "noise", "method", "problem", "status", "r2_test", "recovered_srbench"]
    return pd.DataFrame(rows, columns=columns)


def figures(noise=0.0, **values):
    rows = [
        ["theirs", "s", problem, noise, r2, rate, 5, 60, "them"] for problem, (r2, rate) in values.items()
    ]
    return pd.DataFrame(rows, columns=list(PROBLEM_COLUMNS))


def test_every_figure_is_of_a_problem_of_ours_and_its_source_is_described():
    table = load_published_problems()
    assert set(table["source"]) == set(sources())
    for suite, rows in table.groupby("suite"):
        assert set(rows["problem"]) <= {problem.name for problem in load_suite(suite).problems}
    assert not table.duplicated(["method", "suite", "problem", "noise", "source"]).any()
    assert table["rate_symbolic"].dropna().between(0, 1).all()


def test_the_rates_of_papers_follow_from_their_figures():
    table = load_published_problems()
    tpsr = table[(table["method"] == "TPSR (lambda=0.1)") & (table["noise"] == 0)]
    by_suite = (tpsr["r2_test"] > 0.99).groupby(tpsr["suite"]).mean()
    assert by_suite["feynman"] == pytest.approx(0.949, abs=0.01)  # TPSR's Table 1
    assert by_suite["strogatz"] == pytest.approx(0.785, abs=0.01)


def test_pairs_count_the_problems_of_both():
    shared = figures(a=(1.0, 1.0), b=(1.0, 0.5), c=(0.5, 0.0), other=(1.0, 1.0))
    table = compare_published(runs(a=1.0, b=0.995, c=1.0, d=1.0), shared).set_index("measure")
    r2 = table.loc["R²>0.99"]
    assert (r2["problems"], r2["wins"], r2["ties"], r2["losses"]) == (3, 1, 2, 0)
    assert (r2["ours"], r2["theirs"]) == (1.0, pytest.approx(2 / 3))
    recovered = table.loc["recovered"]
    assert (recovered["wins"], recovered["losses"]) == (1, 0)  # half of the trials are not most


def test_a_failed_run_solves_nothing():
    table = compare_published(runs(a=None, b=1.0), figures(a=(1.0, 1.0), b=(1.0, 1.0)))
    assert list(table["losses"]) == [1, 1]


def test_figures_of_another_noise_level_are_not_paired():
    assert compare_published(runs(a=1.0), figures(noise=0.01, a=(1.0, 1.0))).empty


def test_what_the_source_does_not_give_is_not_paired():
    table = compare_published(runs(a=1.0), figures(a=(1.0, np.nan)))
    assert list(table["measure"]) == ["R²>0.99"]


def test_p_values_are_corrected_over_the_pairs_of_a_measure():
    many = {f"p{i}": 1.0 for i in range(8)}
    theirs = dict.fromkeys(many, (0.0, 0.0))
    two = pd.concat([figures(**theirs), figures(**theirs).assign(method="others")])
    table = compare_published(runs(**many), two)
    np.testing.assert_allclose(table["p"], 2 / 2**8)
    np.testing.assert_allclose(table["p_holm"], 2 * table["p"])
