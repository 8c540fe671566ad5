"""Pretraining of SNIP's network on the shared corpus: contrast and decoding in one pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from srbench_ext.corpus import Corpus, benchmark_audit, load_mixture
from srbench_ext.models.batches import BatchPlan, Pools
from srbench_ext.models.checkpoint import load_foundation
from srbench_ext.models.foundation import Foundation
from srbench_ext.models.training import TrainingConfig, train_release

from .model import SNIPConfig, SNIPNet

__all__ = ["CONFIG", "config_like", "main"]

START = BatchPlan(batch_size=128, batches_per_pool=8, modes=(1.0, 0.0, 0.0), many_share=0.0)
START_SEED = 990_004
"""Examples whose memories' principal components span the first latent space."""

CONFIG = TrainingConfig(
    warmup_steps=200, plan=BatchPlan(batch_size=128, batches_per_pool=16, modes=(1.0, 0.0, 0.0))
)
"""Skeletons alone; batches large enough for contrast, which learns from the wrong answers in them."""


SIZES = SNIPConfig(statistics_length=4, latent=128, slots=20, slot_layers=1, normalised=True, joint=True)
"""Of a network that starts at random: with statistics of the table, as the foundation model has them."""


def config_like(foundation: Foundation) -> SNIPConfig:
    """Return the sizes of a network that can start from a foundation model."""
    sizes = foundation.config.to_dict()
    return replace(SIZES, **sizes, slots=sizes["memory_length"] + sizes["statistics_length"])


def main(
    out: Path, minutes: float | None = None, examples: int | None = None, resume: bool = False
) -> dict[str, Any]:
    """Train for ``minutes`` (default 120) or ``examples``; write ``snip.safetensors`` to ``out``.

    With ``examples`` all weights start at random: the controlled budget counts every example. With
    ``minutes`` numeric encoder and decoder start from the foundation model that ships; the card names it.
    """
    if minutes is None and examples is None:
        minutes = 120.0
    start = load_foundation() if examples is None else None
    corpus = Corpus(load_mixture(), benchmark_audit())

    def build() -> SNIPNet:
        if start is None:
            return SNIPNet(SIZES)
        net = SNIPNet(config_like(start[0]))
        pools = Pools(corpus, START, net.encoder(), START_SEED, 0)
        features = [torch.from_numpy(batch.features) for batch in pools.pool(0).batches]
        net.start_from(start[0], torch.cat(features))
        return net

    return train_release(
        out,
        corpus,
        build,
        name="snip",
        minutes=minutes,
        examples=examples,
        resume=resume,
        taken_over=None if start is None else ("foundation", start[1]),
        config=CONFIG,
    )
