"""NeSymReS's checkpoint: which keys and shapes it has to have.

The authors' files are checkpoints of PyTorch Lightning: a mapping whose ``state_dict`` holds the network.
Beside it stand the optimiser's state and the callbacks, by class; neither is looked at. The file does
not say its settings, so that all sizes are read from the shapes, and only the heads are taken as
published. (Biggio et al., arXiv 2106.06427.)
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
from srbench_ext.models.official.errors import LayoutError
from srbench_ext.models.official.names import TORCH_NAMES, NameList
from srbench_ext.models.official.records import TensorRef
from srbench_ext.models.official.state import compare_shapes, float32_numbers, state_dict_tensors

__all__ = [
    "BITS",
    "HEADS",
    "NESYMRES_NAMES",
    "TOKEN_ROWS",
    "NeSymReSCheckpoint",
    "NeSymReSSizes",
    "read_nesymres",
]

NESYMRES_NAMES: Final = TORCH_NAMES | NameList(
    ("pytorch_lightning.*", "omegaconf.*", "torch.optim.*", "pathlib.PosixPath")
)
"""What a NeSymReS checkpoint may name: its callbacks are kept by their class."""

BITS: Final = 16
"""Bits that a number is written in."""
HEADS: Final = 8
"""Attention heads, as published: no shape depends on them."""
TOKEN_ROWS: Final = 60
"""Rows of the token table; 34 are used."""
_UNUSED = ("enc.mean", "enc.std")
_FIX = (
    "Give one of the authors' files, 10M.ckpt or 100M.ckpt; other networks of this family are not supported."
)

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NeSymReSSizes:
    """Sizes, read from the shapes.

    Attributes
    ----------
    width, hidden : int
        Width, and that of the decoder's feed-forward layers.
    bits : int
        Bits of a point: 16 for each column and the target.
    encoder_layers, inducing, seeds : int
        Blocks with induced points, their points, and the vectors that the set is pooled to.
    decoder_layers, length : int
        Layers, and the longest sequence.
    """

    width: int
    hidden: int
    bits: int
    encoder_layers: int
    inducing: int
    seeds: int
    decoder_layers: int
    length: int


@dataclass(frozen=True, slots=True)
class NeSymReSCheckpoint:
    """What is in a NeSymReS checkpoint, checked.

    Attributes
    ----------
    archive : TorchArchive
    sizes : NeSymReSSizes
    tensors : dict of str to TensorRef
        By the authors' names, without the two that are never used.
    settings : dict
        Epoch, steps and the version of Lightning, where the file says them.
    """

    archive: TorchArchive
    sizes: NeSymReSSizes
    tensors: dict[str, TensorRef]
    settings: dict[str, Any]

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return all numbers, float32 and finite, by the authors' names.

        Raises
        ------
        LayoutError
            If numbers are of another format or not finite.
        """
        return {k: float32_numbers(self.archive, k, reference, _FIX) for k, reference in self.tensors.items()}


def read_nesymres(path: Path) -> NeSymReSCheckpoint:
    """Read a NeSymReS checkpoint without running anything of it.

    Parameters
    ----------
    path : Path
        ``10M.ckpt`` or ``100M.ckpt``, in either format of torch.save.

    Raises
    ------
    CheckpointError
        If it is another file, names code that is not needed, or does not fit the network; the subclass
        says of which kind the fault is.
    """
    archive = open_archive(path, NESYMRES_NAMES)
    root = archive.root
    if not isinstance(root, dict) or "state_dict" not in root:
        raise LayoutError(
            "The object saved",
            got=root,
            allowed="a mapping with a 'state_dict', as Lightning writes it",
            fix=_FIX,
        )
    tensors = state_dict_tensors(root["state_dict"])
    sizes = _sizes(tensors)
    compare_shapes(tensors, expected_shapes(sizes), unused=_UNUSED, fix=_FIX)
    said = {key: root.get(key) for key in ("epoch", "global_step", "pytorch-lightning_version")}
    return NeSymReSCheckpoint(
        archive,
        sizes,
        {name: reference for name, reference in tensors.items() if name not in _UNUSED},
        {key: value for key, value in said.items() if type(value) in (int, str)},
    )


