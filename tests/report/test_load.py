import json

import pandas as pd
import pytest

from srbench_ext.errors import DataError, RecordError
from srbench_ext.record import FrontPoint
from srbench_ext.report import load_records
from srbench_ext.report.load import variant_labels


def test_a_folder_without_records_is_an_error_that_says_what_to_run(tmp_path):
    with pytest.raises(DataError, match=r"holds no records .* Run: srbench-ext run"):
        load_records(tmp_path)


def test_one_row_a_run_with_what_the_record_says(make_record, save_records):
    runs = load_records(
        save_records([make_record(r2=0.5, recovered=None), make_record(problem="p2", r2=0.75)])
    )
    assert list(runs["problem"]) == ["p1", "p2"]
    assert list(runs["r2_test"]) == [0.5, 0.75]
    assert runs["recovered_srbench"].isna().tolist() == [True, False]
    assert set(runs["source_kind"]) == {"cache"}


def test_an_unreadable_record_raises_and_names_the_file(make_record, save_records):
    folder = save_records([make_record()])
    (folder / "records" / "broken.json").write_text('{"schema": 1, ')
    with pytest.raises(RecordError, match=r"broken\.json.*run it again"):
        load_records(folder)


def test_unreadable_records_can_be_collected_and_the_others_read(make_record, save_records):
    folder = save_records([make_record()])
    (folder / "records" / "broken.json").write_bytes(b"\xff\xfe")
    errors = []
    runs = load_records(folder, on_unreadable=errors.append)
    assert len(runs) == 1
    assert [type(error) for error in errors] == [RecordError]


def test_variants_of_a_method_are_told_apart_by_what_differs(make_record, save_records):
    records = [make_record(parameters={"beam": beam}, weights_sha256="ab" * 32) for beam in (1, 10)]
    runs = load_records(save_records([*records, make_record(method="beta", parameters={"beam": 3})]))
    assert sorted(runs["method"]) == ["alpha (beam=1)", "alpha (beam=10)", "beta"]


def test_new_weights_and_versions_are_variants_too(make_record, save_records):
    records = [
        make_record(weights_sha256="ab" * 32),
        make_record(weights_sha256="cd" * 32),
        make_record(weights_sha256="cd" * 32, method_version="2"),
    ]
    assert sorted(load_records(save_records(records))["method"]) == [
        "alpha (version 1, weights abababab)",
        "alpha (version 1, weights cdcdcdcd)",
        "alpha (version 2, weights cdcdcdcd)",
    ]


def test_the_default_rule_takes_the_front_member_that_the_run_noted(make_record, save_records):
    front = (
        FrontPoint(None, 0.5, 3, 1.0, r2_test=0.4),
        FrontPoint(None, 0.1, 9, 2.0, r2_test=0.9),
    )
    own_rule = make_record(r2=0.9, front=front, notes={"choice": "own", "one_se_complexity": 3})
    default = make_record(r2=0.8, problem="p2", front=front, notes={"choice": "one-se"})
    assert list(load_records(save_records([own_rule, default]))["r2_test_one_se"]) == [0.4, 0.8]


def test_the_track_of_a_method_that_is_not_installed_is_unknown(make_record, save_records):
    runs = load_records(save_records([make_record(method="no-such-method"), make_record(method="linear")]))
    assert list(runs["method"]) == ["linear", "no-such-method"]
    assert runs["track"].isna().tolist() == [False, True]


def test_variants_are_named_by_what_tells_them_apart():
    settings = [
        {"weights": "release"},
        {"weights": "release", "decoding": "beam"},
        {"weights": "release", "repairs": 3},
    ]
    runs = pd.DataFrame(
        [("equate", "3", json.dumps(values), "a") for values in settings],
        columns=["method", "method_version", "parameters", "weights_sha256"],
    )
    assert list(variant_labels(runs)) == ["equate (defaults)", "equate@beam", "equate (repairs=3)"]
    assert list(variant_labels(runs[:1])) == ["equate@release"]
    assert list(variant_labels(runs[:1].assign(parameters="{}"))) == ["equate"]
    alone = runs.assign(method="not-installed")
    assert list(variant_labels(alone))[1] == "not-installed (decoding=beam)"
