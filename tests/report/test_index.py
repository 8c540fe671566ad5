import lzma
import os

import pandas as pd
import pytest

from srbench_ext.report import index as index_module
from srbench_ext.report import load_records
from srbench_ext.report.index import INDEX_NAME
from srbench_ext.shards import pack


@pytest.fixture
def folder(make_record, save_records):
    return save_records([make_record(problem=f"p{i}") for i in range(6)])


@pytest.fixture
def indexed(folder, monkeypatch):
    """A folder that has an index, as a large one would."""
    monkeypatch.setattr(index_module, "LEAST_INDEXED", 1)
    load_records(folder)
    assert (folder / INDEX_NAME).is_file()
    return folder


@pytest.fixture
def reads(monkeypatch):
    """The files that are read, as they are read."""
    names = []
    rows_of = index_module._rows_of
    monkeypatch.setattr(
        index_module, "_rows_of", lambda path, complain: names.append(path.name) or rows_of(path, complain)
    )
    return names


def test_a_small_folder_gets_no_index(folder):
    load_records(folder)
    assert not (folder / INDEX_NAME).exists()


def test_rows_from_the_index_are_those_of_the_records(indexed, reads):
    from_index = load_records(indexed)
    assert reads == []
    (indexed / INDEX_NAME).unlink()
    pd.testing.assert_frame_equal(from_index, load_records(indexed))
    assert len(reads) == 6


def test_only_new_and_changed_records_are_read(indexed, reads, make_record, save_records):
    save_records([make_record(problem="new")])
    changed = next((indexed / "records").glob("*.json"))
    os.utime(changed, ns=(1, 1))
    assert len(load_records(indexed)) == 7
    assert len(reads) == 2
    load_records(indexed)
    assert len(reads) == 2


def test_a_deleted_record_leaves_the_report(indexed):
    next((indexed / "records").glob("*.json")).unlink()
    assert len(load_records(indexed)) == 5


def test_an_unreadable_record_is_named_every_time(indexed):
    (indexed / "records" / "broken.json").write_text("{")
    for _ in range(2):
        errors = []
        load_records(indexed, on_unreadable=errors.append)
        assert len(errors) == 1


@pytest.mark.parametrize("content", [b"no database", b""])
def test_a_damaged_index_is_built_again(indexed, reads, content):
    (indexed / INDEX_NAME).write_bytes(content)
    assert len(load_records(indexed)) == 6
    load_records(indexed)
    assert len(load_records(indexed)) == 6
    assert 6 <= len(reads) <= 12  # a damaged file is deleted first, and built by the next report


def test_an_index_of_another_layout_is_built_again(indexed, reads, monkeypatch):
    monkeypatch.setattr(index_module, "_LAYOUT", index_module._LAYOUT ^ 1)
    assert len(load_records(indexed)) == 6
    assert len(reads) == 6
    assert len(load_records(indexed)) == 6
    assert len(reads) == 6


def test_packed_records_give_the_same_rows(folder, make_record, save_records):
    before = load_records(folder)
    pack(folder)
    pd.testing.assert_frame_equal(load_records(folder), before)


def test_a_record_of_its_own_file_replaces_the_packed_one(indexed, make_record, save_records):
    pack(indexed)
    save_records([make_record(problem="p0", status="oom")])
    for _ in range(2):  # read, and from the index
        assert load_records(indexed).set_index("problem")["status"]["p0"] == "oom"


def test_one_bad_line_of_a_shard_costs_one_record(folder, make_record):
    (shard,) = pack(folder).shards
    lines = lzma.decompress(shard.read_bytes()).decode().splitlines()
    lines[2] = lines[2].replace('"schema":1', '"schema":99')
    shard.write_bytes(lzma.compress("\n".join(lines).encode()))
    errors = []
    assert len(load_records(folder, on_unreadable=errors.append)) == 5
    assert "schema 99" in str(errors[0])
