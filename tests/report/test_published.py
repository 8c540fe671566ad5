import math

import pandas as pd

from srbench_ext.report import load_published
from srbench_ext.report.published import published_rows


def test_every_figure_has_a_source_and_a_status():
    figures = load_published()
    assert len(figures) > 0
    assert figures[["method", "suite", "metric", "value", "status", "source"]].notna().all().all()


def test_rates_are_shares():
    figures = load_published()
    rates = figures.loc[figures["metric"].str.startswith("rate_"), "value"]
    assert rates.between(0, 1).all()


def test_one_row_a_method_and_source_with_our_columns():
    rows = published_rows(load_published(), "feynman", 0.0)
    tpsr = rows[rows["method"] == "TPSR (lambda=0.1)"].iloc[0]
    assert (tpsr["rate_r2_gt_0.99"], tpsr["mean_complexity"]) == (0.949, 57.22)
    assert "arXiv 2303.06833" in tpsr["source"]
    assert math.isnan(tpsr["median_seconds"])
    assert len(rows[rows["method"] == "E2E-Sampling"]) == 2  # two papers, two figures


def test_figures_without_a_column_of_ours_are_left_out():
    figures = pd.DataFrame(
        [["m", "s", 0.0, "rate_of_luck", 1.0, "made up", "a test"]],
        columns=["method", "suite", "noise", "metric", "value", "status", "source"],
    )
    assert published_rows(figures, "s", 0.0).empty
    assert published_rows(load_published(), "no-such-suite", 0.0).empty
