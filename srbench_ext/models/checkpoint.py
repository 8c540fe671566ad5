"""Weights that ship: safetensors in float16 beside a JSON card, loaded strictly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from srbench_ext.errors import WeightsError
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.pretrained import Pretrained

__all__ = [
    "FOUNDATION_WEIGHTS",
    "check_vocabulary",
    "file_sha256",
    "load_foundation",
    "load_into",
    "load_weights",
    "read_card",
    "save_weights",
    "write_card",
]

Network = TypeVar("Network", bound=Pretrained)

FOUNDATION_WEIGHTS = Path(__file__).parent / "weights" / "foundation.safetensors"
"""The foundation weights that ship with the package."""


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def save_weights(module: nn.Module, path: Path, card: dict[str, Any]) -> dict[str, Any]:
    """Write weights in float16 and their card beside them.

    Parameters
    ----------
    module : torch.nn.Module
    path : Path
        Ends in ``.safetensors``; the card is written to the same name with ``.json``.
    card : dict
        What is known of the weights; the file's sha256 is added.

    Returns
    -------
    dict
        The card as written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        key: value.detach().to("cpu", torch.float16).contiguous()
        for key, value in module.state_dict().items()
    }
    partial = path.with_suffix(".partial")
    save_file(state, partial)
    partial.replace(path)
    card = {**card, "sha256": file_sha256(path), "bytes": path.stat().st_size}
    write_card(path, card)
    return card


def write_card(path: Path, card: dict[str, Any]) -> None:
    """Write the card of a weights file beside it."""
    path.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n", "utf8")


def read_card(path: Path) -> dict[str, Any]:
    """Return the card of a weights file after checking the file's hash."""
    card_path = path.with_suffix(".json")
    if not path.is_file() or not card_path.is_file():
        raise WeightsError(
            f"Weights {path.name} and their card {card_path.name} are needed in {path.parent}; "
            "not both are there. Train them with `srbench-ext train` or restore the files."
        )
    try:
        card: dict[str, Any] = json.loads(card_path.read_text("utf8"))
    except json.JSONDecodeError as error:
        raise WeightsError(f"The card {card_path} is not JSON ({error}). Restore the file.") from error
    found = file_sha256(path)
    if found != card.get("sha256"):
        raise WeightsError(
            f"Weights {path.name} have sha256 {found[:16]}…, their card {str(card.get('sha256'))[:16]}…. "
            "The file was altered or belongs to another card; restore both."
        )
    return card


def check_vocabulary(path: Path, card: dict[str, Any], model: Pretrained) -> None:
    """Raise a ``WeightsError`` if a card names another vocabulary than the network's."""
    if card.get("vocabulary_sha256") != model.vocabulary.sha256:
        raise WeightsError(
            f"Weights {path.name} were trained with another vocabulary "
            f"({str(card.get('vocabulary_sha256'))[:16]}…, this version has {model.vocabulary.sha256[:16]}…)."
        )


def load_into(module: nn.Module, path: Path) -> None:
    """Load float16 weights into a float32 module; every key and shape must match."""
    state = {key: value.to(torch.float32) for key, value in load_file(path).items()}
    wanted = module.state_dict()
    missing, surplus = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    shapes = sorted(k for k in wanted.keys() & state.keys() if wanted[k].shape != state[k].shape)
    if missing or surplus or shapes:
        raise WeightsError(
            f"Weights {path.name} do not fit the model: missing {missing[:3]}, not known {surplus[:3]}, "
            f"other shape {shapes[:3]}. Use the weights of this version."
        )
    module.load_state_dict(state, strict=True)


@lru_cache(maxsize=4)
def load_weights(path: Path, build: Callable[[dict[str, Any]], Network]) -> tuple[Network, dict[str, Any]]:
    """Return the network of a weights file in evaluation mode, frozen, and its card; loaded once a process.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file with its card beside it.
    build : callable
        Makes the network from the card's ``model`` entry; a function of a module, not a lambda, so that
        the file is read once.

    Raises
    ------
    WeightsError
        If a file is missing or altered, or the weights do not fit the network or the vocabulary.
    """
    card = read_card(path)
    model = build(card["model"])
    check_vocabulary(path, card, model)
    load_into(model, path)
    model.eval().requires_grad_(False)
    return model, card


def load_foundation(path: Path = FOUNDATION_WEIGHTS) -> tuple[Foundation, dict[str, Any]]:
    """Return a foundation model in evaluation mode, frozen, and its card; loaded once a process."""
    return load_weights(path, _foundation)


def _foundation(config: dict[str, Any]) -> Foundation:
    return Foundation(FoundationConfig.from_dict(config))
