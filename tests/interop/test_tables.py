"""Files of a user's own in several formats hold the same table."""

from __future__ import annotations

import pandas as pd
import pytest

from srbench_ext.errors import InputError, MissingExtraError, UnknownNameError
from srbench_ext.interop.tables import read_table_file

FRAME = pd.DataFrame({"speed": [1, 2, 3], "up": [True, False, True], "y": [0.5, 1.5, 2.5]})
WRITERS = {
    "t.csv": lambda path: FRAME.to_csv(path, index=False),
    "t.csv.gz": lambda path: FRAME.to_csv(path, index=False),
    "t.txt": lambda path: FRAME.to_csv(path, index=False),
    "t.TSV": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "t.parquet": lambda path: FRAME.to_parquet(path),
    "t.feather": lambda path: FRAME.to_feather(path),
}
ARROW = ("t.parquet", "t.feather")


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_table(tmp_path, name):
    if name in ARROW:
        pytest.importorskip("pyarrow")
    WRITERS[name](tmp_path / name)
    X, y = read_table_file(tmp_path / name, "y")
    assert list(X.columns) == ["speed", "up"]
    assert X.to_numpy().tolist() == [[1, 1], [2, 0], [3, 1]]
    assert y.tolist() == [0.5, 1.5, 2.5]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", *ARROW])
def test_a_file_of_another_kind_is_bad_input(tmp_path, name):
    if name in ARROW:
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(b"\xff\xfe\x00" * 20 + b"\n")
    with pytest.raises((InputError, UnknownNameError)):
        read_table_file(tmp_path / name, "y")


@pytest.mark.parametrize("name", ARROW)
def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch, name):
    monkeypatch.setattr("srbench_ext.interop.tables.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'srbench-ext\[tables\]'"):
        read_table_file(tmp_path / name, "y")
