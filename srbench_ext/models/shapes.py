"""Whether a weights file fits a network: names, shapes, number format, words; nothing is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.official.e2e import E2EConfig
from srbench_ext.models.official.e2e_layout import expected_shapes
from srbench_ext.models.official.e2e_words import words_sha256
from srbench_ext.models.official.importing import is_official_e2e
from srbench_ext.models.official.latent import LatentConfig
from srbench_ext.models.official.latent_importing import is_official_latent
from srbench_ext.models.official.latent_layout import expected_shapes as latent_shapes
from srbench_ext.models.pretrained import Pretrained

__all__ = ["misfits"]

Shapes = Mapping[str, tuple[int, ...]]


def misfits(
    path: Path, card: dict[str, Any], build: Callable[[dict[str, Any]], Pretrained] | None
) -> list[str]:
    """Return what does not fit, one sentence each.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file.
    card : dict
        Its card.
    build : callable or None
        Makes the network from the card's ``model``; None for the foundation model. An official network is
        known by its card.
    """
    try:
        found, dtypes = _header(path)
    except SafetensorError as error:
        return [f"The file is not safetensors: {error}."]
    if is_official_e2e(card):
        wanted: Shapes = expected_shapes(E2EConfig.from_dict(card["model"]))
        words, dtype = words_sha256(), "F32"
    elif is_official_latent(card):
        wanted = latent_shapes(LatentConfig.from_dict(card["model"]))
        words, dtype = words_sha256(), "F32"
    else:
        model = (
            Foundation(FoundationConfig.from_dict(card["model"])) if build is None else build(card["model"])
        )
        wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        words, dtype = model.vocabulary.sha256, "F32" if card.get("dtype") == "float32" else "F16"
    faults = _compare(found, wanted)
    if dtypes != {dtype}:
        faults.append(f"Numbers are {sorted(dtypes)}; they have to be {dtype}.")
    if card.get("vocabulary_sha256") != words:
        faults.append("The vocabulary on the card is not the one of this version.")
    return faults


def _header(path: Path) -> tuple[Shapes, set[str]]:
    with safe_open(path, framework="numpy") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118, the file is no mapping
        shapes = {name: tuple(each.get_shape()) for name, each in slices.items()}
        return shapes, {str(each.get_dtype()) for each in slices.values()}


def _compare(found: Shapes, wanted: Shapes) -> list[str]:
    lists = {
        "Missing": sorted(wanted.keys() - found.keys()),
        "Not known": sorted(found.keys() - wanted.keys()),
        "Of another shape": sorted(k for k in wanted.keys() & found.keys() if wanted[k] != found[k]),
    }
    return [
        f"{kind}: {len(names)} of {len(wanted)} tensors, for instance {names[0]}."
        for kind, names in lists.items()
        if names
    ]
