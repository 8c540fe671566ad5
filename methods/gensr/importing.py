"""The authors' weights, and the sizes of their network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from srbench_ext.models.official.latent import LatentConfig
from srbench_ext.models.official.latent_importing import import_latent
from srbench_ext.models.official.latent_layout import GENSR
from srbench_ext.models.sizes import sizes_of

__all__ = ["import_weights", "load_size"]


def import_weights(file: Path, out: Path) -> tuple[Path, dict[str, Any]]:
    """Turn the authors' ``checkpoint.pth`` into safetensors and a card; nothing of the file is executed.

    Parameters, returns and errors are those of
    :func:`srbench_ext.models.official.latent_importing.import_latent`.
    """
    return import_latent(GENSR, file, out)


def load_size(name: str) -> LatentConfig:
    """Return one of the sizes of ``sizes.toml``; an unknown one is an ``UnknownNameError``."""
    return LatentConfig.from_dict(sizes_of("GenSR's official network", name, Path(__file__).parent))
