from __future__ import annotations

import pandas as pd
import pytest

from srbench_ext.errors import DataError
from srbench_ext.report.sweep import read_sweep, sweep_figure, to_markdown, write_sweep


@pytest.fixture
def folder(make_record, save_records):
    """Beams of 1, 4 and 16 on four problems: the wider, the better and the slower; one run fails."""
    records = []
    for solved, (beam, seconds) in enumerate(((1, 0.5), (4, 1.0), (16, 3.0)), start=1):
        for i in range(4):
            failed = beam == 16 and i == 3
            records.append(
                make_record(
                    problem=f"p{i}",
                    parameters={"beam_size": beam, "max_rounds": 1},
                    seconds=None if failed else seconds + 0.1 * i,
                    r2=1.0 if i < solved else 0.5,
                    status="crash" if failed else "ok",
                )
            )
    records.append(make_record(problem="p0", parameters={"max_rounds": 1}))
    return save_records(records)


def test_a_value_is_a_row_of_its_own_with_failures_as_misses(folder):
    rows = read_sweep(folder, "beam_size").rows
    assert rows["value"].tolist() == [1, 4, 16]
    assert rows["rate_r2_gt_0.99"].tolist() == [0.25, 0.5, 0.75]
    assert rows["failures"].tolist() == [0, 0, 1]
    assert rows["n"].tolist() == [4, 4, 4]
    assert rows["median_seconds"].tolist() == pytest.approx([0.65, 1.15, 3.1])
    assert set(rows["method"]) == {"alpha"}
    assert (rows["rate_r2_gt_0.99_low"] <= rows["rate_r2_gt_0.99"]).all()


def test_other_settings_tell_methods_apart(make_record, save_records):
    records = [make_record(parameters={"beam_size": beam, "bag": bag}) for beam in (1, 2) for bag in (10, 20)]
    rows = read_sweep(save_records(records), "beam_size").rows
    assert rows["method"].tolist() == ["alpha (bag=10)"] * 2 + ["alpha (bag=20)"] * 2


@pytest.mark.parametrize(
    ("parameter", "field", "values"),
    [("seconds", "max_seconds", [1.0, 10.0]), ("rows", "n_rows", [50, 200]), ("noise", "noise", [0.0, 0.1])],
)
def test_settings_of_the_protocol_are_read_from_their_own_fields(
    make_record, save_records, parameter, field, values
):
    records = [make_record(**{field: value}, protocol_hash=f"{value!s:0<16}") for value in values]
    rows = read_sweep(save_records(records), parameter).rows
    assert rows["value"].tolist() == values


def test_levels_of_noise_are_one_line_and_suites_are_several(make_record, save_records):
    records = [
        make_record(suite=suite, noise=level) for suite in ("feynman", "strogatz") for level in (0.0, 0.1)
    ]
    axes = sweep_figure(read_sweep(save_records(records), "noise")).axes[0]
    assert [text.get_text() for text in axes.texts] == ["0", "0.1"] * 2
    assert axes.get_legend_handles_labels()[1] == ["alpha, feynman", "alpha, strogatz"]


def test_values_are_in_the_order_of_numbers_and_then_of_words(make_record, save_records):
    records = [make_record(parameters={"mode": value}) for value in ("b", "a", 10, 9)]
    assert read_sweep(save_records(records), "mode").rows["value"].tolist() == [9, 10, "a", "b"]


def test_a_folder_without_the_setting_is_an_error_with_the_command_to_run(folder):
    with pytest.raises(DataError, match="srbench-ext sweep METHOD --parameter width"):
        read_sweep(folder, "width")


def test_the_same_records_give_the_same_files(folder):
    sweep = read_sweep(folder, "beam_size")
    written = write_sweep(sweep, folder)
    before = [path.read_bytes() for path in written]
    assert [path.name for path in written] == [
        f"sweep-beam_size.{end}" for end in ("csv", "md", "png", "svg")
    ]
    assert [path.read_bytes() for path in write_sweep(read_sweep(folder, "beam_size"), folder)] == before
    assert pd.read_csv(written[0])["value"].tolist() == [1, 4, 16]


def test_the_table_and_the_figure_name_every_value(folder):
    sweep = read_sweep(folder, "beam_size")
    table = to_markdown(sweep)
    assert "| beam_size |" in table
    assert "| 16 | 4 | 1 | 0.750 |" in table
    axes = sweep_figure(sweep).axes[0]
    assert [text.get_text() for text in axes.texts] == ["1", "4", "16"]
    assert axes.get_xscale() == "log"
