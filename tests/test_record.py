from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srbench_ext.errors import RecordError
from srbench_ext.expression import parse_prefix
from srbench_ext.record import (
    Accuracy,
    FormulaText,
    FrontPoint,
    Metrics,
    ProtocolStamp,
    Record,
    RecoveryVerdicts,
    RunSpec,
    spec_from_mapping,
)

SPEC = RunSpec(
    method="m",
    method_version="1",
    parameters={"beam": 10},
    weights_sha256=None,
    suite="strogatz",
    problem="strogatz_vdp1",
    source_kind="cache",
    noise=0.0,
    trial=0,
    protocol=ProtocolStamp("quick", "abcd", {"n_rows": 2000}),
    max_seconds=10.0,
    n_rows=2000,
)
FORMULA = FormulaText("0.1*x0", "mul C x0", (0.1,))
RECORD = Record(
    SPEC,
    "ok",
    data_sha256="0" * 64,
    expression=FORMULA,
    truth="x",
    metrics={"train": Metrics(1.0, 0.0, 1e-300), "test": Metrics(None, None, None)},
    recovery=RecoveryVerdicts(srbench=True, symbolic=None, numeric=False),
    complexity=3,
    front=(FrontPoint(FORMULA, 0.5, 3, 0.1, "beam", 0.9), FrontPoint(None, 0.4, None, 0.2)),
    timings={"load": 0.1},
    seconds=1.5,
    counts={"candidates": 3},
    notes={"choice": "one-se", "nested": {"a": [1, None]}},
)


def altered(*path, value):
    content = json.loads(RECORD.to_json())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(content)


def test_a_record_reads_back_as_it_was_written():
    assert Record.from_json(RECORD.to_json()) == RECORD
    assert Record.from_json(RECORD.to_json().encode()) == RECORD


def test_a_failed_run_needs_no_more_than_its_status():
    record = Record(SPEC, "crash", error="SIGSEGV")
    assert Record.from_json(record.to_json()) == record


@given(st.floats(allow_nan=False, allow_infinity=False), st.text())
def test_any_number_and_text_survive(number, text):
    record = replace(RECORD, seconds=number, error=text, notes={text: number})
    assert Record.from_json(record.to_json()) == record


def test_the_run_id_is_pinned():
    assert SPEC.run_id == "00c3ad9ff5bf5c7e"


@pytest.mark.parametrize(
    "change",
    [
        {"method_version": "2"},
        {"parameters": {"beam": 11}},
        {"weights_sha256": "ff"},
        {"problem": "strogatz_vdp2"},
        {"source_kind": "regenerated"},
        {"noise": 0.1},
        {"trial": 1},
        {"protocol": ProtocolStamp("quick", "ef", {})},
        {"max_seconds": 11.0},
        {"n_rows": None},
    ],
)
def test_whatever_matters_changes_the_run_id(change):
    assert replace(SPEC, **change).run_id != SPEC.run_id


def test_integers_and_floats_of_one_value_are_one_run():
    assert replace(SPEC, max_seconds=10, noise=0).run_id == SPEC.run_id


def test_the_order_of_parameters_does_not_matter():
    one = replace(SPEC, parameters={"a": 1, "b": 2})
    assert one.run_id == replace(SPEC, parameters={"b": 2, "a": 1}).run_id


