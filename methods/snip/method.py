"""SNIP: encode the table, then search around it for the latent point that decodes to its formula."""

from __future__ import annotations

from pathlib import Path

from srbench_ext.latent.method import LatentMethod

from .model import build

__all__ = ["SNIP", "WEIGHTS"]

WEIGHTS = Path(__file__).parent / "weights" / "snip.safetensors"
"""Where trained weights belong."""


class SNIP(LatentMethod):
    """Contrastive latent space of tables and formulas with a search in it.

    The parameters are those of :class:`srbench_ext.latent.method.LatentMethod`; the registered method
    searches with grey wolves (``method.toml``).
    """

    name = "snip"
    version = "4"
    shipped = WEIGHTS
    build = staticmethod(build)
