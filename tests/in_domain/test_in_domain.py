from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pytest
import torch

from srbench_ext.cli.in_domain import in_domain
from srbench_ext.corpus.held_out import HeldOutExample, held_out
from srbench_ext.errors import InputError, WeightsError
from srbench_ext.in_domain import (
    ROWS,
    Outcome,
    Settings,
    Study,
    markdown,
    read_studies,
    solve,
    summarise,
    write_study,
)
from srbench_ext.in_domain.rows import FULL, MODEL, RANDOM, UNREFINED
from srbench_ext.in_domain.study import run_study
from srbench_ext.models.checkpoint import save_weights
from srbench_ext.models.foundation import Foundation, FoundationConfig

CONFIG = FoundationConfig(
    width=16,
    heads=2,
    hidden=16,
    point_hidden=16,
    point_layers=1,
    memory_layers=1,
    decoder_layers=1,
    memory_length=3,
)
FEW = Settings(problems=3, n_points=30, n_test_points=20, bag_size=20, samples=24, n_refined=4, max_tokens=9)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    model = Foundation(CONFIG)
    with torch.no_grad():
        model.tokens.weight.mul_(10.0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(
        model, path, {"model": CONFIG.to_dict(), "vocabulary_sha256": model.vocabulary.sha256, "examples": 5}
    )
    return path


@pytest.fixture(scope="module")
def study(weights):
    return run_study(weights, FEW)


def outcome(row=MODEL, r2=0.5, accuracy=(True, False, False), complexity=5, noise=0.0, n_variables=1):
    return Outcome(0, row, r2, accuracy, complexity, n_variables, noise, "x0", "x0")


def test_every_problem_has_every_row(study):
    assert [(o.problem, o.row) for o in study.outcomes] == [(i, row) for i in range(3) for row in ROWS]


def test_equal_settings_give_equal_outcomes_whatever_the_number_of_jobs(study, weights):
    assert run_study(weights, FEW, jobs=2).outcomes == study.outcomes


def test_a_refinement_from_the_predicted_constants_fits_no_worse_than_none(weights):
    from srbench_ext.expression import parse_infix
    from srbench_ext.models.checkpoint import load_foundation

    model, _ = load_foundation(weights)
    for number, example in enumerate(held_out(3, 30, n_test_points=20)):
        rows = {o.row: o.formula for o in solve(model, example, number, FEW)}
        if rows[UNREFINED] is None:
            continue
        losses = [
            np.mean((parse_infix(rows[row]).evaluate(example.X) - example.y) ** 2)
            for row in (UNREFINED, MODEL, FULL)
        ]
        assert losses[1] <= losses[0] * (1 + 1e-9)
        assert losses[2] <= losses[1] * (1 + 1e-6)


def test_a_formula_that_is_not_finite_on_the_test_points_is_a_failure(weights, monkeypatch):
    from srbench_ext.expression import Expression
    from srbench_ext.in_domain import rows
    from srbench_ext.models.checkpoint import load_foundation

    model, _ = load_foundation(weights)
    X, X_test = np.linspace(1, 2, 30)[:, None], np.linspace(-1, 1, 20)[:, None]
    example = HeldOutExample(X, X[:, 0], ("x0",), ("x0",), 0.0, X_test, X_test[:, 0])
    monkeypatch.setattr(rows, "_ranked_numeric", lambda *_: [Expression(("log", "x0"), ())], raising=True)
    found = {o.row: o for o in solve(model, example, 0, FEW)}
    for row in (UNREFINED, RANDOM, MODEL, FULL):
        assert found[row].r2 is None
        assert found[row].accuracy == (False, False, False)
        assert found[row].formula is not None


def test_failures_count_as_zero_and_as_misses():
    (line,) = summarise(
        [outcome(), outcome(r2=None, accuracy=(False,) * 3, complexity=None), outcome(r2=-4.0)]
    )
    assert line["n"] == 3
    assert line["mean_r2"] == pytest.approx(0.5 / 3)
    assert line["acc_0.1"] == pytest.approx(2 / 3)
    assert line["mean_complexity"] == 5.0


def test_slices_part_the_problems_by_noise(tmp_path):
    study = Study(FEW, tmp_path / "w.safetensors", "a" * 64, 7, [outcome(), outcome(noise=0.1, r2=0.1)])
    write_study([study], tmp_path)
    with (tmp_path / "table.csv").open() as stream:
        by_slice = {line["slice"]: line for line in csv.DictReader(stream)}
    assert float(by_slice["noisy"]["mean_r2"]) == pytest.approx(0.1)
    assert float(by_slice["noise-free"]["mean_r2"]) == pytest.approx(0.5)
    assert "6-10 variables" not in by_slice


def test_the_order_of_the_rows_is_told():
    study = Study(FEW, None, "a" * 64, 7, [outcome(row=RANDOM, r2=0.2), outcome(row=MODEL, r2=0.6)])
    assert "Order by R²: model initialisation > random initialisation." in markdown([study])


def test_the_files_say_what_made_them(study, tmp_path):
    files = write_study([study], tmp_path)
    assert all(path.is_file() for path in files)
    (facts,) = json.loads((tmp_path / "settings.json").read_text())
    assert facts["sha256"] == study.sha256
    assert facts["settings"]["samples"] == 24
    with (tmp_path / "outcomes.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 3 * len(ROWS)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"absent\.safetensors"):
        run_study(tmp_path / "absent.safetensors", FEW)


def test_a_study_without_problems_is_refused():
    with pytest.raises(InputError, match="'problems'"):
        Settings(problems=0)


def test_what_was_written_is_read_again(study, tmp_path):
    assert read_studies(tmp_path) == []
    write_study([study], tmp_path / "a")
    (read,) = read_studies(tmp_path / "a")
    assert read.outcomes == study.outcomes
    assert (read.sha256, read.examples, read.settings) == (study.sha256, study.examples, study.settings)
    write_study([read], tmp_path / "b")
    for name in ("outcomes.csv", "table.csv", "table.md", "settings.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    (tmp_path / "a" / "outcomes.csv").unlink()
    with pytest.raises(InputError, match="another folder"):
        read_studies(tmp_path / "a")


def test_weights_whose_outcomes_are_there_are_not_run_again(study, weights, tmp_path, monkeypatch):
    monkeypatch.setattr("srbench_ext.in_domain.run_study", lambda *_, **__: pytest.fail("run again"))
    settings = Settings(problems=3)
    there = [dataclasses.replace(study, settings=settings, sha256="0" * 64, examples=10**9)]
    there.append(dataclasses.replace(study, settings=settings))
    write_study(there, tmp_path)
    in_domain(tmp_path, problems=3, weights=[weights])
    assert [it.examples for it in read_studies(tmp_path)] == [5, 10**9]
    with pytest.raises(InputError, match="other settings"):
        in_domain(tmp_path, problems=4, weights=[weights])
