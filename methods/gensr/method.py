"""GenSR: encode the table, then search around it for the latent point that decodes to its formula."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from srbench_ext.corpus import Corpus, benchmark_audit, load_mixture
from srbench_ext.latent.method import LatentMethod
from srbench_ext.models.checkpoint import load_weights, read_card
from srbench_ext.models.official.latent_importing import is_official_latent

from .model import build

__all__ = ["WEIGHTS", "GenSR"]

WEIGHTS = Path(__file__).parent / "weights" / "gensr.safetensors"
"""The weights that ship."""


class GenSR(LatentMethod):
    """Conditional variational autoencoder of formulas with a search of its latent space.

    The parameters are those of :class:`srbench_ext.latent.method.LatentMethod`.
    """

    name = "gensr"
    version = "4"
    shipped = WEIGHTS
    build = staticmethod(build)

    def health(self, n_examples: int) -> dict[str, Any]:
        """Return the figures of :class:`srbench_ext.methods.gensr.health.Health` for these weights.

        For those of the authors there are none: their posterior is imported but not run.
        """
        from .health import measure  # which imports this module

        if is_official_latent(read_card(self._weights_path)):
            return {}
        net, _ = load_weights(self._weights_path, build)
        return asdict(measure(net, Corpus(load_mixture(), benchmark_audit()), n_examples))
