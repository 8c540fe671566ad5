"""Sizes of a network by name: the tables of a plugin's ``sizes.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from srbench_ext.errors import UnknownNameError

__all__ = ["sizes_of"]


def sizes_of(network: str, name: str, folder: Path) -> dict[str, Any]:
    """Return one of the tables of ``sizes.toml``.

    Parameters
    ----------
    network : str
        What the sizes are of; an error says it.
    name : str
        The table.
    folder : Path
        Where the file is.

    Raises
    ------
    UnknownNameError
        If there is no table of this name.
    """
    tables: dict[str, dict[str, Any]] = tomllib.loads((folder / "sizes.toml").read_text("utf8"))
    if name not in tables:
        raise UnknownNameError(f"size of {network}", name, tables)
    return tables[name]
