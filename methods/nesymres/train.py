"""Pretraining of NeSymReS: three variables on its own corpus, or ten on the shared one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from srbench_ext.corpus import Corpus, benchmark_audit, load_mixture
from srbench_ext.errors import UnknownNameError
from srbench_ext.models.batches import BatchPlan
from srbench_ext.models.training import TrainingConfig, train_release

from .model import NeSymReSNet, load_size

__all__ = ["CONFIG", "CORPORA", "main"]

CORPORA = {"nesymres": "nesymres", "nesymres-10": "shared"}
"""The mixture that each set of weights is trained on."""

CONFIG = TrainingConfig(
    warmup_steps=300,
    plan=BatchPlan(batch_size=64, batches_per_pool=16, modes=(1.0, 0.0, 0.0)),
)
"""Small batches: with a short training the number of steps counts."""


def main(
    out: Path,
    minutes: float | None = None,
    examples: int | None = None,
    resume: bool = False,
    preset: str = "nesymres",
) -> dict[str, Any]:
    """Train for ``minutes`` (default 60) or ``examples``; write ``<preset>.safetensors`` to ``out``.

    Raises
    ------
    UnknownNameError
        If no weights are known by the name ``preset``.
    """
    if preset not in CORPORA:
        raise UnknownNameError("set of weights of NeSymReS", preset, CORPORA)
    if minutes is None and examples is None:
        minutes = 60.0
    corpus = Corpus(load_mixture(CORPORA[preset]), benchmark_audit())
    return train_release(
        out,
        corpus,
        lambda: NeSymReSNet(load_size(preset)),
        name=preset,
        minutes=minutes,
        examples=examples,
        resume=resume,
        config=CONFIG,
    )
