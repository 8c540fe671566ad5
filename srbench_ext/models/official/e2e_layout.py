"""E2E's checkpoint: which keys, shapes, words and settings it has to have.

Two layouts are known: a whole pickled ``ModelWrapper`` (the released ``model1.pt``), and the mapping of
state dicts that the authors' training writes. The output matrix is tied to the embedding table: it is
compared and left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from srbench_ext.models.official.archive import TorchArchive, open_archive
from srbench_ext.models.official.e2e import E2EConfig, OfficialE2E
from srbench_ext.models.official.e2e_words import FORMULA_WORDS, POINT_WORDS
from srbench_ext.models.official.errors import LayoutError, shown
from srbench_ext.models.official.names import TORCH_NAMES, NameList
from srbench_ext.models.official.records import Record, TensorRef
from srbench_ext.models.official.state import (
    compare_shapes,
    float32_numbers,
    module_tensors,
    plain,
    state_dict_tensors,
)

__all__ = [
    "E2E_NAMES",
    "TIED",
    "E2ECheckpoint",
    "drop_tied",
    "expected_shapes",
    "read_e2e",
    "settings_of",
    "word_settings",
]

E2E_NAMES: Final = TORCH_NAMES | NameList(
    ("symbolicregression.*", "sympy.core.numbers.*", "sympy.core.symbol.*", "sympy.functions.*")
)
"""What an E2E checkpoint may name: beside the network its environment, which holds a sympy table."""

TIED: Final = ("decoder.proj.weight", "decoder.embeddings.weight")
_PARTS = ("embedder", "encoder", "decoder")
_WRAPPER = "symbolicregression.model.model_wrapper.ModelWrapper"
_SETTINGS = {
    "float_precision": 3,
    "mantissa_len": 1,
    "max_exponent": 100,
    "max_input_dimension": 10,
    "max_output_dimension": 1,
    "use_skeleton": False,
}
_DECODING = ("beam_type", "beam_size", "beam_length_penalty", "beam_temperature", "max_generated_output_len")
_OTHER = "Give the authors' model1.pt; other networks of this family are not supported."


@dataclass(frozen=True, slots=True)
class E2ECheckpoint:
    """What is in an E2E checkpoint, checked.

    Attributes
    ----------
    archive : TorchArchive
    config : E2EConfig
        Sizes, read from the shapes; heads, read from the settings.
    tensors : dict of str to TensorRef
        By the name of the parameter, without the tied one.
    words_checked : bool
        Whether the file holds its lists of words (equal to ours, then). A training checkpoint does not.
    settings : dict
        Those of the authors' settings and of their decoding that the file holds.
    """

    archive: TorchArchive
    config: E2EConfig
    tensors: dict[str, TensorRef]
    words_checked: bool
    settings: dict[str, Any]

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return all numbers, float32 and finite, by the name of the parameter."""
        return {
            name: float32_numbers(self.archive, name, reference, _OTHER)
            for name, reference in self.tensors.items()
        }


def read_e2e(path: Path) -> E2ECheckpoint:
    """Read an E2E checkpoint without running anything of it.

    Parameters
    ----------
    path : Path
        ``model1.pt`` or a training checkpoint, in either format of torch.save.

    Raises
    ------
    CheckpointError
        If it is another file, names code that is not needed, or does not fit the network, its words or
        its settings; the subclass says of which kind the fault is.
    """
    archive = open_archive(path, E2E_NAMES)
    root = archive.root
    if isinstance(root, Record) and str(root.made_by) == _WRAPPER:
        parts: Mapping[Any, Any] = plain(root.attribute("_modules"), "The wrapper's modules")
        tensors = {k: v for part in _PARTS for k, v in module_tensors(parts.get(part), part).items()}
        words_checked = _check_words(parts)
        params, heads = _params(parts), {part: _heads(parts[part]) for part in ("encoder", "decoder")}
        decoding = {name: root.attribute(name) for name in _DECODING}
    elif isinstance(root, dict) and all(part in root for part in _PARTS):
        tensors = {k: v for part in _PARTS for k, v in state_dict_tensors(root[part], part).items()}
        words_checked, decoding = False, {}
        params = settings_of(root.get("params"))
        heads = {part: params.get(f"n_{part[:3]}_heads") for part in ("encoder", "decoder")}
    else:
        got = str(root.made_by) if isinstance(root, Record) else root
        raise LayoutError(
            "The object saved",
            got=got,
            allowed="a ModelWrapper, or embedder, encoder and decoder",
            fix=_OTHER,
        )
    settings = word_settings(params, _OTHER)
    config = _config(tensors, heads)
    compare_shapes(tensors, expected_shapes(config), unused=TIED[:1], fix=_OTHER)
    drop_tied(archive, tensors, TIED, _OTHER)
    settings |= {k: v for k, v in decoding.items() if isinstance(v, (str, int, float))}
    return E2ECheckpoint(archive, config, tensors, words_checked, settings)


