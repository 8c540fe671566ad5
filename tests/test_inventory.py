"""The weights that ship fit their cards and networks, and what does not fit is said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from srbench_ext.errors import WeightsError
from srbench_ext.inventory import WeightsFile, check_weights, describe_weights, weights_files
from srbench_ext.models.checkpoint import file_sha256
from srbench_ext.registry import create, describe, track_of

SHIPPED = [file for file in weights_files(Path("/nonexistent")) if file.origin == "shipped"]


def test_the_foundation_ships() -> None:
    assert "foundation" in [file.name for file in SHIPPED]
    assert {file.origin for file in weights_files(Path("/nonexistent"))} == {"shipped"}


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_shipped_weights_fit_their_card_and_network(file: WeightsFile) -> None:
    assert check_weights(file) == []
    described = describe_weights(file)
    assert described["track"] in ("controlled", "release")
    assert described["parameters"] * 2 <= described["bytes"]  # float16


def test_the_track_of_a_method_is_that_of_its_weights() -> None:
    tracks = {}
    for file in SHIPPED:
        sha = json.loads(file.path.with_suffix(".json").read_text())["sha256"]
        tracks[sha] = describe_weights(file)["track"]
    compared = 0
    for method in ("e2e", "equate", "gensr", "nesymres"):
        for name in (method, *(f"{method}@{preset}" for preset in describe(method).presets)):
            if track_of(name) == "official":
                continue
            sha = create(name).weights_sha256
            if sha in tracks:
                assert track_of(name) == tracks[sha], name
                compared += 1
    assert compared >= 8


@pytest.fixture
def copied(tmp_path: Path) -> WeightsFile:
    """A copy of the foundation weights, to be changed."""
    (original,) = (file for file in SHIPPED if file.name == "foundation")
    path = tmp_path / "foundation.safetensors"
    path.write_bytes(original.path.read_bytes())
    path.with_suffix(".json").write_text(original.path.with_suffix(".json").read_text())
    return weights_files(tmp_path)[-1]


def change_card(file: WeightsFile, **changes: Any) -> None:
    path = file.path.with_suffix(".json")
    card = json.loads(path.read_text()) | {"sha256": file_sha256(file.path)} | changes
    path.write_text(json.dumps(card))


def test_weights_in_a_folder_of_the_user_are_imported_ones(copied: WeightsFile) -> None:
    assert (copied.name, copied.origin) == ("foundation", "imported")
    assert check_weights(copied) == []


@pytest.mark.parametrize(
    ("examples", "track"), [(1_000_000, "controlled"), (999_999, "release"), (3_000_000, "release")]
)
def test_exactly_a_million_examples_are_the_controlled_track(
    copied: WeightsFile, examples: int, track: str
) -> None:
    change_card(copied, examples=examples)
    assert describe_weights(copied)["track"] == track


def test_a_million_examples_of_another_corpus_are_release_weights(copied: WeightsFile) -> None:
    change_card(copied, examples=1_000_000, corpus_sha256="0")
    assert describe_weights(copied)["track"] == "release"


def test_every_misfit_is_named(copied: WeightsFile) -> None:
    state = load_file(copied.path)
    state["more"] = state.pop("bias").astype("float32")
    state["queries"] = state["queries"][1:]
    save_file(state, copied.path)
    change_card(copied, vocabulary_sha256="0")
    faults = check_weights(copied)
    assert len(faults) == 5
    words = ("Missing.*bias", "Not known.*more", "shape.*queries", "F16", "vocabulary")
    for fault, pattern in zip(faults, words, strict=True):
        assert re.search(pattern, fault)


def test_altered_weights_and_absent_cards_are_named(copied: WeightsFile) -> None:
    content = bytearray(copied.path.read_bytes())
    content[-1] ^= 1
    copied.path.write_bytes(content)
    assert "altered" in check_weights(copied)[0]
    copied.path.write_bytes(b"no safetensors")
    change_card(copied)
    assert "not safetensors" in check_weights(copied)[0]
    copied.path.with_suffix(".json").unlink()
    assert "not both are there" in check_weights(copied)[0]
    with pytest.raises(WeightsError, match="cannot be read"):
        describe_weights(copied)


def test_untrained_weights_are_named(copied: WeightsFile) -> None:
    change_card(copied, examples=0)
    assert "random" in check_weights(copied)[0]


def test_a_card_without_sizes_is_named(copied: WeightsFile) -> None:
    card = json.loads(copied.path.with_suffix(".json").read_text())
    del card["model"]
    copied.path.with_suffix(".json").write_text(json.dumps(card))
    assert check_weights(copied) == ["The card has no 'model'."]


def test_a_method_with_weights_needs_a_builder(copied: WeightsFile) -> None:
    file = WeightsFile("linear/linear", copied.path, "shipped", "linear")
    assert "no function 'build'" in check_weights(file)[0]
