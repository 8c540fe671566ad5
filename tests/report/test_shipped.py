"""The tables of the README are those of the shipped records, byte for byte."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from srbench_ext.report import insert_tables, make_report

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf8")
NAMES = re.findall(r"<!-- table:(\S+) -->", README)


def test_the_readme_has_tables():
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_records_make_the_tables_of_the_readme_again(name, tmp_path):
    folder = tmp_path / name
    for part in ("records", "cards"):  # nothing that an earlier report has written
        shutil.copytree(ROOT / "results" / name / part, folder / part)
    block = re.compile(rf"(<!-- table:{name} -->).*?(<!-- /table:{name} -->)", re.DOTALL)
    emptied = block.sub(r"\1\2", README)
    assert emptied != README
    assert insert_tables(emptied, name, make_report(folder).tables) == README
