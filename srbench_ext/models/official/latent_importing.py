"""GenSR's and SNIP's checkpoints become safetensors and a card; later loads need no pickle."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from srbench_ext.models.official.e2e_words import words_sha256
from srbench_ext.models.official.importing import fill_tied, official_card, write_imported
from srbench_ext.models.official.latent import LatentConfig, OfficialLatent
from srbench_ext.models.official.latent_layout import GENSR, SNIP, Layout, read_latent
from srbench_ext.models.official.latent_space import OfficialSpace
from srbench_ext.models.official.places import imported_path
from srbench_ext.models.precision import one_thread
from srbench_ext.search.form import expression_of

__all__ = ["import_latent", "is_official_latent", "load_latent", "self_test"]

_NAMES = tuple(layout.name for layout in (GENSR, SNIP))


def import_latent(layout: Layout, file: Path, out: Path) -> tuple[Path, dict[str, Any]]:
    """Turn a checkpoint of GenSR's or SNIP's authors into safetensors and a card; nothing of it is executed.

    Parameters
    ----------
    layout : Layout
    file : Path
        The checkpoint; it is only read.
    out : Path
        The folder to write to.

    Returns
    -------
    path : Path
        ``<source>-official.safetensors`` in ``out``; the card stands beside it.
    card : dict
        ``layout``, ``track``, ``model`` (sizes), ``parameters``, ``dtype``, ``vocabulary_sha256``,
        ``words_checked``, ``settings``, ``source``, ``self_test`` (a formula, None if there was none),
        ``self_test_target``, ``sha256``, ``bytes``.

    Raises
    ------
    CheckpointError
        If the file is not such a checkpoint; nothing is written then.
    """
    checkpoint = read_latent(file, layout)
    state = checkpoint.state()
    config = checkpoint.config
    card: dict[str, Any] = {
        "layout": layout.name,
        "track": "official",
        "model": config.to_dict(),
        "vocabulary_sha256": words_sha256(),
        "words_checked": False,  # the file has none, only their number
        "settings": checkpoint.settings,
        "self_test_target": "cos(2 pi x0) + x1²",
    }
    path = imported_path(layout.source, out)
    return path, write_imported(
        path,
        state,
        card,
        file,
        checkpoint.archive.format,
        lambda partial: {"self_test": self_test(_build(config, partial))},
    )


def is_official_latent(card: dict[str, Any]) -> bool:
    """Return whether a card is that of an official network with a latent space."""
    return card.get("layout") in _NAMES


@lru_cache(maxsize=1)
def load_latent(path: Path) -> tuple[OfficialLatent, dict[str, Any]]:
    """Return an official network in evaluation mode, frozen, and its card; loaded once a process.

    Parameters
    ----------
    path : Path
        What :func:`import_latent` wrote.

    Raises
    ------
    WeightsError
        If a file is missing or altered, is of another layout, or does not fit the network or the words.
    """
    card = official_card(path, _NAMES, command="srbench-ext weights import")
    return _build(LatentConfig.from_dict(card["model"]), path), card


def _build(config: LatentConfig, path: Path) -> OfficialLatent:
    with torch.device("meta"):  # every number comes from the file
        model = OfficialLatent(config)
    fill_tied(model, path)
    return model


def self_test(model: OfficialLatent) -> str | None:
    """Return the greedy formula for 200 points of cos(2 pi x0) + x1², None if the words are no formula.

    It is decoded from the mean of the table's latent point. Trained weights give a formula; weights that are
    read wrongly give, as a rule, none.
    """
    X = np.random.default_rng(0).normal(size=(200, 2))
    y = np.cos(2.0 * np.pi * X[:, 0]) + X[:, 1] ** 2
    space = OfficialSpace(model, 2, np.random.default_rng(0), columns=X)
    with one_thread():
        (found,) = space.decode(space.encode([(X, y)])[0])
    return str(expression_of(found[0])) if found else None
