"""`srbench-ext fit` on files of several formats, with plot and code."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from srbench_ext.cli import main


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["srbench-ext", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        printed = capsys.readouterr()
        return exit_.value.code or 0, printed.out, printed.err

    return run


@pytest.fixture
def frame():
    X = np.random.default_rng(0).uniform(1, 2, size=(30, 2))
    return pd.DataFrame({"speed": X[:, 0], "beta": X[:, 1], "y": 2.0 * X[:, 0] - X[:, 1] + 1.0})


FIT = ("--target", "y", "--method", "linear")


@pytest.mark.parametrize("name", ["t.tsv", "t.parquet", "t.feather"])
def test_tsv_parquet_and_feather_are_fitted(call, frame, tmp_path, name):
    path = tmp_path / name
    if name.endswith("tsv"):
        frame.to_csv(path, sep="\t", index=False)
    else:
        pytest.importorskip("pyarrow")
        (frame.to_parquet if name.endswith("parquet") else frame.to_feather)(path)
    code, out, _ = call("fit", path, *FIT, "--json")
    summary = json.loads(out)
    assert code == 0
    assert summary["r2_train"] == pytest.approx(1.0)
    assert summary["columns_used"] == ["speed", "beta"]


def test_code_is_printed_and_the_python_predicts(call, frame, tmp_path):
    frame.to_csv(tmp_path / "t.csv", index=False)
    _, out, _ = call("fit", tmp_path / "t.csv", *FIT, "--code")
    assert "# sympy" in out
    assert "# LaTeX" in out
    scope = {}
    exec(out.split("# Python\n")[1], scope)
    np.testing.assert_allclose(scope["predict"](frame["speed"], frame["beta"]), frame["y"])


def test_json_holds_the_code(call, frame, tmp_path):
    frame.to_csv(tmp_path / "t.csv", index=False)
    code = json.loads(call("fit", tmp_path / "t.csv", *FIT, "--json")[1])["code"]
    assert set(code) == {"sympy", "latex", "python"}
    scope = {}
    exec(code["sympy"], scope)
    assert {symbol.name for symbol in scope["formula"].free_symbols} == {"speed", "beta"}


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_front_is_drawn(call, frame, tmp_path, ending):
    frame.rename(columns={"speed": "cost in $"}).to_csv(tmp_path / "t.csv", index=False)
    plot = tmp_path / f"front.{ending}"
    code, out, _ = call("fit", tmp_path / "t.csv", *FIT, "--plot", plot)
    assert code == 0
    assert f"Front drawn into {plot}" in out
    assert plot.stat().st_size > 1000
    if ending == "svg":
        assert "complexity (tokens)" in plot.read_text()


def test_a_plot_of_an_unknown_kind_is_bad_input(call, frame, tmp_path):
    frame.to_csv(tmp_path / "t.csv", index=False)
    code, _, err = call("fit", tmp_path / "t.csv", *FIT, "--plot", tmp_path / "front.doc")
    assert code == 2
    assert "must end in .png, .svg, .pdf" in err


def test_a_model_without_formula_has_no_code(call, frame, tmp_path):
    frame.to_csv(tmp_path / "t.csv", index=False)
    arguments = ("fit", tmp_path / "t.csv", "--target", "y", "--method", "forest", "--set", "n_trees=4")
    code, out, _ = call(*arguments, "--code", "--plot", tmp_path / "front.png")
    assert code == 0
    assert "there is no code of it" in out
    assert json.loads(call(*arguments, "--json")[1])["code"] is None
