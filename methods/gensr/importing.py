"""The authors' weights, and the sizes of their network."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from srbench_ext.errors import UnknownNameError
from srbench_ext.models.official.latent import LatentConfig
from srbench_ext.models.official.latent_importing import import_latent
from srbench_ext.models.official.latent_layout import GENSR

__all__ = ["import_weights", "load_size"]


def import_weights(file: Path, out: Path) -> tuple[Path, dict[str, Any]]:
    """Turn the authors' ``checkpoint.pth`` into safetensors and a card; nothing of the file is executed.

    Parameters, returns and errors are those of
    :func:`srbench_ext.models.official.latent_importing.import_latent`.
    """
    return import_latent(GENSR, file, out)


def load_size(name: str) -> LatentConfig:
    """Return one of the sizes of ``sizes.toml``.

    Raises
    ------
    UnknownNameError
        If there is none of this name.
    """
    tables = tomllib.loads(resources.files(__package__).joinpath("sizes.toml").read_text("utf8"))
    if name not in tables:
        raise UnknownNameError("size of GenSR's official network", name, tables)
    return LatentConfig.from_dict(tables[name])