def expected_shapes(config: E2EConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter of the network, the tied one left out."""
    state = OfficialE2E(config).state_dict()  # torch's meta device would do, but its import takes longer
    return {name: tuple(value.shape) for name, value in state.items() if name != TIED[0]}


def settings_of(value: object) -> Mapping[Any, Any]:
    """Return what settings of the authors are: a mapping, or the attributes of a namespace; else nothing."""
    value = value.state if isinstance(value, Record) else value
    return value if isinstance(value, dict) else {}


def _params(parts: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return the settings that the embedder or its environment keeps."""
    embedder = parts["embedder"]
    environment = embedder.attribute("env")
    own = environment.attribute("params") if isinstance(environment, Record) else None
    return {**settings_of(own), **settings_of(embedder.attribute("params"))}


def _heads(part: Record) -> object:
    return part.attribute("n_heads")


def word_settings(params: Mapping[Any, Any], fix: str) -> dict[str, Any]:
    """Return the settings that the words depend on, as far as they are there, after comparing them.

    Raises
    ------
    LayoutError
        If one is another than that of the published networks.
    """
    found = {name: params[name] for name in _SETTINGS if name in params}
    for name, value in found.items():
        if type(value) is not type(_SETTINGS[name]) or value != _SETTINGS[name]:
            raise LayoutError(f"The setting {name}", got=value, allowed=str(_SETTINGS[name]), fix=fix)
    return found


def _check_words(parts: Mapping[Any, Any]) -> bool:
    """Compare the lists of words that the file holds; return whether it holds both."""
    environment = parts["embedder"].attribute("env")
    lists = {
        "points": (
            environment.attribute("float_id2word") if isinstance(environment, Record) else None,
            POINT_WORDS,
        ),
        "formulas": (parts["decoder"].attribute("id2word"), FORMULA_WORDS),
    }
    for name, (found, words) in lists.items():
        if found is None:
            continue
        listed = plain(found, f"The words of {name}")
        differing = [i for i, word in enumerate(words) if not _same(listed.get(i), word)]
        if differing or len(listed) != len(words):
            first = differing[0] if differing else len(words)
            raise LayoutError(
                f"The words of {name}",
                got=f"{len(listed)} words, word {first} being {shown(listed.get(first))}",
                allowed=f"{len(words)} words, word {first} being {words[first] if differing else 'none'}",
                fix=_OTHER,
            )
    return all(found is not None for found, _ in lists.values())


def _same(found: object, word: str) -> bool:
    return isinstance(found, str) and found == word


def _config(tensors: Mapping[str, TensorRef], heads: Mapping[str, object]) -> E2EConfig:
    """Read the sizes from the shapes; whether all fit together is compared afterwards."""

    def size(name: str, axis: int) -> int:
        if name not in tensors or len(tensors[name].shape) != 2:
            got = tensors[name].shape if name in tensors else None
            raise LayoutError(f"The parameter {name}", got=str(got), allowed="a matrix", fix=_OTHER)
        return tensors[name].shape[axis]

    def layers(pattern: str) -> int:
        return len({m.group(1) for name in tensors if (m := re.match(pattern, name))})

    sizes: dict[str, int] = {
        "word_width": size("embedder.embeddings.weight", 1),
        "point_layers": layers(r"embedder\.hidden_layers\.(\d+)\."),
        "positions": size("decoder.position_embeddings.weight", 0),
    }
    for part in ("encoder", "decoder"):
        n_heads, width = heads[part], size(f"{part}.attentions.0.q_lin.weight", 0)
        if type(n_heads) is not int or n_heads < 1 or width % n_heads:
            raise LayoutError(
                f"The heads of the {part}", got=n_heads, allowed=f"a number that divides {width}", fix=_OTHER
            )
        sizes |= {
            f"{part}_width": width,
            f"{part}_layers": layers(rf"{part}\.attentions\.(\d+)\."),
            f"{part}_heads": n_heads,
            f"{part}_hidden": size(f"{part}.ffns.0.lin1.weight", 0),
        }
    return E2EConfig.from_dict(sizes)


def drop_tied(archive: TorchArchive, tensors: dict[str, TensorRef], tied: tuple[str, str], fix: str) -> None:
    """Take the first of two tied matrices out after comparing it with the second.

    Raises
    ------
    LayoutError
        If their numbers differ.
    """
    output, table = (tensors.get(name) for name in tied)
    if output is None or table is None:
        return
    if output != table and not np.array_equal(archive.tensor(output), archive.tensor(table)):
        raise LayoutError(
            tied[0], got="other numbers", allowed=f"those of {tied[1]}, to which it is tied", fix=fix
        )
    del tensors[tied[0]]