def expected_shapes(sizes: NeSymReSSizes) -> dict[str, Shape]:
    """Return the shape of every parameter, by the authors' names."""
    w = sizes.width
    shapes: dict[str, Shape] = {"enc.outatt.S": (1, sizes.seeds, w)}
    shapes |= _attention("enc.outatt.mab", w, w, w)
    for i in range(sizes.encoder_layers):
        name = "enc.selfatt1" if i == 0 else f"enc.selfatt.{i - 1}"
        given = sizes.bits if i == 0 else w
        shapes[f"{name}.I"] = (1, sizes.inducing, w)
        shapes |= _attention(f"{name}.mab0", w, given, w) | _attention(f"{name}.mab1", given, w, w)
    shapes |= {"tok_embedding.weight": (TOKEN_ROWS, w), "pos_embedding.weight": (sizes.length, w)}
    for i in range(sizes.decoder_layers):
        shapes |= _decoder_layer(f"decoder_transfomer.layers.{i}", w, sizes.hidden)  # the authors' spelling
    return shapes | _linear("fc_out", w, TOKEN_ROWS)


def _linear(name: str, inside: int, outside: int) -> dict[str, Shape]:
    return {f"{name}.weight": (outside, inside), f"{name}.bias": (outside,)}


def _norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _attention(name: str, queries: int, keys: int, width: int) -> dict[str, Shape]:
    shapes = _linear(f"{name}.fc_q", queries, width)
    shapes |= _linear(f"{name}.fc_k", keys, width) | _linear(f"{name}.fc_v", keys, width)
    return (
        shapes
        | _linear(f"{name}.fc_o", width, width)
        | _norm(f"{name}.ln0", width)
        | _norm(f"{name}.ln1", width)
    )


def _decoder_layer(name: str, width: int, hidden: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for part in ("self_attn", "multihead_attn"):
        shapes |= {
            f"{name}.{part}.in_proj_weight": (3 * width, width),
            f"{name}.{part}.in_proj_bias": (3 * width,),
            **_linear(f"{name}.{part}.out_proj", width, width),
        }
    shapes |= _linear(f"{name}.linear1", width, hidden) | _linear(f"{name}.linear2", hidden, width)
    for i in (1, 2, 3):
        shapes |= _norm(f"{name}.norm{i}", width)
    return shapes


def _sizes(tensors: Mapping[str, TensorRef]) -> NeSymReSSizes:
    """Read the sizes from the shapes; whether all fit together is compared afterwards."""

    def size(name: str, axis: int, dimensions: int = 2) -> int:
        if name not in tensors or len(tensors[name].shape) != dimensions:
            got = str(tensors[name].shape) if name in tensors else None
            raise LayoutError(f"The parameter {name}", got=got, allowed=f"{dimensions} dimensions", fix=_FIX)
        return tensors[name].shape[axis]

    def layers(pattern: str) -> int:
        return len({found[1] for name in tensors if (found := re.match(pattern, name))})

    found = NeSymReSSizes(
        width=size("tok_embedding.weight", 1),
        hidden=size("decoder_transfomer.layers.0.linear1.weight", 0),
        bits=size("enc.selfatt1.mab0.fc_k.weight", 1),
        encoder_layers=1 + layers(r"enc\.selfatt\.(\d+)\."),
        inducing=size("enc.selfatt1.I", 1, 3),
        seeds=size("enc.outatt.S", 1, 3),
        decoder_layers=layers(r"decoder_transfomer\.layers\.(\d+)\."),
        length=size("pos_embedding.weight", 0),
    )
    if found.width % HEADS or found.width == 0:
        raise LayoutError("The width", got=found.width, allowed=f"a multiple of the {HEADS} heads", fix=_FIX)
    if found.bits % BITS or found.bits < 2 * BITS:
        raise LayoutError(
            "The bits of a point", got=found.bits, allowed=f"{BITS} for each column and the target", fix=_FIX
        )
    return found
