"""Pretraining of the foundation model on the shared corpus."""

from __future__ import annotations

from pathlib import Path

from srbench_ext.corpus import Corpus, benchmark_audit, load_mixture
from srbench_ext.models.training import train_release

__all__ = ["main"]


def main(out: Path, minutes: float | None = None, resume: bool = False) -> None:
    """Train for ``minutes`` (default 120); write ``foundation.safetensors`` and its card to ``out``."""
    corpus = Corpus(load_mixture(), benchmark_audit())
    train_release(out, corpus, minutes=120.0 if minutes is None else minutes, resume=resume)
