"""The pretrained modules: whether they belong to a foundation model, and loading them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from srbench_ext.errors import WeightsError
from srbench_ext.models.checkpoint import load_into, read_card
from srbench_ext.models.foundation import Foundation

from .model import EquateModel
from .repairer import RepairConfig, Repairer

__all__ = ["WEIGHTS", "load_modules", "modules_card"]

WEIGHTS = Path(__file__).parent / "weights" / "equate.safetensors"
"""The modules that ship, where there are any."""


def modules_card(path: Path, foundation_sha256: str) -> dict[str, Any]:
    """Return the card of pretrained modules, having checked that they belong to a foundation model.

    Parameters
    ----------
    path : Path
        What ``srbench-ext train equate`` wrote.
    foundation_sha256 : str
        Of the foundation weights in use.

    Raises
    ------
    WeightsError
        If there are none, the file was altered, or they were trained on another foundation model.
    """
    card = read_card(path)
    trained_on = str(card.get("foundation", {}).get("sha256"))
    if trained_on != foundation_sha256:
        raise WeightsError(
            f"The modules {path.name} were trained on the foundation model {trained_on[:16]}…, the one in "
            f"use is {foundation_sha256[:16]}…. Train them on it: srbench-ext train equate --out runs/equate"
        )
    return card


@lru_cache(maxsize=2)
def load_modules(path: Path, foundation: Foundation, foundation_sha256: str) -> EquateModel:
    """Return a foundation model with its pretrained modules, frozen; loaded once a process.

    Raises
    ------
    WeightsError
        As :func:`modules_card`, and if names or shapes do not fit.
    """
    card = modules_card(path, foundation_sha256)
    config = RepairConfig.from_dict(card["model"])
    assert isinstance(config, RepairConfig)
    repairer = Repairer(config, foundation)
    load_into(repairer, path)
    return repairer.equate.eval().requires_grad_(False)
