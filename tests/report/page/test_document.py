import base64
import gzip
import json
import re

import pytest

from srbench_ext.report import make_report
from srbench_ext.report.page import payload as payload_module
from srbench_ext.report.page import write_page
from srbench_ext.report.published_problems import load_published_problems


def unpacked(page):
    data = re.search(r'<script type="text/plain" id="data">(.*?)</script>', page.read_text("utf8"))[1]
    return json.loads(gzip.decompress(base64.b64decode(data)))


@pytest.fixture
def page(folder):
    return write_page(make_report(folder), folder, None)


def test_the_page_is_one_file_that_asks_for_nothing_else(page):
    text = page.read_text("utf8")
    assert page.name == "report.html"
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", text)
    assert not re.search(r"\b(?:fetch|XMLHttpRequest|import)\s*\(|@import|url\(", text)
    assert "default-src 'none'" in text
    assert re.findall(r"<!-- (\w+) -->", text) == []


def test_the_same_records_give_the_same_page(page, folder):
    first = page.read_bytes()
    assert write_page(make_report(folder), folder, None).read_bytes() == first


def test_the_data_holds_tables_problems_and_runs(page):
    data = unpacked(page)
    (table,) = data["tables"]
    keys = [column["key"] for column in table["grid"]["columns"]]
    rows = [dict(zip(keys, row, strict=True)) for row in table["grid"]["rows"]]
    measured = [row for row, kind in zip(rows, table["grid"]["kinds"], strict=True) if kind == "measured"]
    assert [(row["method"], row["n"], row["ok"]) for row in measured] == [("alpha", 2, 2), ("beta", 2, 1)]
    assert "published" in table["grid"]["kinds"]
    assert len(data["problems"]["rows"]) == 4
    assert data["laws"]["strogatz/strogatz_vdp2"]["math"].startswith("<math>")
    assert {(run["method"], run["problem"], run["status"]) for run in data["runs"]} == {
        ("alpha", "p2", "ok"),
        ("alpha", "strogatz_vdp2", "ok"),
        ("beta", "p2", "error"),
        ("beta", "strogatz_vdp2", "ok"),
    }


def test_a_run_has_formula_front_predictions_and_where_it_comes_from(page):
    data = unpacked(page)
    run = next(r for r in data["runs"] if r["method"] == "alpha" and r["problem"] == "strogatz_vdp2")
    assert "<mfrac>" in run["formula"]["math"] or "<mo>" in run["formula"]["math"]
    assert [point["complexity"] for point in run["front"]] == [1, run["complexity"]]
    truth = data["rows"][run["prediction"]["rows"]]
    assert run["prediction"]["predicted"] == pytest.approx(truth, rel=1e-3)
    assert data["protocols"][run["protocol"]]["name"] == "quick"
    assert data["environments"][run["environment"]]["cpu"] == "a processor"


def test_published_figures_of_a_problem_stand_beside_ours_and_are_paired(page):
    data = unpacked(page)
    (table,) = data["tables"]
    keys = [column["key"] for column in table["beside"]["columns"]]
    pairs = [dict(zip(keys, row, strict=True)) for row in table["beside"]["rows"]]
    assert {pair["method"] for pair in pairs} == {"alpha", "beta"}
    assert {"SRBench 2021", "TPSR", "SNIP"} <= {pair["source"] for pair in pairs}
    assert {pair["problems"] for pair in pairs} == {1}  # nobody published p2
    (rows,) = data["published"]["problems"].values()
    assert list(data["published"]["problems"]) == ["strogatz/strogatz_vdp2"]
    published = load_published_problems()
    here = published[(published["problem"] == "strogatz_vdp2") & (published["noise"] == 0)]
    assert sorted(row[0] for row in rows) == sorted(here["method"])
    assert "not ours" in data["published"]["caveat"]


def test_what_many_runs_share_is_there_once(page):
    data = unpacked(page)
    assert len(data["environments"]) == len(data["protocols"]) == len(data["rows"]) == 1


def test_markup_in_records_stays_text(page):
    text = page.read_text("utf8")
    assert "<b>no</b>" not in text  # only inside of the packed data, which scripts put in as text
    failed = next(run for run in unpacked(page)["runs"] if run["status"] == "error")
    assert failed["error"].endswith("ValueError: <b>no</b> formula")


def test_a_long_formula_is_shown_as_text_only(found, save_records):
    from srbench_ext.expression import parse_infix
    from srbench_ext.record import FormulaText

    long = FormulaText.of(parse_infix(" + ".join(["x*x"] * 60), ["x", "y"]))
    folder = save_records([found(expression=long)])
    (run,) = unpacked(write_page(make_report(folder), folder, None))["runs"]
    assert run["formula"] == {"text": long.infix}


def test_of_many_runs_the_first_trials_are_on_the_page_and_it_says_so(found, save_records, monkeypatch):
    monkeypatch.setattr(payload_module, "MOST_RUNS", 2)
    records = [found(method=method, trial=trial) for method in ("alpha", "beta") for trial in (0, 1)]
    folder = save_records(records)
    data = unpacked(write_page(make_report(folder), folder, None))
    assert [(run["method"], run["trial"]) for run in data["runs"]] == [("alpha", 0), ("beta", 0)]
    assert data["runs_left_out"] == 2
    assert data["tables"][0]["grid"]["rows"][0][2] == 2


def test_packed_records_are_on_the_page_too(folder, page):
    from srbench_ext.shards import pack

    before = unpacked(page)
    pack(folder)
    assert unpacked(write_page(make_report(folder), folder, None)) == before


def test_a_report_of_parts_has_a_page_of_its_own(folder):
    assert write_page(make_report(folder, split="seen"), folder, None).name == "report-parts.html"
