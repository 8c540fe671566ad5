import io

import pandas as pd
import pytest

from srbench_ext.report import build_tables, load_published, load_records
from srbench_ext.report.formats import (
    SHOWN,
    comparisons_to_csv,
    comparisons_to_latex,
    comparisons_to_markdown,
    to_csv,
    to_latex,
    to_markdown,
)
from srbench_ext.report.markup import cell

NO_FIGURES = load_published().iloc[:0]


@pytest.fixture
def tables(make_record, save_records):
    def build(*records, figures=NO_FIGURES):
        return build_tables(load_records(save_records(records)), figures)

    return build


def note(table, start):
    (found,) = [note for note in table.notes if note.startswith(start)]
    return found


def test_one_table_a_protocol_suite_and_noise(make_record, tables):
    built = tables(make_record(), make_record(noise=0.1), make_record(suite="feynman"))
    assert [table.slug for table in built] == [
        "quick-feynman-noise-0",
        "quick-strogatz-noise-0",
        "quick-strogatz-noise-0.1",
    ]


def test_two_protocols_of_one_name_do_not_share_a_file(make_record, tables):
    built = tables(make_record(), make_record(protocol_hash="beef" * 4))
    assert [table.slug for table in built] == [
        "quick-beefbeef-strogatz-noise-0",
        "quick-cafecafe-strogatz-noise-0",
    ]


def test_the_notes_name_protocol_and_hash(make_record, tables):
    (table,) = tables(make_record())
    assert (
        note(table, "Protocol")
        == "Protocol `quick` (hash cafecafecafecafe): 10 s a run, 2,000 training rows at most."
    )


def test_a_note_says_what_was_decoded_and_what_ended_it_where_decodes_are_bounded(make_record, tables):
    bounded = {"parameters": {"max_decodes": 100}}
    (table,) = tables(
        make_record(**bounded, counts={"decoded": 100}, notes={"ended": "decodes"}),
        make_record(**bounded, problem="p2", counts={"decoded": 40}, notes={"ended": "exact"}),
        make_record(method="beta", counts={"decoded": 7}, notes={"ended": "time"}),
    )
    (note,) = [each for each in table.notes if each.startswith("Decoded points")]
    assert note.endswith(" 70 (decodes 1, exact 1).")
    assert "beta" not in note


def test_the_notes_count_real_and_regenerated_problems(make_record, tables):
    (table,) = tables(
        make_record(), make_record(method="beta"), make_record(problem="p2", source_kind="regenerated")
    )
    assert note(table, "Problems") == "Problems on PMLB's own tables: 1, on regenerated rows: 1."
    (table,) = tables(make_record(), make_record(source_kind="regenerated"))
    assert note(table, "Problems") == "Problems on PMLB's own tables: 1, on regenerated rows: 2, on both: 1."


def test_a_table_of_part_of_a_suite_says_so(make_record, tables):
    (table,) = tables(make_record())
    assert note(table, "Only") == "Only 1 of the 14 problems of strogatz were run."
    (whole,) = tables(*(make_record(problem=f"p{i}") for i in range(14)))
    assert not [text for text in whole.notes if text.startswith("Only")]


def test_the_notes_list_failures_by_method_and_status(make_record, tables):
    failed = [make_record(problem=f"p{i}", status="timeout") for i in range(2)]
    (table,) = tables(make_record(), *failed, make_record(method="beta", status="oom"))
    assert note(table, "Failures") == "Failures: alpha 2 timeout, beta 1 oom."
    assert note(table, "A failed run counts as a miss in every rate")


def test_records_of_several_commits_are_announced(make_record, tables):
    dirty = {"commit": "fedcba9876543210", "dirty": True}
    (table,) = tables(make_record(), make_record(problem="p2", environment=dirty))
    assert note(table, "Code") == (
        "Code: the records come from several commits: "
        "commit 0123456789ab, commit fedcba987654 with local changes."
    )


def test_methods_run_on_different_problems_are_announced(make_record, tables):
    both = [make_record(method=method) for method in ("alpha", "beta")]
    (table,) = tables(*both)
    assert not [text for text in table.notes if "same problems" in text]
    (table,) = tables(*both, make_record(problem="p2"))
    assert "alpha 2, beta 1; 1 are common to all" in note(table, "The methods were not run")


