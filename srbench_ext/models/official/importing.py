"""Checkpoints of others become safetensors and a card; later loads need no pickle.

The numbers keep the precision of the file. Nothing is shipped: the user has the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from safetensors.torch import load_file

from srbench_ext.errors import UnknownNameError, WeightsError
from srbench_ext.expression import Expression
from srbench_ext.models.checkpoint import file_sha256, read_card, write_card
from srbench_ext.models.official.e2e import E2EConfig, OfficialE2E
from srbench_ext.models.official.e2e_layout import TIED, read_e2e
from srbench_ext.models.official.e2e_proposals import propose
from srbench_ext.models.official.e2e_words import words_sha256
from srbench_ext.models.official.latent import OfficialLatent
from srbench_ext.models.official.places import imported_path

__all__ = [
    "E2E_LAYOUT",
    "SOURCES",
    "fill_tied",
    "import_weights",
    "is_official_e2e",
    "load_e2e",
    "official_card",
    "self_test",
    "write_imported",
]

E2E_LAYOUT: Final = "e2e-official"
SOURCES: Final = ("e2e",)
"""Whose checkpoints can be imported."""


def import_weights(source: str, file: Path, out: Path) -> tuple[Path, dict[str, Any]]:
    """Turn a checkpoint of others into safetensors and a card.

    Parameters
    ----------
    source : {"e2e"}
        Whose it is.
    file : Path
        The checkpoint; it is only read.
    out : Path
        The folder to write to.

    Returns
    -------
    path : Path
        ``<source>-official.safetensors`` in ``out``; the card stands beside it.
    card : dict
        ``layout``, ``track``, ``model`` (sizes), ``parameters``, ``vocabulary_sha256``, ``words_checked``,
        ``settings``, ``source``, ``self_test`` (a formula, None if there was none), ``self_test_target``,
        ``sha256``, ``bytes``.

    Raises
    ------
    UnknownNameError
        For another source.
    CheckpointError
        If the file is not such a checkpoint; nothing is written then.
    """
    if source not in SOURCES:
        raise UnknownNameError("source of weights", source, SOURCES)
    checkpoint = read_e2e(file)
    state = checkpoint.state()
    card: dict[str, Any] = {
        "layout": E2E_LAYOUT,
        "track": "official",
        "model": checkpoint.config.to_dict(),
        "vocabulary_sha256": words_sha256(),
        "words_checked": checkpoint.words_checked,
        "settings": checkpoint.settings,
        "self_test_target": "cos(2 pi x0) + x1²",
    }
    path = imported_path(source, out)
    return path, write_imported(
        path,
        state,
        card,
        file,
        checkpoint.archive.format,
        lambda partial: {"self_test": _tested(checkpoint.config, partial)},
    )


def write_imported(
    path: Path,
    state: Mapping[str, NDArray[np.float32]],
    card: Mapping[str, Any],
    file: Path,
    file_format: str,
    tested: Callable[[Path], Mapping[str, Any]],
) -> dict[str, Any]:
    """Write imported weights and their card; nothing is left where the test raises.

    Parameters
    ----------
    path : Path
        What to write, ending in ``.safetensors``; the card goes beside it.
    state : mapping of str to ndarray
        The numbers by name.
    card : mapping
        What is known; ``parameters``, ``dtype``, ``source``, ``sha256`` and ``bytes`` are added.
    file : Path
        The checkpoint.
    file_format : str
        Its container.
    tested : callable
        Gets the weights as written and returns what the card is to say of them, such as ``self_test``.

    Returns
    -------
    dict
        The card as written.
    """
    whole = {
        **card,
        "parameters": sum(value.size for value in state.values()),
        "dtype": "float32",
        "source": {
            "file": file.name,
            "format": file_format,
            "sha256": file_sha256(file),
            "bytes": file.stat().st_size,
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        save_file(dict(state), partial)
        whole |= tested(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    whole |= {"sha256": file_sha256(path), "bytes": path.stat().st_size}
    write_card(path, whole)
    return whole


def is_official_e2e(card: dict[str, Any]) -> bool:
    """Return whether a card is that of E2E's official network, which :func:`load_e2e` loads."""
    return card.get("layout") == E2E_LAYOUT


def official_card(path: Path, layouts: Sequence[str], command: str) -> dict[str, Any]:
    """Return the card of an imported network with E2E's words.

    Parameters
    ----------
    path : Path
        What an import wrote.
    layouts : sequence of str
        What the network can be.
    command : str
        What makes such a file, for the message.

    Raises
    ------
    WeightsError
        If a file is missing or altered, is of another layout, or was imported with other words.
    """
    card = read_card(path)
    if card.get("layout") not in layouts:
        allowed = repr(layouts[0]) if len(layouts) == 1 else f"one of {', '.join(layouts)}"
        raise WeightsError(
            f"The card of {path.name} names the layout {card.get('layout')!r}, not {allowed}. "
            f"Make such a file with `{command}`."
        )
    if card.get("vocabulary_sha256") != words_sha256():
        raise WeightsError(
            f"Weights {path.name} were imported with other words. Import the checkpoint again."
        )
    return card


@lru_cache(maxsize=1)
def load_e2e(path: Path) -> tuple[OfficialE2E, dict[str, Any]]:
    """Return E2E's official network in evaluation mode, frozen, and its card; loaded once a process.

    Parameters
    ----------
    path : Path
        What :func:`import_weights` wrote.

    Raises
    ------
    WeightsError
        If a file is missing or altered, is of another layout, or does not fit the network or the words.
    """
    card = official_card(path, (E2E_LAYOUT,), command="srbench-ext weights import e2e FILE")
    return _build(E2EConfig.from_dict(card["model"]), path), card


def _build(config: E2EConfig, path: Path) -> OfficialE2E:
    model = OfficialE2E(config)
    fill_tied(model, path)
    return model


def fill_tied(model: OfficialE2E | OfficialLatent, path: Path) -> None:
    """Give an official network, whose output matrix is its embedding, the numbers of a file; freeze it.

    Parameters
    ----------
    model : OfficialE2E or OfficialLatent
        May be on torch's meta device: every number comes from the file.
    path : Path
        What an import wrote.

    Raises
    ------
    WeightsError
        If a name or a shape differs.
    """
    state = load_file(path)
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items() if name != TIED[0]}
    faults = sorted(
        name for name in wanted.keys() | state.keys()
        if name not in state or tuple(state[name].shape) != wanted.get(name)
    )  # fmt: skip
    if faults:
        raise WeightsError(
            f"Weights {path.name} do not fit the sizes on their card at {faults[:3]}. "
            "Import the checkpoint again."
        )
    model.load_state_dict({**state, TIED[0]: state[TIED[1]]}, strict=True, assign=True)
    model.tie()
    model.eval().requires_grad_(False)


def self_test(model: OfficialE2E) -> Expression | None:
    """Return the greedy formula for 200 points of cos(2 pi x0) + x1², None if the words are no formula.

    Trained weights give a formula; weights that are read wrongly give, as a rule, none.
    """
    X = np.random.default_rng(0).normal(size=(200, 2))
    y = np.cos(2.0 * np.pi * X[:, 0]) + X[:, 1] ** 2
    found = propose(model, X, y, np.random.default_rng(0), n_bags=1, n_candidates=0)
    return found[0] if found else None


def _tested(config: E2EConfig, path: Path) -> str | None:
    expression = self_test(_build(config, path))
    return None if expression is None else str(expression)