def test_a_specification_reads_back_from_its_mapping():
    content = json.loads(RECORD.to_json())["spec"]
    assert spec_from_mapping(content) == SPEC


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        (RECORD.to_json()[:200], "not JSON"),
        ("[1, 2]", "must be an object"),
        (altered("schema", value=2), "schema 2"),
        (altered("status", value="fine"), "one of ok, timeout"),
        (altered("seconds", value="1.5"), "'record.seconds' of a record must be a finite number"),
        (altered("complexity", value=3.5), "an integer"),
        (altered("complexity", value=True), "an integer"),
        (altered("metrics", "train", "r2", value="good"), "record.metrics.train.r2"),
        (altered("recovery", "srbench", value=1), "true or false"),
        (altered("front", 0, "formula", "constants", value=[None]), r"constants\[0\]"),
        (altered("extra", value=1), r"unknown \['extra'\]"),
        (altered("spec", "trial", value=5), "specification hashes to"),
        (RECORD.to_json().replace("1e-300", "NaN"), "NaN is not allowed"),
    ],
)
def test_what_does_not_fit_is_named(text, message):
    with pytest.raises(RecordError, match=message):
        Record.from_json(text)


def test_a_missing_field_is_named():
    content = json.loads(RECORD.to_json())
    del content["recovery"]
    with pytest.raises(RecordError, match=r"lacks \['recovery'\]"):
        Record.from_json(json.dumps(content))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_json_cannot_hold_is_refused_when_writing(value):
    with pytest.raises(RecordError, match="cannot be written"):
        replace(RECORD, notes={"bad": value}).to_json()


def test_a_formula_reads_back_to_the_last_digit():
    expression = parse_prefix("add mul C x0 sin x1", constants=(0.1 + 0.2,), names=("a b", "c"))
    text = FormulaText.of(expression)
    again = text.expression(("a b", "c"))
    assert again == expression
    X = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_array_equal(again.evaluate(X), expression.evaluate(X))


def test_a_broken_formula_is_a_record_error():
    with pytest.raises(RecordError, match="'mul x0'"):
        FormulaText("?", "mul x0").expression()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"parameters": {"b": 1, "A": [1.5, "x"], "ü": {"z": None, "a": True}}, "problem": 'a"b\\c\n'},
        {"noise": 0, "max_seconds": 10, "n_rows": None, "weights_sha256": "ab" * 32},
        {"noise": 1e-3, "max_seconds": 2.5, "trial": 12, "suite": "größe"},
    ],
)
def test_a_run_id_is_the_hash_of_the_specification_as_canonical_json(changes):
    stamp = ProtocolStamp("p+3s", "ff", {"left": "out"})
    one = RunSpec("m", "1", {}, None, "s", "p", "cache", 0.1, 0, stamp, 1.0, 10)
    one = dataclasses.replace(one, **changes)
    content = dataclasses.asdict(one) | {"protocol": {"name": "p+3s", "hash": "ff"}}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert one.run_id == hashlib.sha256(text.encode()).hexdigest()[:16]
    assert dataclasses.replace(one, trial=99).run_id != one.run_id
    assert pickle.loads(pickle.dumps(one)).run_id == one.run_id


def test_a_specification_that_json_cannot_hold_has_no_id():
    stamp = ProtocolStamp("p", "ff", {})
    with pytest.raises(ValueError, match="JSON"):
        RunSpec("m", "1", {"a": float("nan")}, None, "s", "p", "cache", 0.1, 0, stamp, 1.0, 10).run_id  # noqa: B018


def test_the_accuracy_around_the_support_survives_a_round_trip():
    record = replace(RECORD, accuracy=Accuracy(1.0, 0.25))
    assert Record.from_json(record.to_json()) == record
    assert json.loads(record.to_json())["accuracy"] == {"iid": 1.0, "ood": 0.25}


def test_a_record_from_before_the_accuracy_is_read_and_written_as_it_was():
    text = RECORD.to_json()
    assert "accuracy" not in json.loads(text)
    assert Record.from_json(text).accuracy is None
    assert Record.from_json(text).to_json() == text


@pytest.mark.parametrize("value", [None, {"iid": 1.0}, {"iid": 1.5, "ood": 0.0}, {"iid": True, "ood": 0.0}])
def test_an_accuracy_that_is_no_pair_of_shares_is_refused(value):
    with pytest.raises(RecordError, match="accuracy"):
        Record.from_json(altered("accuracy", value=value))
