"""GenSR: encode the table, then search around it for the latent point that decodes to its formula."""

from __future__ import annotations

from pathlib import Path

from srbench_ext.latent.method import LatentMethod

from .model import build

__all__ = ["WEIGHTS", "GenSR"]

WEIGHTS = Path(__file__).parent / "weights" / "gensr.safetensors"
"""The weights that ship."""


class GenSR(LatentMethod):
    """Conditional variational autoencoder of formulas with a search of its latent space.

    The parameters are those of :class:`srbench_ext.latent.method.LatentMethod`.
    """

    name = "gensr"
    version = "1"
    shipped = WEIGHTS
    build = staticmethod(build)
