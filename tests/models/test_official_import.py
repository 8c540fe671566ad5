"""From a checkpoint of the authors' layout to safetensors, and every deviation from the layout."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from srbench_ext.errors import UnknownNameError, WeightsError
from srbench_ext.models.checkpoint import file_sha256
from srbench_ext.models.official.e2e import E2EConfig
from srbench_ext.models.official.e2e_layout import expected_shapes, read_e2e
from srbench_ext.models.official.e2e_words import FORMULA_WORDS
from srbench_ext.models.official.errors import CheckpointError, LayoutError
from srbench_ext.models.official.importing import import_weights, is_official_e2e, load_e2e

from .lookalike import ModelWrapper, save, settings, training_checkpoint, wrapper

CONFIG = E2EConfig(
    word_width=2,
    encoder_width=8,
    encoder_layers=1,
    encoder_heads=2,
    encoder_hidden=12,
    decoder_width=8,
    decoder_layers=2,
    decoder_heads=2,
    decoder_hidden=12,
    positions=210,
)


@pytest.fixture(autouse=True)
def _nothing_loaded_before() -> Iterator[None]:
    load_e2e.cache_clear()
    yield
    load_e2e.cache_clear()


@pytest.fixture(scope="module")
def original() -> ModelWrapper:
    return wrapper()


@pytest.fixture(scope="module")
def imported(original: ModelWrapper, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    return import_weights("e2e", save(original, folder / "model1.pt"), folder / "out")[0]


def copy_of(imported: Path, folder: Path, **changes: Any) -> Path:
    """Copy imported weights, with a changed card."""
    path = folder / imported.name
    path.write_bytes(imported.read_bytes())
    card = json.loads(imported.with_suffix(".json").read_text()) | changes
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_every_number_arrives_bit_by_bit(original: ModelWrapper, legacy: bool, tmp_path: Path) -> None:
    path, card = import_weights("e2e", save(original, tmp_path / "m.pt", legacy=legacy), tmp_path / "out")
    model, loaded_card = load_e2e(path)
    assert loaded_card == card
    assert "symbolicregression" not in sys.modules
    wanted = original.state_dict()
    assert model.state_dict().keys() == wanted.keys()
    assert all(torch.equal(value, wanted[name]) for name, value in model.state_dict().items())
    assert model.decoder.proj.weight is model.decoder.embeddings.weight
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


def test_the_card_says_what_was_imported(imported: Path) -> None:
    card = json.loads(imported.with_suffix(".json").read_text())
    assert is_official_e2e(card)
    assert card["track"] == "official"
    assert E2EConfig.from_dict(card["model"]) == CONFIG
    assert card["parameters"] == sum(value.size for value in load_file(imported).values())
    assert card["words_checked"] is True
    assert card["settings"]["beam_temperature"] == 0.1
    source = imported.parent.parent / "model1.pt"
    assert card["source"] == {
        "file": "model1.pt",
        "format": "zip",
        "sha256": file_sha256(source),
        "bytes": source.stat().st_size,
    }
    assert card["sha256"] == file_sha256(imported)
    assert sorted(p.name for p in imported.parent.iterdir()) == [
        "e2e-official.json",
        "e2e-official.safetensors",
    ]


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_training_checkpoint_is_read_too(original: ModelWrapper, prefix: str, tmp_path: Path) -> None:
    checkpoint = read_e2e(save(training_checkpoint(original, prefix=prefix), tmp_path / "c.pth"))
    assert checkpoint.config == CONFIG
    assert not checkpoint.words_checked
    whole = read_e2e(save(original, tmp_path / "m.pt"))
    state, wanted = checkpoint.state(), whole.state()
    assert state.keys() == wanted.keys() == expected_shapes(CONFIG).keys()
    assert all(np.array_equal(state[name], wanted[name]) for name in wanted)


def drop(part: str, name: str) -> Callable[[dict[str, Any]], None]:
    return lambda c: c[part].pop(name)


def put(part: str, name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda c: c[part].update({name: value})


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (drop("encoder", "layer_norm1.0.bias"), r"lacks: got 1: encoder\.layer_norm1\.0\.bias"),
        (drop("embedder", "embeddings.weight"), "a matrix"),
        (put("encoder", "layer_norm3.0.bias", torch.zeros(8)), r"has more: got 1: encoder\.layer_norm3"),
        (put("encoder", "layer_norm1.0.bias", torch.zeros(9)), r"other shapes.*\(9,\) for \(8,\)"),
        (put("embedder", "embeddings.weight", torch.zeros(10_217, 2)), r"\(10217, 2\) for \(10218, 2\)"),
        (put("decoder", "proj.bias", torch.zeros(10_291)), r"\(10291,\) for \(10292,\)"),
        (put("decoder", "proj.weight", torch.zeros(10_292, 8)), "tied"),
        (put("encoder", "layer_norm1.0.bias", 3.0), "allowed: a tensor"),
        (put("encoder", "module.layer_norm1.0.bias", torch.zeros(8)), "two of them"),
        (put("params", "n_enc_heads", 3), "divides 8"),
        (put("params", "n_dec_heads", None), "divides 8"),
        (put("params", "float_precision", 2), "float_precision"),
        (put("params", "mantissa_len", 2), "mantissa_len"),
        (put("params", "use_skeleton", True), "use_skeleton"),
        (put("params", "max_input_dimension", 3), "max_input_dimension"),
        (lambda c: c.update(encoder=None), "a mapping"),
        (lambda c: c.pop("decoder"), "The object saved"),
    ],
)
def test_a_checkpoint_that_deviates_is_refused_by_name(
    original: ModelWrapper, change: Callable[[dict[str, Any]], None], match: str, tmp_path: Path
) -> None:
    checkpoint = training_checkpoint(original)
    change(checkpoint)
    with pytest.raises(LayoutError, match=match) as refused:
        import_weights("e2e", save(checkpoint, tmp_path / "c.pth"), tmp_path / "out")
    assert refused.value.fix
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (torch.full((8,), float("nan")), "not finite"),
        (torch.full((8,), float("inf")), "not finite"),
        (torch.zeros(8, dtype=torch.float64), "float64"),
        (torch.zeros(8, dtype=torch.float16), "float16"),
    ],
)
def test_numbers_of_another_kind_are_refused(
    original: ModelWrapper, value: torch.Tensor, match: str, tmp_path: Path
) -> None:
    checkpoint = training_checkpoint(original)
    checkpoint["encoder"]["layer_norm1.0.bias"] = value
    with pytest.raises(LayoutError, match=match):
        read_e2e(save(checkpoint, tmp_path / "c.pth")).state()


def swapped(model: ModelWrapper) -> None:
    words = model.decoder.id2word
    words[42], words[53] = words[53], words[42]


def shorter(model: ModelWrapper) -> None:
    del model.decoder.id2word[len(FORMULA_WORDS) - 1]


def longer(model: ModelWrapper) -> None:
    model.env.float_id2word[10_218] = "N10000"


def without_heads(model: ModelWrapper) -> None:
    del model.encoder.n_heads


def without_decoder(model: ModelWrapper) -> None:
    model.decoder = torch.nn.Linear(2, 2)  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (swapped, "word 42 being mul; allowed: 10292 words, word 42 being add"),
        (shorter, "10291 words"),
        (longer, "10219 words, word 10218 being N10000"),
        (without_heads, "heads of the encoder"),
        (without_decoder, "words|lacks|matrix|mapping"),
    ],
)
def test_a_wrapper_that_deviates_is_refused_by_name(
    change: Callable[[ModelWrapper], None], match: str, tmp_path: Path
) -> None:
    model = wrapper()
    change(model)
    with pytest.raises(CheckpointError, match=match):
        read_e2e(save(model, tmp_path / "m.pt"))


def test_settings_of_the_wrapper_are_compared(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="max_exponent"):
        read_e2e(save(wrapper(params=settings(max_exponent=50)), tmp_path / "m.pt"))


def test_another_object_is_refused(tmp_path: Path) -> None:
    for value in (torch.nn.Linear(2, 2), [1, 2], Namespace(a=1), torch.zeros(2)):
        with pytest.raises(LayoutError, match="The object saved"):
            read_e2e(save(value, tmp_path / "m.pt"))


def test_a_module_that_holds_itself_is_refused(original: ModelWrapper, tmp_path: Path) -> None:
    model = wrapper()
    model.encoder._modules["again"] = model.encoder
    with pytest.raises(LayoutError, match="The modules"):
        read_e2e(save(model, tmp_path / "m.pt"))


@pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.999])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_truncated_file_is_refused(
    original: ModelWrapper, legacy: bool, share: float, tmp_path: Path
) -> None:
    path = save(original, tmp_path / "m.pt", legacy=legacy)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError):
        import_weights("e2e", path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Known: e2e"):
        import_weights("e2", tmp_path / "m.pt", tmp_path)


def test_altered_imported_weights_are_refused(imported: Path, tmp_path: Path) -> None:
    path = copy_of(imported, tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="altered"):
        load_e2e(path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"layout": None}, "names the layout None"),
        ({"vocabulary_sha256": "0"}, "other words"),
        ({"model": {**CONFIG.to_dict(), "encoder_hidden": 13}}, "do not fit the sizes"),
        ({"model": {**CONFIG.to_dict(), "decoder_layers": 3}}, "do not fit the sizes"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(
    imported: Path, change: dict[str, Any], match: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=match):
        load_e2e(copy_of(imported, tmp_path, **change))


def test_imported_weights_with_another_tensor_are_refused(imported: Path, tmp_path: Path) -> None:
    path = copy_of(imported, tmp_path)
    save_file({**load_file(path), "more": np.zeros(2, np.float32)}, path)
    path = copy_of(path, tmp_path, sha256=file_sha256(path))
    with pytest.raises(WeightsError, match="more"):
        load_e2e(path)
