from dataclasses import replace

import numpy as np
import pytest

from srbench_ext.data import load_table
from srbench_ext.record import Metrics, ProtocolStamp
from srbench_ext.report.page.predictions import SHOWN_ROWS, predictions, scored_rows
from srbench_ext.runner.protocol import load_protocol
from srbench_ext.runner.worker import prepare


@pytest.mark.parametrize("protocol", ["quick", "srbench-2021"])
def test_the_rows_are_those_that_the_runner_scores_on(found, law, protocol):
    rules = load_protocol(protocol)
    spec = replace(found(noise=0.1, trial=2).spec, protocol=rules.stamp(), n_rows=rules.rules.n_rows)
    X, y = scored_rows(spec, load_table(law, None), has_truth=True)
    test = prepare(spec, None).test
    np.testing.assert_array_equal(X, test.X.to_numpy())
    np.testing.assert_array_equal(y, test.y)


def test_tables_without_a_law_are_scaled_as_the_runner_scales_them(found, law, monkeypatch):
    values = {**load_protocol("srbench-2021").stamp().values, "standardise_without_truth": True}
    spec = replace(found().spec, protocol=ProtocolStamp("scaled", "cafe" * 4, values))
    table = load_table(law, None)
    X, y = scored_rows(spec, table, has_truth=False)
    monkeypatch.setattr("srbench_ext.runner.worker.problem_of", lambda _: replace(law, formula=None))
    monkeypatch.setattr("srbench_ext.runner.worker.kept_table", lambda *_: table)
    test = prepare(spec, None).test
    np.testing.assert_array_equal(X, test.X.to_numpy())
    np.testing.assert_array_equal(y, test.y)


def test_a_recorded_truth_predicts_the_truth_on_a_few_rows(found):
    record = found()
    shown = predictions([record], None)[record.run_id]
    assert shown.missing == ""
    assert len(shown.truth) == SHOWN_ROWS
    np.testing.assert_allclose(shown.predicted, shown.truth, rtol=1e-9)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"expression": None}, "opaque"),
        ({"source_kind": "cache"}, "not in a cache"),
        ({"suite": "no-such-suite"}, "not installed"),
        ({"problem": "no-such-problem"}, "not installed"),
        ({"data_sha256": "ab" * 32}, "another sha256"),
        ({"metrics": {"test": Metrics(0.9, None, None)}}, "recorded R²"),
    ],
)
def test_what_cannot_be_computed_again_says_why(found, changes, why):
    record = found(**changes)
    shown = predictions([record], None)[record.run_id]
    assert why in shown.missing
    assert len(shown.truth) == 0


def test_failed_runs_have_no_predictions(found):
    assert predictions([found(status="timeout", expression=None)], None) == {}
