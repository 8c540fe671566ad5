from __future__ import annotations

import lzma
from dataclasses import replace

import pytest

from srbench_ext import shards
from srbench_ext.errors import RecordError
from srbench_ext.record import ProtocolStamp, Record, RunSpec
from srbench_ext.runner import Store

SPEC = RunSpec("m", "1", {}, None, "s", "p", "regenerated", 0.0, 0, ProtocolStamp("tiny", "ab", {}), 1.0, 10)
SPECS = [replace(SPEC, method=method, trial=trial) for method in ("m", "n") for trial in range(5)]


@pytest.fixture
def store(tmp_path):
    """Ten records of two methods, each in a file of its own."""
    store = Store(tmp_path / "out")
    for spec in SPECS:
        store.save(Record(spec, "ok", notes={"text": "äöü\u2028 and \u0000"}, seconds=1 / 3))
    store.close()
    return store


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_packing_and_unpacking_gives_the_same_files(store):
    before = files(store.records)
    packed = shards.pack(store.out)
    assert (packed.n_records, packed.left) == (10, ())
    assert sorted(files(store.records)) == ["m.jsonl.xz", "n.jsonl.xz"]
    assert shards.unpack(store.out) == 10
    assert files(store.records) == before


def test_the_same_records_give_the_same_bytes_in_one_step_or_two(store):
    shards.pack(store.out)
    at_once = files(store.records)
    shards.unpack(store.out)
    late = {path: path.read_bytes() for path in sorted(store.records.iterdir())[:3]}
    for path in late:
        path.unlink()
    shards.pack(store.out)
    for path, content in late.items():
        path.write_bytes(content)
    shards.pack(store.out)
    assert files(store.records) == at_once


def test_lines_are_sorted_by_run_id(store):
    (path, _) = shards.pack(store.out).shards
    ids = [Record.from_json(line).run_id for line in shards.read_shard(path)]
    assert ids == sorted(ids)


def test_packed_runs_are_stored_and_not_run_again(store):
    shards.pack(store.out)
    again = Store(store.out)
    new = replace(SPEC, trial=99)
    assert again.missing([*SPECS, new]).to_run == [new]
    assert again.load(SPECS[0].run_id).spec == SPECS[0]


def test_a_packed_run_that_was_unsupported_is_tried_again_where_it_can_run(store):
    store.save(Record(SPEC, "unsupported", error="no table"))
    shards.pack(store.out)
    assert Store(store.out).missing([SPEC], lambda spec: True).again == {SPEC.run_id}


def test_a_file_of_its_own_replaces_the_packed_record(store):
    shards.pack(store.out)
    store.save(Record(SPEC, "crash"))
    assert store.load(SPEC.run_id).status == "crash"
    shards.pack(store.out)
    assert shards.packed_record(store.records, SPEC.run_id).status == "crash"
    assert sum(1 for _ in shards.packed_records(store.records)) == 10


def test_weights_have_shards_of_their_own(store):
    store.save(Record(replace(SPEC, weights_sha256="ab" * 32), "ok"))
    names = [path.name for path in shards.pack(store.out).shards]
    assert names == ["m-abababab.jsonl.xz", "m.jsonl.xz", "n.jsonl.xz"]


def test_records_that_cannot_be_read_stay_where_they_are(store):
    bad = store.path(SPEC.run_id)
    bad.write_text("{")
    packed = shards.pack(store.out)
    assert packed.n_records == 9
    assert str(bad) in packed.left[0]
    assert bad.read_text() == "{"


def test_a_record_under_another_runs_name_is_not_packed(store):
    store.path(SPECS[0].run_id).rename(store.path("0" * 16))
    assert "holds the record of run" in shards.pack(store.out).left[0]


def test_a_shard_cut_short_is_an_error_and_nothing_is_deleted(store):
    (path, _) = shards.pack(store.out).shards
    path.write_bytes(path.read_bytes()[:-40])
    for read in (shards.unpack, shards.pack):
        with pytest.raises(RecordError, match=r"m\.jsonl\.xz cannot be read.*git checkout"):
            read(store.out)
    with pytest.raises(RecordError, match="cannot be read"):
        Store(store.out).missing(SPECS)
    assert sorted(files(store.records)) == ["m.jsonl.xz", "n.jsonl.xz"]


@pytest.mark.parametrize("line", [b"not json\n", b"[]\n", b'{"run_id": "a"}\n'])
def test_a_line_that_is_no_record_is_an_error(store, line):
    (store.records / "x.jsonl.xz").write_bytes(lzma.compress(line))
    with pytest.raises(RecordError, match="a line that is no record"):
        list(shards.packed_records(store.records))


def test_packing_is_much_smaller(store):
    loose = sum(map(len, files(store.records).values()))
    assert shards.pack(store.out).n_bytes < loose / 3
