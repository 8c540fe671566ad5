from __future__ import annotations

import shutil
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
    assert store.missing([SPEC, replace(SPEC, trial=1)]).to_run == [replace(SPEC, trial=1)]


def test_failed_runs_are_not_repeated(store):
    store.save(Record(SPEC, "crash", error="SIGSEGV"))
    assert store.missing([SPEC], lambda spec: True).to_run == []


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
        missing = store.missing([SPEC])
        assert missing.to_run == [SPEC]
        assert str(store.path(SPEC.run_id)) in str(missing.set_aside[0])
        assert len(list(store.aside.iterdir())) == number


def test_a_record_under_another_runs_name_is_moved_away(store):
    other = replace(SPEC, trial=1)
    store.save(Record(other, "ok"))
    store.path(other.run_id).rename(store.path(SPEC.run_id))
    missing = store.missing([SPEC])
    assert missing.to_run == [SPEC]
    assert "holds the record of run" in missing.set_aside[0].reason


def test_planning_writes_nothing(store):
    assert store.missing([SPEC]).to_run == [SPEC]
    assert not store.out.exists()


def test_an_unsupported_run_is_tried_again_only_where_it_can_run(store):
    store.save(Record(SPEC, "unsupported", error="no table"))
    assert store.missing([SPEC], lambda spec: False).to_run == []
    missing = store.missing([SPEC], lambda spec: True)
    assert (missing.to_run, missing.again) == ([SPEC], {SPEC.run_id})


def test_records_that_the_ledger_knows_are_not_read_again(store, monkeypatch):
    store.save(Record(SPEC, "ok"))
    other = Store(store.out)
    monkeypatch.setattr(Store, "load", lambda self, run_id: pytest.fail("read"))
    assert other.missing([SPEC]).to_run == []


def test_records_of_unknown_origin_are_read_once(store, monkeypatch):
    store.save(Record(SPEC, "ok"))
    shutil.rmtree(store.out / "ledger")
    assert Store(store.out).missing([SPEC]).to_run == []
    monkeypatch.setattr(Store, "load", lambda self, run_id: pytest.fail("read"))
    assert Store(store.out).missing([SPEC]).to_run == []


def test_a_record_changed_after_it_was_written_is_read_and_set_aside(store):
    path = store.save(Record(SPEC, "ok"))
    path.write_text(path.read_text()[:-20])
    missing = Store(store.out).missing([SPEC])
    assert (missing.to_run, len(missing.set_aside)) == ([SPEC], 1)


def test_a_ledger_line_cut_short_counts_for_nothing(store):
    store.save(Record(SPEC, "unsupported"))
    store.close()
    (ledger,) = (store.out / "ledger").iterdir()
    ledger.write_text(ledger.read_text().replace("unsupported\n", "ok"))
    assert Store(store.out).missing([SPEC], lambda spec: True).again == {SPEC.run_id}
