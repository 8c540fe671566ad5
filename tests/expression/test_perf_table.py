from __future__ import annotations

import pytest

from srbench_ext.errors import InputError
from srbench_ext.expression.perf_table import Row, insert_table, table

ROWS = [
    Row("fits", "scipy", "5,000", "100", 50.0, 30.0),
    Row("fits", "absolute", "5,000", "", 5000.0, 2000.0),
]


def test_the_table_has_a_line_for_each_row() -> None:
    assert table(ROWS).splitlines() == [
        "| what | against | ours | theirs | ratio | at least |",
        "|---|---|---|---|---|---|",
        "| fits | scipy | 5,000 | 100 | 50 | 30 |",
        "| fits | absolute | 5,000 |  | 5,000 | 2,000 |",
    ]


def test_the_table_replaces_what_stands_between_its_markers() -> None:
    text = "before\n<!-- perf:start -->\nold \\1\n<!-- perf:end -->\nafter\n"
    made = table(ROWS)
    expected = f"before\n<!-- perf:start -->\n{made}<!-- perf:end -->\nafter\n"
    assert insert_table(text, made) == expected
    assert insert_table(expected, made) == expected


@pytest.mark.parametrize("text", ["none", "<!-- perf:end --><!-- perf:start -->", "<!-- perf:start -->"])
def test_a_text_without_the_markers_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="perf:start"):
        insert_table(text, "")
