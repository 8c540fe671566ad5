import csv
import io

import numpy as np
import pytest

from srbench_ext.errors import ConfigError, DataError, InputError
from srbench_ext.report import make_report
from srbench_ext.report.papers import load_layouts, write_papers
from srbench_ext.report.papers.layouts import read_layouts
from srbench_ext.report.papers.write import paper_tables

LAYOUT = """
[one]
title = "One"
after = "a table"
groups = "suite"
measures = ["mean_r2"]
sources = []
"""


@pytest.fixture
def folder(make_record, save_records):
    """A method that solves all of Strogatz's first two problems without noise, and one of them with noise."""
    return save_records(
        make_record(problem=problem, noise=noise, r2=r2)
        for problem, noise, r2 in [
            ("strogatz_vdp1", 0.0, 1.0),
            ("strogatz_vdp2", 0.0, 1.0),
            ("strogatz_vdp1", 0.1, 1.0),
            ("strogatz_vdp2", 0.1, 0.5),
        ]
    )


@pytest.fixture
def study(tmp_path):
    """Outcomes of an in-domain study: two rows on two problems, the first row fails once."""
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "outcomes.csv").write_text(
        "weights,examples,problem,row,r2,complexity,acc_0.1,acc_0.01,acc_0.001\n"
        "abc,1000000,0,plain,1.0,4,True,True,False\n"
        "abc,1000000,0,fitted,1.0,6,True,True,True\n"
        "abc,1000000,1,plain,,,False,False,False\n"
        "abc,1000000,1,fitted,0.5,8,True,False,False\n"
    )
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def make(*folders):
    """The tables by name, and what is left out; nothing is drawn."""
    results = {folder.name: make_report(folder).tables for folder in folders if (folder / "records").is_dir()}
    tables, left_out = paper_tables(results, list(folders))
    return {table.name: table for table in tables}, left_out


def rows(table, kind="measured"):
    return [row for row in csv.DictReader(io.StringIO(table.to_csv())) if row["kind"] == kind]


def test_the_headline_has_a_row_a_noise_level_and_method(folder):
    ours = rows(make(folder)[0]["headline"])
    assert [(row["noise"], row["method"], row["strogatz: problems"]) for row in ours] == [
        ("0.0", "alpha", "2 of 14"),
        ("0.1", "alpha", "2 of 14"),
    ]
    assert [float(row["strogatz: rate_r2_gt_0.99"]) for row in ours] == [1.0, 0.5]
    assert [float(row["strogatz: mean_seconds"]) for row in ours] == [2.0, 2.0]


def test_the_noise_table_has_the_levels_side_by_side(folder):
    table = make(folder)[0]["noise"]
    (ours,) = rows(table)
    assert (float(ours["noise 0: mean_r2"]), float(ours["noise 0.1: mean_r2"])) == (1.0, 0.75)
    assert any(row["noise 0.1: mean_r2"] == "0.9773" for row in rows(table, "published"))


def test_what_has_no_records_is_left_out_and_named(folder):
    tables, left_out = make(folder)
    text = tables["headline"].to_markdown()
    assert "Left out, no records: feynman, black-box." in text
    assert "Left out, no records: noise 0.001, 0.01." in text
    assert "feynman R²" not in text
    assert [why for why in left_out if "ablation" in why and "make in-domain" in why]


def test_published_rows_stand_only_where_ours_do(make_record, save_records):
    table = make(save_records([make_record(suite="feynman", problem="feynman_I_12_1")]))[0]["headline"]
    published = rows(table, "published")
    assert {row["noise"] for row in published} == {"0.0"}
    assert {row["track"] for row in published} == {"published"}
    assert "EQUATE-Sampling [1]" in {row["method"] for row in published}


def test_two_folders_are_two_rows_and_never_an_average(make_record, tmp_path):
    folders = []
    for name, r2 in (("first", 1.0), ("second", 0.0)):
        folder = tmp_path / name
        (folder / "records").mkdir(parents=True)
        (folder / "records" / "a.json").write_text(make_record(problem="strogatz_vdp1", r2=r2).to_json())
        folders.append(folder)
    ours = rows(make(*folders)[0]["suites"])
    assert [(row["records"], float(row["strogatz: rate_r2_gt_0.99"])) for row in ours] == [
        ("first", 1.0),
        ("second", 0.0),
    ]


