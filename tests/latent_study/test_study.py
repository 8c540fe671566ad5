"""A whole study of toy spaces, its files, and the command on the weights that ship."""

from __future__ import annotations

import csv
import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from srbench_ext.cli import app
from srbench_ext.errors import ConfigError, InputError
from srbench_ext.latent_study import Absent, Settings, document, run_study, tables_of, write_study
from srbench_ext.latent_study.spaces import Space
from srbench_ext.latent_study.study import BASELINES

from .toy import FreeToySpace, HealthyMethod, ToyEncoder, ToyMethod

FEW = Settings(
    tables=10,
    n_points=30,
    pairs=8,
    bases=6,
    draws=3,
    nearness=30,
    landscapes=2,
    landscape_points=8,
    health_examples=5,
    mapped=30,
)
ANALYSES = ("paths", "radii", "smoothness", "landscape", "health")


def spaces():
    return [
        Space("gensr", HealthyMethod(FreeToySpace()), (2, 5), 0),
        Space("e2e", ToyMethod(ToyEncoder()), (2, 5), 0),
    ]


@pytest.fixture(scope="module")
def study():
    return run_study(spaces(), FEW, absent=[Absent("equate", "no weights")])


def test_every_space_is_classified_beside_the_baselines_and_the_published_figures(study):
    scores = tables_of(study)["classification"]
    assert set(scores[scores["kind"] == "measured"]["method"]) == {"gensr", "e2e"}
    assert set(scores[scores["kind"] == "baseline"]["method"]) == set(BASELINES)
    published = scores[scores["kind"] == "published"].set_index("method")["accuracy"]
    assert dict(published) == {"GenSR": 0.849, "SNIP": 0.723, "E2E": 0.661}


def test_a_space_that_does_not_decode_takes_part_where_it_can(study):
    for name in ("paths", "radii", "landscape", "health"):
        assert set(getattr(study, name)["method"]) == {"gensr"}
    assert set(study.smoothness["method"]) == {"gensr", "e2e"}
    assert {each.method for each in study.maps} == {"gensr", "e2e"}
    encoder = study.smoothness.set_index("method").loc["e2e"]
    assert pd.notna(encoder["trustworthiness"])
    assert pd.isna(encoder["distance_changed_area"])


def test_equal_settings_give_equal_results(study):
    again = run_study(spaces(), FEW)
    for name, frame in tables_of(study).items():
        pd.testing.assert_frame_equal(tables_of(again)[name], frame)
    for one, other in zip(again.maps, study.maps, strict=True):
        assert (one.points == other.points).all()


def test_a_size_of_zero_leaves_an_analysis_out():
    small = Settings(
        tables=10, n_points=20, pairs=0, bases=0, nearness=0, landscapes=0, health_examples=0, mapped=0
    )
    found = run_study(spaces()[:1], small)
    assert all(getattr(found, name).empty for name in ANALYSES)
    assert found.maps == []
    assert list(tables_of(found)) == ["classification"]


def test_the_files_hold_every_table_and_a_map_of_every_space(study, tmp_path):
    files = write_study(study, tmp_path)
    assert all(path.is_file() for path in files)
    names = {path.name for path in files}
    assert {f"{name}.csv" for name in (*ANALYSES, "classification", "interpolations", "map")} <= names
    assert {f"map-{name}.{kind}" for name in ("gensr", "e2e") for kind in ("svg", "png")} <= names
    with (tmp_path / "map.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 2 * FEW.mapped
    facts = json.loads((tmp_path / "settings.json").read_text())
    assert facts["absent"] == [{"method": "equate", "reason": "no weights"}]
    assert facts["settings"]["pairs"] == FEW.pairs


def test_the_document_says_who_is_not_in_it_and_what_is_published(study):
    text = document(study)
    assert "equate is not in it: no weights" in text
    assert "| GenSR | published | class | not released | 0.849 |" in text
    assert "| kl_by_dimension_largest | 5 |" in text
    assert "its points do not decode" in text


@pytest.mark.parametrize(("name", "value"), [("tables", 3), ("pairs", -1), ("landscape_points", 1)])
def test_a_size_that_makes_no_sense_is_refused(name, value):
    with pytest.raises(InputError, match=name):
        Settings(**{name: value})


def test_the_command_studies_the_weights_that_ship(tmp_path):
    sizes = ["--tables", "10", "--points", "20", "--pairs", "2", "--bases", "2", "--landscapes", "0"]
    sizes += ["--health", "0", "--mapped", "12"]
    done = CliRunner().invoke(app, ["latent", "gensr,linear", "--out", str(tmp_path), "--json", *sizes])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert set(found["left_out"]) == {"linear"}
    assert {row["method"] for row in found["tables"]["paths"]} == {"gensr"}
    assert all(row["parses"] is not None for row in found["tables"]["paths"])
    assert (tmp_path / "map-gensr.svg").is_file()


def test_a_parameter_without_its_method_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["latent", "gensr", "--out", str(tmp_path), "--set", "weights=mine.pth"])
    assert isinstance(done.exception, ConfigError)
    assert "METHOD.NAME=VALUE" in str(done.exception)


def test_weights_that_are_missing_are_named(tmp_path):
    absent = str(tmp_path / "absent.safetensors")
    call = ["latent", "gensr", "--out", str(tmp_path), "--set", f"gensr.weights={absent}"]
    done = CliRunner().invoke(app, call)
    assert isinstance(done.exception, ConfigError)
    assert "absent.safetensors" in str(done.exception)
