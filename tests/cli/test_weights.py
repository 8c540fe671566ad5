"""``srbench-ext weights``: what it prints, and its exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from srbench_ext import inventory
from srbench_ext.cli import main
from srbench_ext.inventory import WeightsFile
from srbench_ext.models.official.e2e import E2EConfig, OfficialE2E

TINY = E2EConfig(
    word_width=2,
    encoder_width=4,
    encoder_layers=1,
    encoder_heads=2,
    encoder_hidden=4,
    decoder_width=4,
    decoder_layers=1,
    decoder_heads=2,
    decoder_hidden=4,
    positions=200,
)
Call = Callable[..., tuple[int | str | None, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Run the command line here; return exit code, standard output and standard error."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def run(*arguments: object) -> tuple[int | str | None, str, str]:
        monkeypatch.setattr(sys, "argv", ["srbench-ext", "weights", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        captured = capsys.readouterr()
        return exit_.value.code, captured.out, captured.err

    return run


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A training checkpoint of a tiny network of the authors' layout."""
    torch.manual_seed(0)
    model = OfficialE2E(TINY)
    parts = {part: getattr(model, part).state_dict() for part in ("embedder", "encoder", "decoder")}
    path = tmp_path / "periodic-3.pth"
    torch.save({"epoch": 3, "params": {"n_enc_heads": 2, "n_dec_heads": 2}, **parts}, path)
    return path


def test_imported_weights_are_listed_and_checked(
    call: Call, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call("import", "e2e", checkpoint)
    assert (code, err) == (0, "")
    path = tmp_path / "data" / "srbench-ext" / "weights" / "e2e-official.safetensors"
    assert str(path) in out
    assert "holds no word lists" in out
    assert "Self-test" in out
    code, out, _ = call("list", "--json")
    listed = {each["name"]: each for each in json.loads(out)}
    assert code == 0
    assert listed["e2e-official"]["track"] == "official"
    assert listed["e2e-official"]["origin"] == "imported"
    assert listed["e2e-official"]["path"] == str(path)
    assert listed["foundation"]["origin"] == "shipped"
    code, out, _ = call("list")
    assert code == 0
    assert "official" in out
    monkeypatch.setattr(inventory, "weights_files", lambda folder: [WeightsFile("mine", path, "imported")])
    code, out, _ = call("check")
    assert (code, out) == (0, "mine: ok\n")


def test_import_into_a_folder_as_json(call: Call, checkpoint: Path, tmp_path: Path) -> None:
    code, out, _ = call("import", "e2e", checkpoint, "--out", tmp_path / "here", "--json")
    card = json.loads(out)
    assert code == 0
    assert Path(card["path"]) == tmp_path / "here" / "e2e-official.safetensors"
    assert card["source"]["file"] == "periodic-3.pth"
    assert E2EConfig.from_dict(card["model"]) == TINY


def test_altered_weights_are_reported_and_exit_code_1(call: Call, checkpoint: Path, tmp_path: Path) -> None:
    call("import", "e2e", checkpoint, "--out", tmp_path)
    path = tmp_path / "e2e-official.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    code, out, _ = call("check", "--folder", tmp_path)
    assert code == 1
    assert "e2e-official: not as it should be" in out
    assert "altered" in out
    code, out, _ = call("check", "--folder", tmp_path, "--json")
    assert code == 1
    assert [bool(each["faults"]) for each in json.loads(out)][-1]


@pytest.mark.parametrize(
    ("source", "content", "code", "message"),
    [
        ("e3e", b"", 2, "Did you mean 'e2e'"),
        ("e2e", b"", 1, "none, or an empty one"),
        ("e2e", b"\x80\x02cos\nsystem\n.", 1, "Nothing was executed"),
    ],
)
def test_what_cannot_be_imported_is_one_message(
    call: Call, tmp_path: Path, source: str, content: bytes, code: int, message: str
) -> None:
    path = tmp_path / "model1.pt"
    path.write_bytes(content)
    found, out, err = call("import", source, path, "--out", tmp_path / "out")
    assert found == code
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "out").exists()
