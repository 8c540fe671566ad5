"""The authors' weights for symbolic regression."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from srbench_ext.models.official.latent_importing import import_latent
from srbench_ext.models.official.latent_layout import SNIP

__all__ = ["import_weights"]


def import_weights(file: Path, out: Path) -> tuple[Path, dict[str, Any]]:
    """Turn the authors' ``snip-e2e-sr.pth`` into safetensors and a card; nothing of the file is executed.

    Parameters, returns and errors are those of
    :func:`srbench_ext.models.official.latent_importing.import_latent`. The files of the contrastive
    pretraining alone have no decoder for a latent point, and are refused with the name of the one that has.
    """
    return import_latent(SNIP, file, out)
