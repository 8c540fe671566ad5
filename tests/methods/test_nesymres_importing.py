"""From a checkpoint of the authors' layout to weights that the method runs on, and every deviation."""

from __future__ import annotations

import json
import math
import os
import pickle
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from srbench_ext.cli import main
from srbench_ext.errors import WeightsError
from srbench_ext.inventory import WeightsFile, check_weights, import_weights
from srbench_ext.methods.nesymres.importing import self_test
from srbench_ext.methods.nesymres.model import NeSymReSNet, build
from srbench_ext.models.checkpoint import load_weights
from srbench_ext.models.official.errors import CheckpointError, ForbiddenNameError, LayoutError
from srbench_ext.registry import create, track_of

WIDTH, HEADS, HIDDEN, LENGTH = 16, 8, 24, 40


class MAB(nn.Module):
    """Attention as the paper of set transformers writes it, on torch's own functions."""

    def __init__(self, queries, keys):
        super().__init__()
        self.fc_q, self.fc_k = nn.Linear(queries, WIDTH), nn.Linear(keys, WIDTH)
        self.fc_v, self.fc_o = nn.Linear(keys, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.ln0, self.ln1 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, Q, K):
        q, k, v = self.fc_q(Q), self.fc_k(K), self.fc_v(K)
        heads = [torch.stack(each.split(WIDTH // HEADS, 2)) for each in (q, k, v)]
        scores = torch.softmax(heads[0] @ heads[1].transpose(2, 3) / math.sqrt(WIDTH), 3)
        out = self.ln0(q + torch.cat(list(scores @ heads[2]), 2))
        return self.ln1(out + torch.relu(self.fc_o(out)))


class ISAB(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.I = nn.Parameter(torch.randn(1, 3, WIDTH))
        self.mab0, self.mab1 = MAB(WIDTH, width), MAB(width, WIDTH)

    def forward(self, X):
        return self.mab1(X, self.mab0(self.I.expand(len(X), -1, -1), X))


class PMA(nn.Module):
    def __init__(self):
        super().__init__()
        self.S = nn.Parameter(torch.randn(1, 5, WIDTH))
        self.mab = MAB(WIDTH, WIDTH)

    def forward(self, X):
        return self.mab(self.S.expand(len(X), -1, -1), X)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.selfatt1 = ISAB(64)
        self.selfatt = nn.ModuleList([ISAB(WIDTH)])
        self.outatt = PMA()
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("std", torch.tensor(1.0))

    def forward(self, x):
        return self.outatt(self.selfatt[0](self.selfatt1(x)))


class Lookalike(nn.Module):
    """The published network, small, from torch's own layers."""

    def __init__(self):
        super().__init__()
        self.enc = Encoder()
        self.tok_embedding, self.pos_embedding = nn.Embedding(60, WIDTH), nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerDecoderLayer(WIDTH, HEADS, HIDDEN, dropout=0.0, batch_first=True)
        self.decoder_transfomer = nn.TransformerDecoder(layer, 2)
        self.fc_out = nn.Linear(WIDTH, 60)

    def forward(self, points, ids):
        x = self.tok_embedding(ids) + self.pos_embedding(torch.arange(ids.shape[1]))
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        return self.fc_out(self.decoder_transfomer(x, self.enc(points), tgt_mask=mask))


def lookalike(seed=0):
    torch.manual_seed(seed)
    model = Lookalike()
    for parameter in model.parameters():  # torch starts biases at zero: a swap would go unseen
        nn.init.normal_(parameter, std=0.3)
    return model.eval().requires_grad_(False)


def lightning(model, **changes):
    """The mapping that Lightning writes; its callbacks are kept by their class."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    module = ModuleType(name)
    callback = type("ModelCheckpoint", (), {"__module__": name})
    module.ModelCheckpoint = callback
    content = {
        "epoch": 3,
        "global_step": 1_500_000,
        "pytorch-lightning_version": "1.2.4",
        "callbacks": {callback: {"best_model_score": torch.tensor(0.1), "dirpath": "run"}},
        "optimizer_states": [{"state": {0: {"step": 2, "exp_avg": torch.zeros(2)}}, "param_groups": []}],
        "lr_schedulers": [],
        "state_dict": model.state_dict(),
    }
    return module, {**content, **changes}


def save(model, path, *, legacy=False, **changes):
    module, content = lightning(model, **changes)
    parts = module.__name__.split(".")
    places = {".".join(parts[:i]): ModuleType(parts[i - 1]) for i in range(1, len(parts))}
    places[module.__name__] = module
    sys.modules.update(places)
    try:
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    finally:
        for name in places:
            del sys.modules[name]
    return path


@pytest.fixture(scope="module")
def original():
    return lookalike()


@pytest.fixture(scope="module")
def imported(original, tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported")
    return import_weights("nesymres", save(original, folder / "100M.ckpt"), folder / "out")[0]


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_imported_weights_compute_what_torchs_own_layers_compute(original, legacy, tmp_path):
    path, card = import_weights("nesymres", save(original, tmp_path / "m.ckpt", legacy=legacy), tmp_path)
    model, read = load_weights(path, build)
    assert read == json.loads(json.dumps(card))
    points, ids = torch.randn(2, 9, 64), torch.randint(0, 60, (2, 7))
    torch.testing.assert_close(model(points, ids), original(points, ids), rtol=1e-4, atol=1e-5)
    unused = original.enc.mean.numel() + original.enc.std.numel()
    assert card["parameters"] == sum(v.numel() for v in original.state_dict().values()) - unused


def test_the_card_is_the_preset_of_the_authors_encoding(imported):
    card = json.loads(imported.with_suffix(".json").read_text())
    assert (card["track"], card["method"], card["dtype"]) == ("official", "nesymres", "float32")
    model = card["model"]
    assert (model["wrapped_bits"], model["vocabulary"], model["post_norm"]) == (True, "authors", True)
    assert (model["n_variables"], model["encoder_layers"], model["decoder_layers"]) == (3, 2, 2)
    assert (model["inducing"], model["seeds"], model["heads"], model["max_length"]) == (3, 5, 8, LENGTH)
    assert card["settings"] == {
        "epoch": 3,
        "global_step": 1_500_000,
        "pytorch-lightning_version": "1.2.4",
    }
    assert card["source"]["file"] == "100M.ckpt"
    X = np.array([[1e-6]])
    wrapped = load_weights(imported, build)[0].encoder().table(X, X[:, 0])
    assert (wrapped[0, 1:6] > 0).tolist() == [True, True, False, True, True]  # as for 2**12


def test_imported_weights_pass_the_check(imported):
    assert check_weights(WeightsFile("mine", imported, "imported")) == []


def test_the_method_runs_on_imported_weights(imported, monkeypatch, tmp_path):
    X = np.random.default_rng(0).uniform(1, 5, (60, 2))
    few = {"beam_size": 3, "n_starts": 1, "max_rounds": 1, "max_seconds": 300}
    method = create("nesymres", weights=str(imported), **few).fit(X, X[:, 0] + X[:, 1])
    assert np.isfinite(method.predict(X)).all()
    assert method.max_features == 3
    folder = tmp_path / "srbench-ext" / "weights"
    folder.mkdir(parents=True)
    for suffix in (".safetensors", ".json"):
        (folder / f"nesymres-official{suffix}").write_bytes(imported.with_suffix(suffix).read_bytes())
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    preset = create("nesymres@official-weights", **{**few, "beam_size": 2}).fit(X, X[:, 0] + X[:, 1])
    assert preset.weights_sha256 == method.weights_sha256
    assert preset.result_.counts["proposed"] > 0


def test_the_preset_says_how_to_get_weights_that_are_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="weights import nesymres FILE"):
        create("nesymres@official-weights").fit(np.ones((5, 1)), np.arange(5.0))


def test_runs_on_the_authors_weights_are_of_the_official_track():
    assert track_of("nesymres@official-weights") == "official"
    assert track_of("nesymres@paper") == track_of("nesymres") != "official"
    assert track_of("nesymres", {"weights": "/some/where/nesymres-official.safetensors"}) == "official"
    assert track_of("nesymres", {"weights": "mine.safetensors"}) != "official"


def writer_of(tokens, vocabulary):
    """A network that writes these ids whatever it is shown: its positions alone decide."""
    model = lookalike()
    state = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
    for name in state:
        if name.endswith(("norm1.weight", "norm2.weight", "norm3.weight")):
            state[name] += 1.0
    ids = [*tokens, 2]
    for place, token in enumerate(ids):
        state["pos_embedding.weight"][place, place] = 10.0
        state["fc_out.weight"][token, place] += 10.0
    model.load_state_dict(state)
    return model


@pytest.mark.parametrize(
    ("ids", "vocabulary"),
    [
        ([18, 4, 20, 4], "authors"),  # mul x_1 sin x_1
        ([17, 4, 19, 4], "authors-without-coth"),  # the same in the list without coth; with it: ln ... pow
    ],
)
def test_the_self_test_tells_the_vocabulary(ids, vocabulary, tmp_path):
    path, card = import_weights("nesymres", save(writer_of(ids, vocabulary), tmp_path / "m.ckpt"), tmp_path)
    assert card["self_test"] == "x0*sin(x0)"
    assert card["model"]["vocabulary"] == vocabulary
    model, _ = load_weights(path, build)
    assert model.vocabulary.decode([*ids, 2]) == ["mul", "x0", "sin", "x0"]


def test_random_weights_write_no_formula_and_keep_the_newer_vocabulary(original, imported):
    model, card = load_weights(imported, build)
    assert isinstance(model, NeSymReSNet)
    assert self_test(model) == ("authors", card["self_test"])


def drop(name):
    return lambda state: state.pop(name)


def put(name, value):
    return lambda state: state.update({name: value})


LAYER = "decoder_transfomer.layers.0"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (drop("enc.outatt.mab.ln0.bias"), r"lacks: got 1: enc\.outatt\.mab\.ln0\.bias"),
        (drop("enc.selfatt1.I"), r"enc\.selfatt1\.I: got None; allowed: 3 dimensions"),
        (drop("tok_embedding.weight"), "tok_embedding"),
        (put("enc.extra", torch.zeros(2)), r"has more: got 1: enc\.extra"),
        (put("tok_embedding.weight", torch.zeros(59, WIDTH)), r"\(59, 16\) for \(60, 16\)"),
        (put("tok_embedding.weight", torch.zeros(60, 15)), "multiple of the 8 heads"),
        (put("tok_embedding.weight", torch.zeros(60, 0)), "multiple of the 8 heads"),
        (put("enc.selfatt1.mab0.fc_k.weight", torch.zeros(WIDTH, 63)), "16 for each column and the target"),
        (put("enc.selfatt1.mab0.fc_k.weight", torch.zeros(WIDTH, 48)), "other shapes"),
        (put(f"{LAYER}.self_attn.in_proj_bias", torch.zeros(WIDTH)), r"\(16,\) for \(48,\)"),
        (put("fc_out.bias", torch.zeros(60, dtype=torch.float16)), "float16"),
        (put("fc_out.bias", torch.full((60,), float("nan"))), "not finite"),
        (put("fc_out.bias", "sixty"), "allowed: a tensor"),
    ],
)
def test_a_checkpoint_that_deviates_is_refused_by_name(original, change, match, tmp_path):
    state = dict(original.state_dict())
    change(state)
    with pytest.raises(LayoutError, match=match) as refused:
        import_weights("nesymres", save(original, tmp_path / "m.ckpt", state_dict=state), tmp_path / "out")
    assert refused.value.fix
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [[1, 2], {"epoch": 3}, torch.zeros(2)])
def test_another_object_is_refused(value, tmp_path):
    torch.save(value, tmp_path / "m.ckpt")
    with pytest.raises(LayoutError, match="The object saved"):
        import_weights("nesymres", tmp_path / "m.ckpt", tmp_path / "out")


class Runs:
    """Pickled, it would make a file when it is loaded."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("place", ["callbacks", "state_dict", "hyper_parameters"])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_file_that_tries_to_run_something_is_refused_and_runs_nothing(original, place, legacy, tmp_path):
    witness = tmp_path / "witness"
    evil = Runs(f"touch {witness}")
    value = {**original.state_dict(), "evil": evil} if place == "state_dict" else {"evil": evil}
    path = save(original, tmp_path / "m.ckpt", legacy=legacy, **{place: value})
    with pytest.raises(ForbiddenNameError, match="system"):
        import_weights("nesymres", path, tmp_path / "out")
    assert not witness.exists()
    assert not (tmp_path / "out").exists()


def test_a_bare_pickle_that_runs_something_is_refused(tmp_path):
    witness = tmp_path / "witness"
    (tmp_path / "m.ckpt").write_bytes(pickle.dumps(Runs(f"touch {witness}"), protocol=2))
    with pytest.raises(CheckpointError):
        import_weights("nesymres", tmp_path / "m.ckpt", tmp_path / "out")
    assert not witness.exists()


@pytest.mark.parametrize("share", [0.2, 0.9, 0.999])
def test_a_truncated_file_is_refused(original, share, tmp_path):
    path = save(original, tmp_path / "m.ckpt")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError):
        import_weights("nesymres", path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_prints_what_was_imported(original, monkeypatch, capsys, tmp_path):
    path = save(original, tmp_path / "100M.ckpt")
    arguments = ["weights", "import", "nesymres", str(path), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["srbench-ext", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 0
    printed = capsys.readouterr().out
    assert str(tmp_path / "out" / "nesymres-official.safetensors") in printed
    assert "Self-test" in printed
