"""From a checkpoint of SNIP's authors' layout to weights that the search runs on, and every deviation."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from srbench_ext.errors import WeightsError
from srbench_ext.inventory import WeightsFile, check_weights, import_weights
from srbench_ext.models.official.e2e_words import FORMULA_WORDS, point_ids
from srbench_ext.models.official.errors import ForbiddenNameError, LayoutError
from srbench_ext.models.official.latent import LatentConfig, OfficialLatent
from srbench_ext.models.official.latent_importing import load_latent
from srbench_ext.registry import create, track_of

WORDS = ("mul", "+", "N0003", "E0", "sin", "x_1")
FEW = {"n_bags": 2, "n_noisy": 2, "n_perturbed": 2, "population": 5, "max_generations": 1, "max_seconds": 300}


@pytest.fixture(autouse=True)
def _forget():
    yield
    load_latent.cache_clear()


@pytest.fixture(scope="module")
def original(files):
    return files.lookalike()


@pytest.fixture(scope="module")
def written(files, tmp_path_factory):
    """Weights of a network that writes one formula."""
    folder = tmp_path_factory.mktemp("writer")
    path = files.save(files.snip_file(files.writer(WORDS)), folder / "snip-e2e-sr.pth")
    return import_weights("snip", path, folder / "out")[0]


def wave(n_rows=120, seed=0):
    X = np.random.default_rng(seed).uniform(-3, 9, (n_rows, 2))
    return X, 4.0 * np.sin(0.3 * X[:, 1] - 0.9) + 2.0


def test_the_size_is_that_of_gensr_without_prior_and_posterior():
    with torch.device("meta"):
        model = OfficialLatent(LatentConfig(variational=False))
    heads, table = 2 * (512 * 1024 + 1024), 10_292 * 512
    assert sum(p.numel() for p in model.parameters()) == 167_798_005 - heads - table


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_imported_weights_compute_what_torchs_own_functions_compute(files, original, legacy, tmp_path):
    content = files.snip_file(original)
    path, card = import_weights("snip", files.save(content, tmp_path / "s.pth", legacy=legacy), tmp_path)
    model, read = load_latent(path)
    assert path.name == "snip-official.safetensors"
    assert read == json.loads(json.dumps(card))
    assert (card["layout"], card["track"]) == ("snip-official", "official")
    assert card["model"]["variational"] is False
    assert card["settings"]["epoch"] == 3
    rng = np.random.default_rng(0)
    ids = torch.from_numpy(np.stack([point_ids(rng.normal(size=(9, 3)), rng.normal(size=9))] * 2))
    point, log_variance = model.place(ids)
    torch.testing.assert_close(point, original.encode(ids), rtol=1e-4, atol=1e-5)
    assert not log_variance.any()
    words = torch.randint(0, len(FORMULA_WORDS), (2, 7))
    logits, _ = model.decode(words, model.memory_keys(model.memory_of(point)))
    torch.testing.assert_close(logits, original.logits(point, words), rtol=1e-4, atol=1e-4)
    assert check_weights(WeightsFile("mine", path, "imported")) == []


def test_an_encoder_without_positions_is_read_as_such(files, original, tmp_path):
    content = files.snip_file(original)
    content["encoder_y"].pop("position_embeddings.weight")
    path, card = import_weights("snip", files.save(content, tmp_path / "s.pth"), tmp_path)
    assert card["model"]["encoder_positions"] == 0
    model, _ = load_latent(path)
    ids = torch.from_numpy(point_ids(np.arange(8.0)[:, None], np.arange(8.0) ** 2))[None]
    torch.testing.assert_close(model.place(ids)[0], model.place(ids.flip(1))[0])  # no order of rows


def contrastive(content):
    content["encoder_f"] = content["encoder_y"]
    content["classifier"] = {"fc1.weight": torch.zeros(2)}
    del content["mapper"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (contrastive, r"two encoders of the contrastive pretraining.*formulas need snip-e2e-sr\.pth"),
        (lambda c: c.pop("decoder"), "no decoder; there are epoch"),
        (
            lambda c: c["encoder_y"].pop("bottleneck_module.fc1.bias"),
            r"encoder_y\.bottleneck_module\.fc1\.bias",
        ),
        (lambda c: c["mapper"].pop("linear1.weight"), r"mapper\.linear1\.weight: got None"),
        (lambda c: c["decoder"].update({"z_projection.weight": torch.zeros(2)}), "has more"),
        (lambda c: c["embedder"].update({"embeddings.weight": torch.zeros(3, 2)}), "3; allowed: 10218"),
        (lambda c: c["decoder"].update({"proj.weight": torch.zeros(10_292, 24)}), "to which it is tied"),
    ],
    ids=["contrastive", "decoder", "key", "sizes", "more", "words", "tied"],
)
def test_a_checkpoint_that_deviates_is_refused_by_name(files, original, change, match, tmp_path):
    content = files.snip_file(original)
    change(content)
    with pytest.raises(LayoutError, match=match):
        import_weights("snip", files.save(content, tmp_path / "s.pth"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_gensrs_file_is_no_snip_file(files, original, tmp_path):
    path = files.save(files.gensr_file(original), tmp_path / "c.pth")
    with pytest.raises(LayoutError, match="no embedder, encoder_y, decoder, mapper"):
        import_weights("snip", path, tmp_path / "out")


@pytest.mark.parametrize("place", ["params", "mapper"])
def test_a_file_that_tries_to_run_something_is_refused_and_runs_nothing(files, original, place, tmp_path):
    witness = tmp_path / "witness"
    content = files.snip_file(original)
    content[place] = {**content[place], "evil": files.Runs(f"touch {witness}")}
    with pytest.raises(ForbiddenNameError, match="system"):
        import_weights("snip", files.save(content, tmp_path / "s.pth"), tmp_path / "out")
    assert not witness.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["snip@official", "snip@official-weights"])
def test_what_the_imported_network_writes_is_fitted_in_the_callers_units(written, name):
    method = create(name, weights=str(written), **FEW).fit(*wave())
    X_new, y_new = wave(seed=1)
    np.testing.assert_allclose(method.predict(X_new), y_new, rtol=1e-6, atol=1e-6)
    assert "weights_examples" not in method.result_.notes


def test_without_unscaling_the_fit_has_to_make_up_for_it(written):
    parameters = {**FEW, "optimiser": "none"}
    X, y = wave()
    y = 4.0 * np.sin((X[:, 1] - X[:, 1].mean()) / X[:, 1].std()) + 2.0
    kept = create("snip@official-weights", weights=str(written), **parameters).fit(X, y)
    released = create("snip@official-weights", weights=str(written), unscale=False, **parameters).fit(X, y)
    assert kept.score(X, y) > 0.999
    assert released.score(X, y) < 0.9  # sin(x_1) has no constants inside that could be fitted


def test_the_preset_says_how_to_get_weights_that_are_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="weights import snip FILE"):
        create("snip@official-weights").fit(*wave())
    assert track_of("snip@official-weights") == "official"
    assert track_of("snip@official") == track_of("snip") != "official"
