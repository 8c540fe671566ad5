"""A network and a corpus small enough for tests."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from srbench_ext.corpus import Audit, Corpus, load_mixture
from srbench_ext.models.batches import BatchPlan
from srbench_ext.models.encoders import POINT_FEATURES
from srbench_ext.models.foundation import Foundation, FoundationConfig

CONFIG = FoundationConfig(
    width=16,
    heads=2,
    hidden=16,
    point_hidden=16,
    point_layers=1,
    memory_layers=1,
    decoder_layers=2,
    memory_length=3,
    max_length=112,
)
PLAN = BatchPlan(batch_size=4, batches_per_pool=3, few_points=(5, 8), many_points=(10, 12))


def tiny_foundation(seed: int = 0, *, spread: float = 20.0) -> Foundation:
    """Return a random network whose next-token distributions are far from uniform."""
    torch.manual_seed(seed)
    model = Foundation(CONFIG)
    with torch.no_grad():
        model.tokens.weight.mul_(spread)
        model.positions.mul_(spread)
        model.bias.normal_()
    return model


def tiny_corpus() -> Corpus:
    mixture = load_mixture()
    return Corpus(dataclasses.replace(mixture, limits={**mixture.limits, "max_tokens": 16}), Audit([]))


def points(n_rows: int = 2, n_points: int = 7, seed: int = 1) -> Tensor:
    return torch.randn(n_rows, n_points, POINT_FEATURES, generator=torch.Generator().manual_seed(seed))
