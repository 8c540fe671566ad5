import numpy as np
import pytest

from srbench_ext.record import Metrics
from srbench_ext.report import load_records
from srbench_ext.report.comparisons import COMPARISON_COLUMNS, compare, rank_methods
from srbench_ext.report.words import comparisons_in_words, ranks_in_words


@pytest.fixture
def runs(make_record, save_records, tmp_path):
    """Runs of methods given as NMSE by problem; None is a failure, R² is 1 - NMSE."""

    def make(**methods):
        for path in tmp_path.rglob("*.json"):
            path.unlink()  # of an earlier call
        records = []
        for method, losses in methods.items():
            for problem, loss in enumerate(losses):
                for trial, each in enumerate(loss if isinstance(loss, tuple) else (loss,)):
                    where = {"method": method, "problem": f"p{problem:02d}", "trial": trial}
                    if each is None:
                        records.append(make_record(status="timeout", **where))
                        continue
                    metrics = {part: Metrics(1 - each, each, each) for part in ("train", "test")}
                    records.append(make_record(metrics=metrics, recovered=each == 0, **where))
        return load_records(save_records(records))

    return make


def row(table, measure, a="alpha", b="beta"):
    return table[(table["measure"] == measure) & (table["a"] == a) & (table["b"] == b)].iloc[0]


def compared(frame, failures="miss"):
    return compare(frame, failures, np.random.default_rng(0))


def test_wins_ties_and_losses_are_counted_problem_by_problem(runs):
    table = compared(runs(alpha=[0.0, 0.0, 0.5, 0.5], beta=[0.0, 0.3, 0.0, 0.5]))
    assert tuple(table.columns) == COMPARISON_COLUMNS
    for measure in ("R²>0.99", "recovered", "NMSE"):
        found = row(table, measure)
        assert (found["problems"], found["wins"], found["ties"], found["losses"]) == (4, 1, 2, 1)
        assert found["p"] == 1.0


def test_who_wins_clearly_is_ahead_and_its_difference_has_an_interval_above_zero(runs):
    found = row(compared(runs(alpha=[0.0] * 10, beta=[0.5] * 8 + [0.0] * 2)), "R²>0.99")
    assert (found["ahead"], found["established"]) == ("alpha", "alpha")
    assert found["p"] == pytest.approx(2 * 0.5**8)
    assert found["difference"] == pytest.approx(0.8)
    assert 0 < found["difference_low"] < 0.8 < found["difference_high"] <= 1


def test_the_better_of_a_wilcoxon_pair_is_the_one_with_smaller_errors(runs):
    found = row(compared(runs(alpha=[0.2 + i / 100 for i in range(9)], beta=[0.1] * 9)), "NMSE")
    assert found["established"] == "beta"
    assert found["difference"] > 0


def test_errors_below_rounding_tie(runs):
    found = row(compared(runs(alpha=[1e-30, 1e-14], beta=[1e-16, 0.0])), "NMSE")
    assert (found["ties"], found["p"]) == (2, 1.0)


def test_a_failure_loses_under_miss_and_leaves_the_pairs_under_drop(runs):
    frame = runs(alpha=[0.1, None, None], beta=[0.1, 0.9, None])
    missed, dropped = (row(compared(frame, rule), "NMSE") for rule in ("miss", "drop"))
    assert (missed["problems"], missed["ties"], missed["losses"]) == (3, 2, 1)
    assert (dropped["problems"], dropped["ties"], dropped["losses"]) == (1, 1, 0)


def test_only_problems_that_both_were_planned_for_are_paired(runs):
    assert row(compared(runs(alpha=[0.0] * 5, beta=[0.0] * 3)), "R²>0.99")["problems"] == 3


def test_trials_of_a_problem_are_one_pair_by_their_median(runs):
    frame = runs(alpha=[(0.0, 0.0, 0.7), (0.4, None, None)], beta=[(0.5, 0.0, 0.5), (0.4, 0.4, 0.4)])
    found = row(compared(frame), "R²>0.99")
    assert (found["problems"], found["wins"], found["losses"]) == (2, 1, 0)
    assert row(compared(frame), "NMSE")["losses"] == 1


def test_holm_counts_all_pairs_of_a_measure(runs):
    frame = runs(alpha=[0.0] * 6, beta=[0.5] * 6, gamma=[0.5] * 6)
    found = row(compared(frame), "R²>0.99")
    assert (found["ahead"], found["established"]) == ("alpha", "")
    assert found["p_holm"] == pytest.approx(3 * found["p"])


def test_a_suite_without_truths_is_not_compared_by_recovery(runs):
    frame = runs(alpha=[0.0], beta=[0.0]).assign(has_truth=False)
    assert set(compared(frame)["measure"]) == {"R²>0.99", "NMSE"}


def test_one_method_has_nothing_to_be_compared_with(runs):
    table = compared(runs(alpha=[0.0]))
    assert table.empty
    assert comparisons_in_words(table) == ()


def test_two_methods_get_the_sentence_with_their_p(runs):
    open_, *_ = comparisons_in_words(compared(runs(alpha=[0.0] * 3 + [0.5] * 20, beta=[0.5] * 23)))
    told = "a difference between alpha and beta is not established (McNemar p = .25)."
    assert open_.startswith(f"R²>0.99: at these 23 problems {told}")
    clear, *_ = comparisons_in_words(compared(runs(alpha=[0.5] * 12, beta=[0.0] * 12)))
    assert clear.startswith("R²>0.99: at these 12 problems beta is ahead of alpha (McNemar p < .001).")


def test_of_several_methods_the_best_is_told_against_each_other(runs):
    table = compared(runs(alpha=[0.5] * 14, beta=[0.0] * 14, gamma=[0.0] * 12 + [0.5] * 2))
    told = comparisons_in_words(table)[0]
    assert "beta is ahead of alpha (p < .001); a difference between beta and gamma (p = .50)" in told
    assert "Holm over 3 pairs, of which 2 differ" in told


def test_methods_without_a_common_problem_get_no_sentence(runs, make_record, save_records):
    frame = runs(alpha=[0.0], beta=[0.0])
    frame.loc[frame["method"] == "beta", "problem"] = "another"
    assert comparisons_in_words(compared(frame)) == ()


def test_methods_are_ranked_on_the_problems_of_all(runs):
    ranks = rank_methods(runs(alpha=[0.1, 0.1, 0.1], beta=[0.2, 0.2, None], gamma=[0.3, 0.1]), "miss")
    assert ranks.methods == ("alpha", "beta", "gamma")
    assert ranks.result.mean_ranks.tolist() == [1.25, 2.5, 2.25]
    assert ranks_in_words(ranks).startswith("Mean ranks of NMSE over 2 problems are not shown to differ")


def test_two_methods_are_not_ranked(runs):
    assert rank_methods(runs(alpha=[0.1] * 5, beta=[0.2] * 5), "miss") is None