def test_published_figures_stand_below_ours_and_enter_none_of_them(make_record, tables):
    (alone,) = tables(make_record(r2=0.5, recovered=False))
    (beside,) = tables(make_record(r2=0.5, recovered=False), figures=load_published())
    pd.testing.assert_frame_equal(alone.measured, beside.measured)
    lines = to_markdown(beside).splitlines()
    ours = next(i for i, line in enumerate(lines) if line.startswith("| alpha "))
    theirs = [i for i, line in enumerate(lines) if "| published |" in line]
    assert len(theirs) == len(beside.published) > 0
    assert min(theirs) > ours
    assert "Published figures are not ours" in to_markdown(beside)


def test_every_source_is_numbered_in_the_notes(make_record, tables):
    (table,) = tables(make_record(), figures=load_published())
    text = note(table, "Published")
    for number, source in enumerate(table.published["source"].unique(), start=1):
        assert f"[{number}] {source}" in text
        assert f"[{number}] | published" in to_markdown(table)


def test_csv_keeps_full_precision_and_says_what_is_measured(make_record, tables):
    (table,) = tables(make_record(r2=1 / 3, recovered=False), figures=load_published())
    frame = pd.read_csv(io.StringIO(to_csv(table)))
    assert set(frame["kind"]) == {"measured", "published"}
    measured = frame[frame["kind"] == "measured"].iloc[0]
    assert measured["mean_r2"] == 1 / 3
    assert measured["protocol_hash"] == "cafe" * 4
    assert frame.loc[frame["kind"] == "published", "source"].notna().all()


def test_latex_is_booktabs_with_special_characters_escaped(make_record, tables):
    (table,) = tables(make_record(method="a_b%"), figures=load_published())
    text = to_latex(table)
    assert text.count(r"\midrule") == 2
    assert r"a\_b\% & " in text
    assert "R$^2$$>$0.99" in text
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    assert {line.count("&") for line in body.splitlines() if "&" in line} == {len(SHOWN) - 1}


def test_the_rule_for_failures_stands_under_the_table_and_in_the_csv(make_record, save_records):
    runs = load_records(save_records([make_record(), make_record(problem="p2", status="oom")]))
    for rule, words in (("miss", "A failed run counts as a miss"), ("drop", "Failed runs are dropped")):
        (table,) = build_tables(runs, NO_FIGURES, failures=rule)
        assert note(table, words) in to_markdown(table)
        assert set(pd.read_csv(io.StringIO(to_csv(table)))["failure_rule"]) == {rule}


def test_pairs_are_written_in_all_three_forms(make_record, tables):
    (table,) = tables(*(make_record(method=name) for name in ("a", "b", "c")))
    frame = pd.read_csv(io.StringIO(comparisons_to_csv(table)))
    assert len(frame) == 9
    assert set(frame["suite"]) == {"strogatz"}
    lines = [line for line in comparisons_to_markdown(table).splitlines() if line.startswith("|")]
    assert len(lines) == 11
    assert comparisons_to_latex(table).count(r"\\") == 10


def test_the_intervals_stand_beside_the_rates(make_record, tables):
    (table,) = tables(make_record(), make_record(problem="p2", r2=0.5), make_record(problem="p3", r2=0.5))
    assert "| 0.333 | 0.00 to 1.00 |" in to_markdown(table)
    again = build_tables(table.runs, NO_FIGURES)[0]
    pd.testing.assert_frame_equal(again.measured, table.measured)


def test_markdown_rows_have_as_many_cells_as_headings(make_record, tables):
    (table,) = tables(make_record(), make_record(method="a|b"), figures=load_published())
    rows = [line.replace("\\|", "") for line in to_markdown(table).splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1


def test_a_cell_shows_what_is_missing_and_what_is_infinite():
    assert [cell(value, ".2f") for value in (None, float("nan"), float("-inf"), 0.5)] == [
        "–",
        "–",
        "−∞",
        "0.50",
    ]