def test_suites_without_a_law_have_median_r2(make_record, save_records):
    names = {"suite": "black-box", "problem": "1027_ESL", "truth": None, "recovered": None}
    (ours,) = rows(make(save_records([make_record(**names, r2=0.8)]))[0]["suites"])
    assert float(ours["black-box: median_r2"]) == 0.8
    assert "black-box: rate_r2_gt_0.99" not in ours


def test_the_in_domain_table_counts_failures_as_zero(study):
    table = make(study)[0]["ablation"]
    plain, fitted = rows(table)
    assert (plain["row"], plain["problems"], float(plain[": mean_r2"])) == ("plain", "2", 0.5)
    assert (float(fitted[": mean_r2"]), float(fitted[": acc_0.1"])) == (0.75, 1.0)
    assert float(fitted[": rate_r2_gt_0.99"]) == 0.5
    published = rows(table, "published")
    assert len(published) == 4
    assert all(np.isfinite(float(row[": mean_r2"])) for row in published)


def test_outcomes_without_a_column_are_named(study):
    (study / "outcomes.csv").write_text("weights,row\na,b\n")
    with pytest.raises(DataError, match=r"lack the columns \['examples', 'r2', 'complexity'\]"):
        make(study)


def test_the_latex_has_a_heading_over_each_group_and_as_many_cells_in_every_row(folder):
    text = make(folder)[0]["noise"].to_latex()
    assert r"\multicolumn{4}{c}{noise 0} & \multicolumn{4}{c}{noise 0.1} \\" in text
    assert r"\cmidrule(lr){5-8} \cmidrule(lr){9-12}" in text
    body = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert {line.count(" & ") for line in body} == {11}


def test_a_table_of_one_group_has_no_heading_over_it(study):
    assert "multicolumn" not in make(study)[0]["ablation"].to_latex()


def test_figures_of_every_suite_and_of_noise_are_drawn(folder, out):
    written, left_out = write_papers([folder], out)
    names = {path.name for path in written}
    assert {
        "pareto-strogatz-noise-0.svg",
        "anytime-strogatz-noise-0.1.png",
        "noise-run-strogatz.svg",
    } <= names
    assert {
        f"{table}.{suffix}" for table in ("headline", "noise") for suffix in ("csv", "md", "tex")
    } <= names
    assert not any("noise-robustness" in why for why in left_out)
    assert left_out[0] in (out / "README.md").read_text("utf8")
    assert all(path.stat().st_size for path in written)


def test_the_same_records_give_the_same_tables(folder, study):
    texts = [
        [(t.to_csv(), t.to_markdown(), t.to_latex()) for t in make(folder, study)[0].values()] for _ in (1, 2)
    ]
    assert texts[0] == texts[1]
    assert len(texts[0]) == 4


def test_without_a_second_level_there_is_no_noise_plot_and_it_is_said(study, out):
    _, left_out = write_papers([study], out)
    assert any("noise-robustness" in why for why in left_out)


def test_folders_without_anything_are_an_error(tmp_path, out):
    with pytest.raises(DataError, match="holds records or in-domain outcomes"):
        write_papers([tmp_path], out)


def test_the_order_of_the_folders_does_not_matter(make_record, tmp_path, out):
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        (folder / "records").mkdir(parents=True)
        record = make_record(problem="strogatz_vdp1", protocol_hash=folder.name[0] * 16)
        (folder / "records" / "a.json").write_text(record.to_json())
    texts = []
    for order in (folders, folders[::-1]):
        written, _ = write_papers(order, out)
        texts.append([path.read_text("utf8") for path in written if path.suffix in {".md", ".csv", ".tex"}])
    assert texts[0] == texts[1]


def test_two_folders_of_one_name_are_an_error(folder, out):
    with pytest.raises(InputError, match="must differ"):
        write_papers([folder, folder], out)


def test_the_shipped_layouts_are_those_of_the_papers():
    assert [layout.name for layout in load_layouts()] == ["headline", "suites", "noise", "ablation"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAYOUT + "colour = 1", r"unknown \['colour'\]"),
        (LAYOUT.replace("sources = []", ""), r"lacks \['sources'\]"),
        (LAYOUT.replace('"suite"', '"day"'), "Got 'day'"),
        (LAYOUT.replace("mean_r2", "mean_r3"), "unknown measure 'mean_r3'"),
        ("[", "not TOML"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(text, why):
    with pytest.raises(ConfigError, match=why):
        read_layouts(text)
