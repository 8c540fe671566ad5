"""Starting from pretrained modules, and repairs with them; on networks of a few thousand weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from srbench_ext.errors import WeightsError
from srbench_ext.methods.equate import method as equate_method
from srbench_ext.methods.equate.adaptation import pad_ids
from srbench_ext.methods.equate.model import EquateModel
from srbench_ext.methods.equate.pretrained import load_modules, modules_card
from srbench_ext.methods.equate.repairer import RepairConfig, Repairer
from srbench_ext.methods.equate.repairs import write_repairs
from srbench_ext.models.checkpoint import load_foundation, save_weights
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.proposals import Proposer
from srbench_ext.registry import create

SIZES = {
    "width": 16,
    "heads": 2,
    "hidden": 16,
    "point_hidden": 16,
    "point_layers": 1,
    "decoder_layers": 2,
    "memory_length": 3,
    "statistics_length": 2,
}
FEW = {
    "n_bags": 2,
    "n_candidates": 8,
    "rounds": 2,
    "breeding_steps": 1,
    "n_random": 30,
    "infills": 0,
    "eval_steps": 2,
    "joint_steps": 1,
    "network_share": 1.0,
    "probes": False,
    "relations": False,
    "stepwise": False,
    "max_seconds": 20,
}


def save_foundation(path: Path, seed: int = 0) -> dict:
    torch.manual_seed(seed)
    net = Foundation(FoundationConfig(**SIZES))
    card = {"model": net.config.to_dict(), "vocabulary_sha256": net.vocabulary.sha256, "examples": 5}
    return save_weights(net, path, card)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """A foundation model, and modules that were trained on it, here for no step at all."""
    folder = tmp_path_factory.mktemp("weights")
    card = save_foundation(folder / "foundation.safetensors")
    foundation, _ = load_foundation(folder / "foundation.safetensors")
    torch.manual_seed(1)
    net = Repairer(RepairConfig(**SIZES, rank=2), foundation)
    for adapter in net.equate.adapters:
        torch.nn.init.normal_(adapter.up)
    known = {"model": net.config.to_dict(), "vocabulary_sha256": net.vocabulary.sha256, "examples": 9}
    save_weights(net, folder / "equate.safetensors", known | {"foundation": {"sha256": card["sha256"]}})
    return folder / "foundation.safetensors", folder / "equate.safetensors"


def table() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, (120, 2))
    return X, X[:, 0] * np.sin(X[:, 1]) + X[:, 1] ** 2 + 0.3 * rng.normal(size=120)


def test_a_search_starts_from_the_modules_of_its_foundation_and_repairs_with_them(files):
    weights, modules = map(str, files)
    method = create("equate", weights=weights, pretrained=modules, **FEW).fit(*table())
    result = method.result_
    assert result.notes["pretrained"] == method.weights_sha256
    assert result.counts["repairs"] > 0
    assert result.counts["repairs"] >= result.counts["repairs_new"] >= result.counts["entries_repair"]
    assert result.counts["entries_repair"] >= result.counts["repairs_on_front"]
    assert method.weights_sha256 == modules_card(files[1], load_foundation(files[0])[1]["sha256"])["sha256"]


def test_equal_seeds_give_equal_results_with_repairs(files):
    weights, modules = map(str, files)
    fits = [create("equate", weights=weights, pretrained=modules, **FEW).fit(*table()) for _ in range(2)]
    fronts = [[candidate.model for candidate in fit.result_.front] for fit in fits]
    assert fronts[0] == fronts[1]


@pytest.mark.parametrize("changes", [{"repairs": 0}, {"pretrained": False}])
def test_repairs_can_be_turned_off(files, changes):
    weights, modules = map(str, files)
    settings = {**FEW, "weights": weights, "pretrained": modules, **changes}
    counts = create("equate", **settings).fit(*table()).result_.counts
    assert not counts.get("repairs")
    assert counts["decoded"] > 0


def test_modules_of_another_foundation_are_left_aside_and_the_record_says_so(files, tmp_path, monkeypatch):
    other = tmp_path / "foundation.safetensors"
    card = save_foundation(other, seed=7)
    monkeypatch.setattr(equate_method, "WEIGHTS", files[1])
    method = create("equate", weights=str(other), **FEW).fit(*table())
    assert "were trained on the foundation model" in method.result_.notes["not_pretrained"]
    assert method.weights_sha256 == card["sha256"]
    assert not method.result_.counts.get("repairs")


def test_modules_that_ship_are_used_by_default_where_they_fit(files, monkeypatch):
    monkeypatch.setattr(equate_method, "WEIGHTS", files[1])
    method = create("equate", weights=str(files[0]), **FEW).fit(*table())
    assert method.result_.notes["pretrained"] == method.weights_sha256


def test_without_modules_the_record_says_so(files, tmp_path, monkeypatch):
    monkeypatch.setattr(equate_method, "WEIGHTS", tmp_path / "none.safetensors")
    method = create("equate", weights=str(files[0]), **{**FEW, "rounds": 0}).fit(*table())
    assert method.result_.notes["not_pretrained"] == "no modules ship"


def test_modules_asked_for_by_name_have_to_fit(files, tmp_path):
    other = tmp_path / "foundation.safetensors"
    save_foundation(other, seed=7)
    with pytest.raises(WeightsError, match="srbench-ext train equate"):
        create("equate", weights=str(other), pretrained=str(files[1]), **FEW).fit(*table())
    with pytest.raises(WeightsError, match="not both are there"):
        create("equate", pretrained=str(tmp_path / "none.safetensors"), **FEW).fit(*table())


def test_thawed_modules_learn_and_leave_the_shared_ones_alone(files):
    foundation, card = load_foundation(files[0])
    shared = load_modules(files[1], foundation, card["sha256"])
    assert load_modules(files[1], foundation, card["sha256"]) is shared
    assert not shared.trained_parameters()
    model = shared.thawed()
    names = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {"gate", "null", "lstm.weight_ih_l0"} <= names
    assert all(name.endswith((".up", ".down")) for name in names if name.startswith("foundation."))
    assert len(model.updates()) == 2 * len(model.adapters) == 8
    with torch.no_grad():
        model.gate.fill_(9.0)
    assert shared.gate.item() == 0.5


def test_repairs_follow_the_formula_that_is_given(files):
    foundation, card = load_foundation(files[0])
    model = load_modules(files[1], foundation, card["sha256"]).thawed()
    with torch.no_grad():
        model.gate.fill_(100.0)  # what was never trained says little
    X, y = table()

    def repairs(prefix: tuple[str, ...], of: EquateModel = model) -> list[tuple[str, ...]]:
        proposer = Proposer(foundation, X, y, np.random.default_rng(0), n_bags=2, bag_size=20)
        found = write_repairs(
            of, proposer, [prefix], 8, temperature=1.0, deadline=np.inf, stopped=lambda: False
        )
        return [decoded.tokens for decoded in found]

    one, other = ("sin", "x0"), ("mul", "x0", "exp", "x1")
    assert repairs(one) == repairs(one)
    assert repairs(one) != repairs(other)
    closed = model.thawed()
    torch.nn.init.zeros_(closed.gate)
    assert repairs(one, closed) == repairs(other, closed)


def test_nothing_to_repair_gives_nothing(files):
    foundation, card = load_foundation(files[0])
    model = load_modules(files[1], foundation, card["sha256"])
    proposer = Proposer(foundation, *table(), np.random.default_rng(0), n_bags=1, bag_size=20)
    assert write_repairs(model, proposer, [], 4, temperature=1, deadline=np.inf, stopped=bool) == []


# ---------------------------------------------------------------- a place for tables
def test_the_fused_embedding_is_of_the_table_and_of_what_is_first_written_for_it(files):
    foundation, card = load_foundation(files[0])
    model = load_modules(files[1], foundation, card["sha256"])
    space = create("equate", weights=str(files[0]), pretrained=str(files[1])).open_space(2, None)
    X, y = table()
    mean, log_variance = space.encode([(X, y), (X[:, :1], y)])
    proposer = Proposer(foundation, X, y, np.random.default_rng(0), n_bags=1, bag_size=len(y))
    with torch.no_grad():
        memory = proposer.encode(X, y, np.arange(len(y))[None])
        (first,) = proposer.sample("<skeleton>", 1, temperature=1e-6, memory=memory)
        fused = model.fuse(memory, pad_ids(foundation.vocabulary, [first.tokens]))
    np.testing.assert_allclose(mean[0], fused.mean(1)[0].double().numpy(), atol=1e-5)
    assert not np.allclose(mean[0], memory.mean(1)[0].numpy(), atol=1e-3)
    assert mean.shape == (2, SIZES["width"])
    assert np.isneginf(log_variance).all()
    assert model.gate.item() == 0.5


def test_without_modules_there_is_no_fused_embedding(files, tmp_path, monkeypatch):
    monkeypatch.setattr(equate_method, "WEIGHTS", tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="no modules ship"):
        create("equate", weights=str(files[0])).open_space(2, None)
