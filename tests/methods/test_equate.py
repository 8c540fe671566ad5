from __future__ import annotations

import numpy as np
import pytest
import torch

from srbench_ext.errors import InputError
from srbench_ext.methods.equate.adaptation import Adapter, Labelled, fitness_label, pad_ids, simplicity_label
from srbench_ext.methods.equate.ascent import AscentConfig, ascend
from srbench_ext.methods.equate.model import EquateModel
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.registry import create, describe
from srbench_ext.testing import MethodContract

FEW = {
    "n_bags": 2,
    "n_candidates": 8,
    "rounds": 1,
    "breeding_steps": 2,
    "n_random": 50,
    "infills": 1,
    "eval_steps": 2,
    "joint_steps": 1,
}
SMALL = FoundationConfig(
    width=16, heads=2, hidden=32, point_hidden=32, point_layers=1, decoder_layers=2, memory_length=4
)


class TestEquateContract(MethodContract):
    method_name = "equate"
    parameters = FEW


@pytest.fixture
def model():
    torch.manual_seed(0)
    return EquateModel(Foundation(SMALL).eval())


@pytest.fixture
def memory():
    return torch.randn(3, 4, 16, generator=torch.Generator().manual_seed(1))


PREFIXES = [("mul", "x0", "x1"), ("sin", "x0"), ("div", "x0", "pow2", "x1")]


def labelled(n):
    return [Labelled(PREFIXES[i % 3], 0.2 + 0.1 * (i % 7), 0.9 - 0.05 * (i % 5)) for i in range(n)]


def law(n_rows=300, seed=0):
    X = np.random.default_rng(seed).uniform(1, 3, (n_rows, 2))
    return X, X[:, 0] * np.sin(X[:, 1]) + X[:, 1] ** 2


def test_with_the_gate_at_zero_the_logits_are_the_foundation_models_bit_for_bit(model, memory):
    foundation = Foundation(SMALL).eval()
    foundation.load_state_dict(
        {
            k.replace(".base.", "."): v
            for k, v in model.foundation.state_dict().items()
            if ".up" not in k and ".down" not in k
        }
        | {
            k: v
            for k, v in model.foundation.state_dict().items()
            if k.endswith(("feed.up.weight", "feed.up.bias", "feed.down.weight", "feed.down.bias"))
        }
    )
    ids = pad_ids(model.foundation.vocabulary, PREFIXES)
    embedding = model.fuse(memory, ids)
    assert torch.equal(embedding, memory)
    expected = foundation.decode(ids, foundation.memory_keys(memory))[0]
    assert torch.equal(model.decode(embedding, ids), expected)


def test_an_open_gate_moves_the_embedding_by_the_equation(model, memory):
    torch.nn.init.constant_(model.gate, 0.5)
    ids = pad_ids(model.foundation.vocabulary, PREFIXES)
    embedding = model.fuse(memory, ids)
    same_data = model.fuse(memory[:1].expand(3, -1, -1), ids)
    assert not torch.allclose(embedding, memory)
    assert not torch.allclose(same_data[0], same_data[1])


def test_padding_of_an_equation_changes_nothing(model, memory):
    torch.nn.init.constant_(model.gate, 0.5)
    vocabulary = model.foundation.vocabulary
    alone = model.fuse(memory[1:2], pad_ids(vocabulary, PREFIXES[1:2]))
    padded = model.fuse(memory, pad_ids(vocabulary, PREFIXES))[1:2]
    torch.testing.assert_close(alone, padded)


def test_adapting_leaves_the_callers_foundation_alone(memory):
    foundation = Foundation(SMALL).eval()
    before = {k: v.clone() for k, v in foundation.state_dict().items()}
    model = EquateModel(foundation)
    adapter = Adapter(model, memory, np.random.default_rng(0))
    for _ in range(3):
        adapter.step(labelled(6), reconstruct=True)
    assert all(torch.equal(before[k], v) for k, v in foundation.state_dict().items())


def test_adaptation_trains_new_modules_and_adapters_and_nothing_else(model, memory):
    before = {k: v.clone() for k, v in model.state_dict().items()}
    adapter = Adapter(model, memory, np.random.default_rng(0))
    for _ in range(4):
        adapter.step(labelled(6), reconstruct=True)
    changed = {k for k, v in model.state_dict().items() if not torch.equal(before[k], v)}
    assert {"gate", "null"} <= changed
    assert any(k.startswith("lstm.") for k in changed)
    assert any(k.startswith("evaluator.") for k in changed)
    frozen = {k for k in changed if k.startswith("foundation.")}
    assert frozen
    assert all(".memory.q." in k or ".memory.kv." in k for k in frozen)
    assert not any(".base." in k for k in frozen)


