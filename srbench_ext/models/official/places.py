"""Where imported weights lie, and which file a method's parameter ``weights`` means; no torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from srbench_ext.errors import WeightsError

__all__ = ["OFFICIAL", "RELEASE", "imported_folder", "imported_path", "weights_path"]

OFFICIAL: Final = "official"
"""As a method's parameter ``weights``: those of the authors, from the user's data folder."""

RELEASE: Final = "release"
"""As a method's parameter ``weights``: those that ship beside the default ones and saw more examples."""


def imported_folder() -> Path:
    """Return where imported weights go unless another folder is named: a folder of the user."""
    import platformdirs

    return Path(platformdirs.user_data_dir("srbench-ext", appauthor=False)) / "weights"


def imported_path(source: str, folder: Path | None = None) -> Path:
    """Return the file that the import of a source writes, whether it is there or not.

    Parameters
    ----------
    source : str
        Whose weights: ``e2e``, ``gensr``, ``nesymres`` or ``snip``.
    folder : Path, optional
        In place of :func:`imported_folder`.
    """
    return (folder or imported_folder()) / f"{source}-{OFFICIAL}.safetensors"


def weights_path(weights: str | None, source: str, shipped: Path) -> Path:
    """Return the file that a method's parameter ``weights`` means.

    Parameters
    ----------
    weights : str or None
        A file, :data:`OFFICIAL`, :data:`RELEASE`, or None for those that ship as the default.
    source : str
        Whose weights :data:`OFFICIAL` means.
    shipped : Path
        Beside it lies ``<stem>-release.safetensors`` where release weights ship.

    Raises
    ------
    WeightsError
        If the authors' weights were not imported, or no release weights ship.
    """
    if weights is None:
        return shipped
    if weights == RELEASE:
        path = shipped.with_name(f"{shipped.stem}-{RELEASE}{shipped.suffix}")
        if not path.is_file():
            raise WeightsError(
                f"No release weights of {source!r} ship: {path.name} is not in {path.parent}. "
                "Leave `weights` out for those that do, or give a file."
            )
        return path
    if weights != OFFICIAL:
        return Path(weights)
    path = imported_path(source)
    if not path.is_file():
        raise WeightsError(
            f"The authors' weights of {source!r} are not in {path.parent}. They do not ship: get their "
            f"checkpoint and run `srbench-ext weights import {source} FILE`, or give the file that it wrote."
        )
    return path
