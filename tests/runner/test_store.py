from __future__ import annotations

from dataclasses import replace

import pytest

from srbench_ext.errors import RecordError
from srbench_ext.record import ProtocolStamp, Record, RunSpec
from srbench_ext.runner import Store

SPEC = RunSpec("m", "1", {}, None, "s", "p", "regenerated", 0.0, 0, ProtocolStamp("tiny", "ab", {}), 1.0, 10)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "out")


def test_a_saved_record_is_loaded_and_no_longer_missing(store):
    record = Record(SPEC, "ok")
    store.save(record)
    assert store.load(SPEC.run_id) == record
    assert store.missing([SPEC, replace(SPEC, trial=1)]) == ([replace(SPEC, trial=1)], [])


def test_failed_runs_are_not_repeated(store):
    store.save(Record(SPEC, "crash", error="SIGSEGV"))
    assert store.missing([SPEC]) == ([], [])


def test_nothing_but_whole_records_lies_in_the_folder(store):
    store.save(Record(SPEC, "ok"))
    with pytest.raises(RecordError):
        store.save(Record(replace(SPEC, trial=1), "ok", notes={"bad": float("nan")}))
    assert [path.name for path in store.records.iterdir()] == [f"{SPEC.run_id}.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"null"])
def test_unreadable_records_are_moved_away_each_under_its_own_name(store, content):
    for number in (1, 2, 3):
        store.records.mkdir(parents=True, exist_ok=True)
        store.path(SPEC.run_id).write_bytes(content)
        to_run, moved = store.missing([SPEC])
        assert to_run == [SPEC]
        assert str(store.path(SPEC.run_id)) in str(moved[0])
        assert len(list(store.aside.iterdir())) == number


def test_a_record_under_another_runs_name_is_moved_away(store):
    other = replace(SPEC, trial=1)
    store.save(Record(other, "ok"))
    store.path(other.run_id).rename(store.path(SPEC.run_id))
    to_run, moved = store.missing([SPEC])
    assert to_run == [SPEC]
    assert "holds the record of run" in moved[0].reason


def test_planning_writes_nothing(store):
    assert store.missing([SPEC]) == ([SPEC], [])
    assert not store.out.exists()