def test_the_evaluator_learns_to_rank_the_candidates(memory):
    torch.manual_seed(0)
    model = EquateModel(Foundation(SMALL).eval())
    torch.nn.init.constant_(model.gate, 0.5)
    adapter = Adapter(
        model, memory[:1], np.random.default_rng(0), learning_rate=5e-3, alignment=0.0, noise=0.0
    )
    candidates = [Labelled(p, q, 0.5) for p, q in zip(PREFIXES, (0.1, 0.5, 0.9), strict=True)] * 2
    for _ in range(150):
        adapter.step(candidates, reconstruct=False)
    assert adapter.rank_correlation(candidates) > 0.9


def test_labels_follow_the_fit():
    assert fitness_label(1.0) == pytest.approx(1 / 6)
    assert fitness_label(0.01) == pytest.approx(0.5)
    assert fitness_label(1e-7) == pytest.approx(1.0)
    assert fitness_label(np.inf) == 0.0
    assert simplicity_label(0) == 1.0
    assert simplicity_label(40) == pytest.approx(np.exp(-1))


def test_the_ascent_stays_in_its_ball_and_raises_the_prediction(model, memory):
    torch.nn.init.constant_(model.gate, 1.0)
    vocabulary = model.foundation.vocabulary
    ids = pad_ids(vocabulary, PREFIXES)
    with torch.no_grad():
        known = model.fuse(memory, ids)
    config = AscentConfig(steps=8, snapshots=(8,), radius=0.5, directions=2, caution=0.0)
    found = ascend(model, known, known, config, torch.Generator())
    flat = known.flatten(1)
    nearest = (torch.cdist(flat, flat) + torch.diag(torch.full((3,), torch.inf))).min(1).values.median()
    away = (found - known).flatten(1).norm(dim=1)
    assert (away <= 0.5 * nearest * (1 + 1e-5)).all()
    assert (away > 0).all()
    before = model.judge(known).lower_bound(0.1, 0.0)
    after = model.judge(found).lower_bound(0.1, 0.0)
    assert (after > before).all()


def test_random_directions_are_the_gradients_control(model, memory):
    config = AscentConfig(steps=4, snapshots=(4,), random=True, directions=0, radius=0.0)
    one = ascend(model, memory, memory, config, torch.Generator().manual_seed(1))
    two = ascend(model, memory, memory, config, torch.Generator().manual_seed(2))
    assert not torch.allclose(one, two)
    size = config.steps**0.5 * config.step_size * memory.pow(2).mean().sqrt() * memory[0].numel() ** 0.5
    torch.testing.assert_close((one - memory).flatten(1).norm(dim=1), size.expand(3), rtol=0.35, atol=0.0)


def test_a_law_is_found_exactly():
    X, y = law()
    method = create("equate", max_seconds=30).fit(X, y)
    X_new, y_new = law(seed=1)
    np.testing.assert_allclose(method.predict(X_new), y_new, rtol=1e-6)


def test_the_pick_is_never_behind_the_foundation_models_on_the_archives_order():
    X, y = law()
    noisy = y + np.random.default_rng(2).normal(size=y.size)
    notes = create("equate", **FEW).fit(X, noisy).result_.notes
    assert notes["best_score"] <= notes["foundation_best_score"]


@pytest.mark.parametrize("preset", sorted(describe("equate").presets))
def test_every_preset_fits(preset):
    X, y = law(100)
    parameters = {**FEW, "max_seconds": 2, **describe("equate").presets[preset]}
    method = create("equate", **parameters).fit(X, y)
    assert np.isfinite(method.predict(X)).all()


def test_a_fitted_method_does_not_carry_the_archive():
    X, y = law(100)
    method = create("equate", **FEW).fit(X, y)
    assert "_archive" not in method.__getstate__()


def test_an_unknown_direction_is_refused_by_name():
    X, y = law(60)
    with pytest.raises(InputError, match=r"'direction' parameter of Equate .* Got 'up'"):
        create("equate", direction="up").fit(X, y)


def test_a_search_without_patience_ends_with_its_first_round():
    X, y = law()
    noisy = y + np.random.default_rng(2).normal(size=y.size)
    hasty = create("equate", **{**FEW, "rounds": 50, "max_seconds": 300.0, "patience": 0.0}).fit(X, noisy)
    assert hasty.result_.counts["rounds"] <= 1
