from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from srbench_ext.errors import WeightsError
from srbench_ext.models.checkpoint import file_sha256, load_foundation, load_into, read_card, save_weights
from srbench_ext.models.foundation import Foundation

from .tiny import CONFIG, points, tiny_foundation


def card_of(model: Foundation) -> dict[str, Any]:
    return {"model": model.config.to_dict(), "vocabulary_sha256": model.vocabulary.sha256, "note": "tiny"}


@pytest.fixture
def saved(tmp_path: Path, model: Foundation) -> Path:
    path = tmp_path / "release" / "tiny.safetensors"
    save_weights(model, path, card_of(model))
    return path


def rewrite(path: Path, **changes: Any) -> None:
    """Change the card, and keep its hash that of the file."""
    card = json.loads(path.with_suffix(".json").read_text())
    card |= {"sha256": file_sha256(path), **changes}
    path.with_suffix(".json").write_text(json.dumps(card))


def test_saved_weights_are_loaded_as_float16_keeps_them(saved: Path, model: Foundation) -> None:
    loaded, card = load_foundation(saved)
    assert card["note"] == "tiny"
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float()), name
    ids = torch.tensor([[2, 10, 30], [2, 12, 40]])
    torch.testing.assert_close(loaded(points(), ids), model(points(), ids), rtol=0.05, atol=0.5)


def test_loaded_model_is_ready_for_inference(saved: Path) -> None:
    loaded, _ = load_foundation(saved)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


def test_card_tells_hash_and_size_of_the_file(saved: Path) -> None:
    card = read_card(saved)
    assert card["sha256"] == file_sha256(saved) == hashlib.sha256(saved.read_bytes()).hexdigest()
    assert card["bytes"] == saved.stat().st_size
    assert sorted(p.name for p in saved.parent.iterdir()) == ["tiny.json", "tiny.safetensors"]


def test_saving_leaves_the_model_and_the_given_card_as_they_are(tmp_path: Path, model: Foundation) -> None:
    card = card_of(model)
    written = save_weights(model, tmp_path / "a.safetensors", card)
    assert "sha256" in written
    assert "sha256" not in card
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_altered_file_is_an_error(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(content)
    with pytest.raises(WeightsError, match="altered"):
        load_foundation(saved)


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_absent_file_is_an_error_that_says_what_is_needed(saved: Path, suffix: str) -> None:
    saved.with_suffix(suffix).unlink()
    with pytest.raises(WeightsError, match=r"tiny\.safetensors and their card tiny\.json"):
        load_foundation(saved)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("missing", r"missing \['bias'\]"),
        ("surplus", r"not known \['more'\]"),
        ("shape", r"other shape \['bias'\]"),
    ],
)
def test_weights_that_do_not_fit_are_an_error_that_names_them(saved: Path, change: str, match: str) -> None:
    state = load_file(saved)
    if change == "missing":
        del state["bias"]
    elif change == "surplus":
        state["more"] = torch.zeros(2)
    else:
        state["bias"] = torch.zeros(len(state["bias"]) + 1)
    save_file(state, saved)
    rewrite(saved)
    with pytest.raises(WeightsError, match=match):
        load_foundation(saved)


def test_weights_of_another_size_are_an_error(saved: Path) -> None:
    rewrite(saved, model={**CONFIG.to_dict(), "hidden": 24})
    with pytest.raises(WeightsError, match="other shape"):
        load_foundation(saved)


@pytest.mark.parametrize("sha256", [None, "0" * 64])
def test_weights_of_another_vocabulary_are_an_error(saved: Path, sha256: str | None) -> None:
    rewrite(saved, vocabulary_sha256=sha256)
    with pytest.raises(WeightsError, match="another vocabulary"):
        load_foundation(saved)


def test_failed_load_leaves_the_model_as_it_was(saved: Path) -> None:
    state = load_file(saved)
    del state["bias"]
    save_file(state, saved)
    model = tiny_foundation(seed=9)
    before = model.tokens.weight.detach().clone()
    with pytest.raises(WeightsError):
        load_into(model, saved)
    assert torch.equal(model.tokens.weight, before)
