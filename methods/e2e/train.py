"""Pretraining of the foundation model on the shared corpus."""

from __future__ import annotations

from pathlib import Path

from srbench_ext.corpus import Corpus, benchmark_audit, load_mixture
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.training import train_release

__all__ = ["main"]


def main(
    out: Path,
    minutes: float | None = None,
    examples: int | None = None,
    resume: bool = False,
    start: Path | None = None,
) -> None:
    """Train for ``minutes`` (default 120) or ``examples``; write ``foundation.safetensors`` to ``out``.

    With ``start`` it begins with those weights, and ``examples`` counts what they have seen.
    """
    if minutes is None and examples is None:
        minutes = 120.0
    corpus = Corpus(load_mixture(), benchmark_audit())
    train_release(
        out,
        corpus,
        lambda: Foundation(FoundationConfig(statistics_length=4)),
        name="foundation",
        minutes=minutes,
        examples=examples,
        resume=resume,
        start=start,
    )
