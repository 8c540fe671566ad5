from __future__ import annotations

from pathlib import Path

import pytest

from srbench_ext.errors import InputError
from srbench_ext.report import make_report
from srbench_ext.report.insert import insert_tables

ROOT = Path(__file__).parents[2]


def test_text_without_markers_is_refused():
    with pytest.raises(InputError, match="<!-- table:quick -->"):
        insert_tables("nothing here", "quick", ())


def test_only_the_block_between_the_markers_changes():
    text = "before\n<!-- table:a -->\nold\n<!-- /table:a -->\nafter\n"
    assert insert_tables(text, "a", ()) == "before\n<!-- table:a -->\n\n<!-- /table:a -->\nafter\n"


def test_the_readmes_table_is_that_of_the_records():
    readme = (ROOT / "README.md").read_text("utf8")
    tables = make_report(ROOT / "results" / "quick").tables
    assert insert_tables(readme, "quick", tables) == readme


def test_without_known_laws_medians_take_the_place_of_recovery():
    tables = make_report(ROOT / "results" / "release-60s").tables
    table = next(table for table in tables if table.suite == "black-box")
    text = insert_tables("<!-- table:a --><!-- /table:a -->", "a", [table])
    assert "| median R² |" in text
    assert "symbolic" not in text
    assert f"| {table.measured['median_r2'].iloc[0]:.4f} |" in text
