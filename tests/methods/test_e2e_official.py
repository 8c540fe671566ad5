"""E2E on imported weights of the authors' layout: a tiny network that writes one formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from srbench_ext.errors import InputError, WeightsError
from srbench_ext.models.official.e2e import E2EConfig, OfficialE2E
from srbench_ext.models.official.e2e_words import FORMULA_IDS
from srbench_ext.models.official.importing import import_weights, load_e2e
from srbench_ext.models.official.places import weights_path
from srbench_ext.registry import create, track_of

TINY = E2EConfig(
    word_width=2,
    encoder_width=8,
    encoder_layers=1,
    encoder_heads=2,
    encoder_hidden=4,
    decoder_width=16,
    decoder_layers=1,
    decoder_heads=2,
    decoder_hidden=4,
    positions=200,
)
WORDS = (
    "add", "+", "N0001", "E0", "add", "mul", "+", "N0002", "E0", "x_0", "mul", "-", "N0003", "E0", "x_1",
)  # fmt: skip
"""1 + (2 * x_0 - 3 * x_1), in what the network sees."""
SECONDS = {"max_seconds": 300}


def writer(words=WORDS):
    """A network that writes these words whatever it is shown: its positions alone decide."""
    torch.manual_seed(0)
    model = OfficialE2E(TINY)
    with torch.no_grad():
        for name, parameter in model.decoder.named_parameters():
            if "norm" not in name:
                parameter.zero_()
        for place, word in enumerate(words):
            model.decoder.position_embeddings.weight[place, place] = 10.0
            model.decoder.embeddings.weight[FORMULA_IDS[word], place] += 2.0
    return model


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    load_e2e.cache_clear()
    folder = tmp_path_factory.mktemp("e2e")
    model = writer()
    parts = {part: getattr(model, part).state_dict() for part in ("embedder", "encoder", "decoder")}
    torch.save({"params": {"n_enc_heads": 2, "n_dec_heads": 2}, **parts}, folder / "model1.pt")
    path, card = import_weights("e2e", folder / "model1.pt", folder)
    assert card["self_test"] is not None
    yield path
    load_e2e.cache_clear()


def plane(n_rows=120, seed=0):
    X = np.random.default_rng(seed).uniform(-3, 9, (n_rows, 2))
    return X, 0.5 * X[:, 0] - 4.0 * X[:, 1] + 3.0


@pytest.mark.parametrize("name", ["e2e", "e2e@ranking", "e2e@official-weights"])
def test_what_the_imported_network_writes_is_refined_in_the_callers_units(imported, name):
    X, y = plane()
    method = create(name, weights=str(imported), max_rounds=1, n_bags=1, **SECONDS).fit(X, y)
    X_new, y_new = plane(seed=1)
    np.testing.assert_allclose(method.predict(X_new), y_new, rtol=1e-6, atol=1e-6)
    assert method.result_.counts["proposed"] == 1
    assert "weights_examples" not in method.result_.notes


def test_what_it_writes_is_scored_as_written_without_refinement(imported):
    X, y = plane()
    method = create(
        "e2e@no-refinement", weights=str(imported), max_rounds=1, n_bags=1, whiten=True, **SECONDS
    ).fit(X, y)
    assert len(method.result_.front) == 1
    expected = 1.0 + (X - X.mean(axis=0)) / X.std(axis=0) @ np.array([2.0, -3.0])
    np.testing.assert_allclose(method.predict(X), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("decoding", ["sampling", "beam"])
def test_both_decodings_run_on_imported_weights(imported, decoding):
    X, y = plane()
    method = create(
        "e2e", weights=str(imported), max_rounds=1, n_bags=1, n_candidates=2, decoding=decoding, **SECONDS
    ).fit(X, y)
    assert np.isfinite(method.predict(X)).all()


def test_placeholders_are_refused_because_the_authors_network_writes_none(imported):
    with pytest.raises(InputError, match="mode 'skeleton'"):
        create("e2e@skeleton", weights=str(imported), **SECONDS).fit(*plane())


def test_the_preset_finds_the_imported_file_in_the_users_folder(imported, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="weights import e2e FILE"):
        create("e2e@official-weights", **SECONDS).fit(*plane())
    folder = tmp_path / "srbench-ext" / "weights"
    folder.mkdir(parents=True)
    for suffix in (".safetensors", ".json"):
        (folder / f"e2e-official{suffix}").write_bytes(imported.with_suffix(suffix).read_bytes())
    method = create("e2e@official-weights", n_bags=1, **SECONDS).fit(*plane())
    assert method.score(*plane(seed=2)) > 0.999
    assert track_of("e2e@official-weights") == "official"
    assert track_of("e2e@official") == track_of("e2e") != "official"


def test_release_weights_lie_beside_the_default_ones(tmp_path):
    shipped = tmp_path / "net.safetensors"
    with pytest.raises(WeightsError, match="No release weights of 'e2e' ship"):
        weights_path("release", "e2e", shipped)
    release = tmp_path / "net-release.safetensors"
    release.touch()
    assert weights_path("release", "e2e", shipped) == release
    assert weights_path(None, "e2e", shipped) == shipped
    assert track_of("e2e", {"weights": "release"}) == "release"
    assert track_of("equate", {"weights": str(release)}) == "release"
