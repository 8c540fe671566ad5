import json

import pytest

from srbench_ext.errors import ConfigError, WeightsError
from srbench_ext.report import make_report
from srbench_ext.report.split import find_cards

OLD, NEW = "ab" * 32, "cd" * 32


@pytest.fixture
def folder(make_record, save_records):
    """A method with weights and one without, on two problems; the weights met the first."""
    records = [
        make_record(method=method, weights_sha256=weights, problem=problem, r2=r2)
        for method, weights in (("neural", OLD), ("plain", None))
        for problem, r2 in (("p1", 1.0), ("p2", 0.5))
    ]
    return save_records(records)


def put_card(folder, name, **content):
    (folder / "cards").mkdir(exist_ok=True)
    (folder / "cards" / f"{name}.json").write_text(json.dumps(content))


def parts(folder):
    return {
        (table.part, *sorted(table.runs["problem"].unique()))
        for table in make_report(folder, split="seen").tables
    }


def test_all_methods_are_scored_on_the_problems_that_the_weights_met_and_on_the_others(folder):
    put_card(folder, "old", sha256=OLD, benchmark_truths_met={"p1": 3})
    report = make_report(folder, split="seen")
    rows = report.scores.set_index(["part", "method"])
    assert rows["n"].tolist() == [1] * 4
    assert rows.loc["seen", "rate_r2_gt_0.99"].tolist() == [1, 1]
    assert rows.loc["unseen", "rate_r2_gt_0.99"].tolist() == [0, 0]
    assert parts(folder) == {("seen", "p1"), ("unseen", "p2")}


def test_the_part_stands_in_title_file_name_notes_and_json(folder):
    put_card(folder, "old", sha256=OLD, benchmark_truths_met={"p1": 3})
    report = make_report(folder, split="seen")
    seen, unseen = report.tables
    assert "seen problems" in seen.title
    assert unseen.slug.endswith("-unseen")
    assert any(note.startswith("Seen: ") and "abababab" in note for note in seen.notes)
    assert not any("were run" in note for note in seen.notes)
    assert {row["part"] for row in report.as_json()["rows"]} == {"seen", "unseen"}


def test_without_the_card_nothing_is_called_unseen(folder):
    assert parts(folder) == {("unknown", "p1", "p2")}
    put_card(folder, "no-count", sha256=OLD)
    (table,) = make_report(folder, split="seen").tables
    assert any("abababab have no card" in note for note in table.notes)


def test_a_problem_that_any_of_several_weights_met_is_seen(folder, make_record, save_records):
    save_records([make_record(method="other", weights_sha256=NEW, problem="p2")])
    put_card(folder, "old", sha256=OLD, benchmark_truths_met={"p1": 3})
    assert parts(folder) == {("seen", "p1"), ("unknown", "p2")}
    put_card(folder, "new", sha256=NEW, benchmark_truths_met={"p2": 1})
    assert parts(folder) == {("seen", "p1", "p2")}


def test_a_problem_with_the_law_of_one_that_was_met_is_seen(make_record, save_records):
    names = ["feynman_I_25_13", "feynman_I_29_4", "feynman_I_14_3"]  # q/C, omega/c, m*g*z
    folder = save_records(make_record(suite="feynman", problem=name, weights_sha256=OLD) for name in names)
    put_card(folder, "old", sha256=OLD, benchmark_truths_met={"feynman_I_25_13": 5})
    assert parts(folder) == {("seen", "feynman_I_25_13", "feynman_I_29_4"), ("unseen", "feynman_I_14_3")}


def test_an_unsplit_report_has_no_part(folder):
    report = make_report(folder)
    assert [table.part for table in report.tables] == [""]
    assert "part" not in report.as_json()["rows"][0]


def test_published_figures_of_whole_suites_do_not_stand_beside_a_part(folder):
    assert not make_report(folder).tables[0].published.empty
    assert make_report(folder, split="seen").tables[0].published.empty


def test_the_shipped_weights_have_their_cards(tmp_path):
    cards = find_cards(tmp_path)
    assert cards
    assert all(sha == card["sha256"] for sha, card in cards.items())


def test_a_card_that_is_not_json_is_named(tmp_path):
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "bad.json").write_text("{")
    with pytest.raises(WeightsError, match=r"bad\.json is not JSON"):
        find_cards(tmp_path)


def test_an_unknown_split_is_refused(folder):
    with pytest.raises(ConfigError, match=r"split by one of seen\. Got 'size'"):
        make_report(folder, split="size")
