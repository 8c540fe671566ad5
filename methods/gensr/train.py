"""Pretraining of GenSR's network on the shared corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from srbench_ext.corpus import Corpus, benchmark_audit, load_mixture
from srbench_ext.models.batches import BatchPlan, Pools
from srbench_ext.models.checkpoint import load_foundation
from srbench_ext.models.training import TrainingConfig, train_release

from .health import add_to_card
from .model import GenSRConfig, GenSRNet

__all__ = ["main"]

START = BatchPlan(batch_size=128, batches_per_pool=8, modes=(1.0, 0.0, 0.0), many_share=0.0)
START_SEED = 990_004
"""Examples whose memories' principal components span the first latent space."""

SIZES = GenSRConfig(
    statistics_length=4,
    latent=128,
    slots=20,
    slot_layers=1,
    formula_queries=4,
    prior_samples=1,
    free_nats=0.02,
)
"""Of the weights trained from now on."""

CONFIG = TrainingConfig(
    warmup_steps=200, plan=BatchPlan(batch_size=128, batches_per_pool=16, modes=(1.0, 0.0, 0.0))
)
"""Skeletons alone; a large batch spreads the optimisers' own time, and large pools leave fewer pads."""


def main(
    out: Path, minutes: float | None = None, examples: int | None = None, resume: bool = False
) -> dict[str, Any]:
    """Train for ``minutes`` (default 120) or ``examples``; write ``gensr.safetensors`` to ``out``.

    The card gets the figures of :mod:`.health`.

    With ``examples`` all weights start at random: the controlled budget counts every example. With
    ``minutes`` encoder and decoder start from the foundation model that ships; the card names it.
    """
    if minutes is None and examples is None:
        minutes = 120.0
    start = load_foundation() if examples is None else None
    corpus = Corpus(load_mixture(), benchmark_audit())

    def build() -> GenSRNet:
        net = GenSRNet(SIZES)
        if start is not None:
            foundation, pools = start[0], Pools(corpus, START, net.encoder(), START_SEED, 0)
            features = [torch.from_numpy(batch.features) for batch in pools.pool(0).batches]
            net.start_from(foundation, torch.cat(features))
        return net

    train_release(
        out,
        corpus,
        build,
        name="gensr",
        minutes=minutes,
        examples=examples,
        resume=resume,
        taken_over=None if start is None else ("foundation", start[1]),
        config=CONFIG,
    )
    return add_to_card(out / "gensr.safetensors", corpus)
