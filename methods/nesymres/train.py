"""Pretraining of NeSymReS: three variables on its own corpus, or ten on the shared one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from srbench_ext.corpus import Corpus, benchmark_audit, load_mixture
from srbench_ext.errors import UnknownNameError
from srbench_ext.models.batches import BatchPlan
from srbench_ext.models.checkpoint import load_foundation, load_weights
from srbench_ext.models.foundation import Foundation
from srbench_ext.models.training import TrainingConfig, train_release

from .model import NeSymReSNet, build, load_size

__all__ = ["CONFIG", "CORPORA", "main"]

CORPORA = {"nesymres": "nesymres", "nesymres-10": "shared"}
"""The mixture that each set of weights is trained on."""

SHIPPED = Path(__file__).parent / "weights" / "nesymres-10.safetensors"
"""Weights that those for three variables start from."""

CONFIG = TrainingConfig(
    warmup_steps=200,
    plan=BatchPlan(batch_size=128, batches_per_pool=8, modes=(1.0, 0.0, 0.0)),
)
"""Skeletons alone."""


def main(
    out: Path,
    minutes: float | None = None,
    examples: int | None = None,
    resume: bool = False,
    preset: str = "nesymres",
) -> dict[str, Any]:
    """Train for ``minutes`` (default 60) or ``examples``; write ``<preset>.safetensors`` to ``out``.

    With ``examples`` all weights start at random: the controlled budget counts every example. With
    ``minutes``, ``nesymres-10`` starts from the decoder of the foundation model that ships, and
    ``nesymres`` from the ``nesymres-10`` that ships; the card names what it started from.

    Raises
    ------
    UnknownNameError
        If no weights are known by the name ``preset``.
    """
    if preset not in CORPORA:
        raise UnknownNameError("set of weights of NeSymReS", preset, CORPORA)
    if minutes is None and examples is None:
        minutes = 60.0
    start: tuple[Foundation | NeSymReSNet, dict[str, Any]] | None = None
    if examples is None:
        start = load_foundation() if preset == "nesymres-10" else load_weights(SHIPPED, build)

    def make() -> NeSymReSNet:
        net = NeSymReSNet(load_size(preset))
        if start is not None:
            net.start_from(start[0])
        return net

    corpus = Corpus(load_mixture(CORPORA[preset]), benchmark_audit())
    first = "foundation" if preset == "nesymres-10" else SHIPPED.stem
    return train_release(
        out,
        corpus,
        make,
        name=preset,
        minutes=minutes,
        examples=examples,
        resume=resume,
        taken_over=None if start is None else (first, start[1]),
        config=CONFIG,
    )
