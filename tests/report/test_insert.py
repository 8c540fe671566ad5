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
