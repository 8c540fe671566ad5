"""The weights that ship and those the user imported: what their cards say, and checking them."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from srbench_ext.errors import SrbenchError, UnknownNameError, WeightsError
from srbench_ext.models.official.places import imported_folder

__all__ = [
    "WeightsFile",
    "check_weights",
    "describe_weights",
    "import_sources",
    "import_weights",
    "imported_folder",
    "weights_files",
]

_CONTROLLED_EXAMPLES = 1_000_000
_METHODS = "srbench_ext.methods"


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A weights file.

    Attributes
    ----------
    name : str
        Of the file; those of a method stand behind the method's name, as in ``gensr/gensr``.
    path : Path
        The ``.safetensors`` file.
    origin : {"shipped", "imported"}
    method : str or None
        The method whose folder it lies in.
    """

    name: str
    path: Path
    origin: Literal["shipped", "imported"]
    method: str | None = None


def weights_files(folder: Path | None = None) -> list[WeightsFile]:
    """Return the weights that ship, shared ones first, then those in a folder of imported ones.

    Parameters
    ----------
    folder : Path, optional
        In place of :func:`imported_folder`; it need not exist.
    """
    shared = Path(__file__).parent / "models" / "weights"
    found = [WeightsFile(path.stem, path, "shipped") for path in _in(shared)]
    for parent in map(Path, importlib.import_module(_METHODS).__path__):
        for weights in sorted(parent.glob("*/weights")):
            method = weights.parent.name
            found += [WeightsFile(f"{method}/{p.stem}", p, "shipped", method) for p in _in(weights)]
    return found + [WeightsFile(p.stem, p, "imported") for p in _in(folder or imported_folder())]


def _in(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*.safetensors"))


def describe_weights(file: WeightsFile) -> dict[str, Any]:
    """Return what a weights file's card says; the file itself is not read.

    Returns
    -------
    dict
        ``name``, ``path``, ``origin``, ``track``, ``parameters``, ``examples``, ``hours``, ``losses`` (of
        validation, by kind), ``bytes``; None where the card says nothing. The track of our own weights
        follows from the examples and the corpus: ``controlled`` is exactly one million of the shared one.

    Raises
    ------
    WeightsError
        If the card is missing or unreadable.
    """
    from srbench_ext.corpus import load_mixture

    path = file.path.with_suffix(".json")
    try:
        card: dict[str, Any] = json.loads(path.read_text("utf8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"The card {path} cannot be read: {error}. Restore it beside its weights."
        ) from error
    examples = card.get("examples")
    budget = (examples, card.get("corpus_sha256"))
    own = "controlled" if budget == (_CONTROLLED_EXAMPLES, load_mixture().sha256) else "release"
    return {
        "name": file.name,
        "path": str(file.path),
        "origin": file.origin,
        "track": card.get("track", own),
        "parameters": card.get("parameters"),
        "examples": examples,
        "hours": card.get("hours"),
        "losses": card.get("validation_loss"),
        "bytes": file.path.stat().st_size,
    }


def check_weights(file: WeightsFile) -> list[str]:
    """Return what is wrong with a weights file, one sentence each; an empty list if nothing is.

    The hash on the card, the names, shapes and number format of the tensors, and the vocabulary are
    compared with the network of this version.
    """
    from srbench_ext.models.checkpoint import read_card
    from srbench_ext.models.shapes import misfits

    try:
        card = read_card(file.path)
        if "examples" in card and not card["examples"]:
            return ["The card says that the weights have seen no example: they are random. Train them."]
        return misfits(file.path, card, _builder(file.method or card.get("method")))
    except (SrbenchError, KeyError) as error:
        return [f"The card has no {error}." if type(error) is KeyError else str(error)]


def _builder(method: str | None) -> Callable[[dict[str, Any]], Any] | None:
    """Return what makes a method's network from its card: ``build`` of the method's module ``model``."""
    if method is None:
        return None
    name = f"{_METHODS}.{method}.model"
    if importlib.util.find_spec(name) is None or not hasattr(importlib.import_module(name), "build"):
        raise WeightsError(
            f"The method {method!r} has weights but no function 'build' in its model.py, so that they cannot "
            "be compared with its network. Add build(values), which makes it from a card's 'model'."
        )
    build: Callable[[dict[str, Any]], Any] = importlib.import_module(name).build
    return build


def import_sources() -> list[str]:
    """Return whose checkpoints can be imported: the shared layouts, and methods with an ``importing.py``."""
    from srbench_ext.models.official.importing import SOURCES

    folders = map(Path, importlib.import_module(_METHODS).__path__)
    return sorted({*SOURCES, *(path.parent.name for each in folders for path in each.glob("*/importing.py"))})


def import_weights(source: str, file: Path, out: Path | None = None) -> tuple[Path, dict[str, Any]]:
    """Turn a checkpoint of others into safetensors and a card; nothing of the file is executed.

    Parameters
    ----------
    source : str
        One of :func:`import_sources`.
    file : Path
        The checkpoint; it is only read.
    out : Path, optional
        The folder to write to, in place of :func:`imported_folder`.

    Returns
    -------
    path : Path
        ``<source>-official.safetensors``; the card stands beside it.
    card : dict

    Raises
    ------
    UnknownNameError
        For another source.
    CheckpointError
        If the file is not such a checkpoint; nothing is written then.
    """
    from srbench_ext.models.official import importing

    folder = out or imported_folder()
    if source in importing.SOURCES:
        return importing.import_weights(source, file, folder)
    if source not in (known := import_sources()):
        raise UnknownNameError("source of weights", source, known)
    imported: tuple[Path, dict[str, Any]] = importlib.import_module(
        f"{_METHODS}.{source}.importing"
    ).import_weights(file, folder)
    return imported
