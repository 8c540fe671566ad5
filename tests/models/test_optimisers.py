from __future__ import annotations

import pytest
import torch

from srbench_ext.models.foundation import Foundation
from srbench_ext.models.optimisers import make_optimisers, set_rate

from .tiny import CONFIG


def names_of(model, optimiser):
    known = {id(parameter): name for name, parameter in model.named_parameters()}
    return {known[id(p)] for group in optimiser.param_groups for p in group["params"]}


def test_muon_gets_the_matrices_of_the_blocks_and_adamw_the_rest():
    model = Foundation(CONFIG)
    adamw, muon = make_optimisers(model, weight_decay=0.05, matrix_rate=3.0)
    matrices, rest = names_of(model, muon), names_of(model, adamw)
    assert not matrices & rest
    assert matrices | rest == {name for name, _ in model.named_parameters()}
    assert {"blocks.0.own.kv.weight", "pool.memory.q.weight", "point_blocks.0.feed.up.weight"} <= matrices
    assert {"tokens.weight", "positions", "queries", "point_in.0.weight", "blocks.0.own.q.bias"} <= rest


def test_without_a_rate_of_its_own_nothing_is_left_to_muon():
    (adamw,) = make_optimisers(Foundation(CONFIG), weight_decay=0.05, matrix_rate=0.0)
    assert isinstance(adamw, torch.optim.AdamW)


def test_frozen_weights_are_left_out():
    model = Foundation(CONFIG)
    model.blocks.requires_grad_(False)
    for optimiser in make_optimisers(model, weight_decay=0.05, matrix_rate=3.0):
        assert not any(name.startswith("blocks.") for name in names_of(model, optimiser))


def test_biases_and_gains_do_not_decay():
    adamw, _ = make_optimisers(Foundation(CONFIG), weight_decay=0.05, matrix_rate=3.0)
    assert [group["weight_decay"] for group in adamw.param_groups] == [0.05, 0.0]
    assert all(p.ndim < 2 for p in adamw.param_groups[1]["params"])


def test_the_rate_of_the_matrices_is_a_multiple():
    optimisers = make_optimisers(Foundation(CONFIG), weight_decay=0.05, matrix_rate=3.0)
    set_rate(optimisers, 1e-3)
    assert [group["lr"] for o in optimisers for group in o.param_groups] == pytest.approx([1e-3, 1e-3, 3e-3])
