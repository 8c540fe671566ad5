"""GenSR's and SNIP's checkpoints: which keys, shapes, words and settings they have to have.

Both are mappings of state dicts, by part, beside the settings (``params``) and, in files of a training, the
optimiser's state, which is not looked at. GenSR's names are those of E2E and SNIP in other words; the table
here translates between them. The output matrix is tied to the embedding table: it is compared and left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from srbench_ext.models.official.archive import TorchArchive, open_archive
from srbench_ext.models.official.e2e_layout import TIED, drop_tied, settings_of, word_settings
from srbench_ext.models.official.e2e_words import FORMULA_WORDS, POINT_WORDS
from srbench_ext.models.official.errors import LayoutError
from srbench_ext.models.official.latent import LatentConfig, OfficialLatent
from srbench_ext.models.official.names import TORCH_NAMES, NameList
from srbench_ext.models.official.records import TensorRef
from srbench_ext.models.official.state import compare_shapes, float32_numbers, plain, state_dict_tensors

__all__ = ["GENSR", "LATENT_NAMES", "SNIP", "LatentCheckpoint", "Layout", "expected_shapes", "read_latent"]

LATENT_NAMES: Final = TORCH_NAMES | NameList(("symbolicregression.*", "pathlib.PosixPath"))
"""What such a checkpoint may name: its settings may hold a class of the authors or a path."""

HEADS: Final = 16
"""Attention heads where the settings do not say them: no shape depends on them."""

_SAID = ("epoch", "n_total_iter")
_SHARED = {
    "position_embeddings": "pos_embed",
    "layer_norm_emb": "input_norm",
    "attentions": "self_attn",
    "layer_norm1": "attn_norm",
    "encoder_attn": "cross_attn",
    "layer_norm15": "cross_norm",
    "ffns": "feed_forward",
    "layer_norm2": "ff_norm",
    "q_lin": "query_proj",
    "k_lin": "key_proj",
    "v_lin": "value_proj",
    "out_lin": "out_proj",
    "lin1": "fc_in",
    "lin2": "fc_out",
    "proj": "lm_head",
    "glob_attn_module": "pool_attn",
    "bottleneck_module": "bottleneck",
    "fc1": "compress",
    "z_projection": "latent_proj",
    "hidden_layers": "mlp_layers",
    "fc": "out_linear",
    "linear1": "expand_proj",
    "linear2": "refine_proj",
}
"""GenSR's word for a piece of a name of ours, which is E2E's or SNIP's."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How one of the two files names what is in it.

    Attributes
    ----------
    source : str
        Whose it is.
    file : str
        What the authors call it.
    parts : mapping of str to tuple of str
        The entries of the file that a network is in, each with the names it had before.
    prefixes : mapping of str to str
        What a name begins with in the file, by what it begins with here.
    words : mapping of str to str
        The file's word for a piece of a name here.
    variational : bool
        Whether it has prior and posterior.
    """

    source: str
    file: str
    parts: Mapping[str, tuple[str, ...]]
    prefixes: Mapping[str, str]
    words: Mapping[str, str]
    variational: bool

    def named(self, name: str) -> str:
        """Return the file's name of a parameter."""
        first, _, rest = name.partition(".")
        words = {**self.words, "embeddings": "digit_embed" if first == "embedder" else "tok_embed"}
        pieces = [words.get(piece, piece) if self.words else piece for piece in rest.split(".")]
        return ".".join([self.prefixes[first], *pieces])

    @property
    def name(self) -> str:
        """What the card of imported weights calls the layout."""
        return f"{self.source}-official"

    @property
    def fix(self) -> str:
        """What to do with a file that deviates."""
        return f"Give the authors' {self.file}; other networks of this family are not supported."


GENSR: Final = Layout(
    "gensr",
    "checkpoint.pth",
    {
        "data_encoder": (),
        "cvae": (),
        "token_embed": (),
        "seq_decoder": (),
        "feature_fusion": ("latent_bridge", "mapper"),
    },
    {
        "embedder": "data_encoder",
        "encoder": "cvae.transformer",
        "prior_fc": "cvae.prior_fc",
        "post_fc": "cvae.post_fc",
        "token_embed": "token_embed",
        "decoder": "seq_decoder",
        "mapper": "feature_fusion",
    },
    _SHARED,
    True,
)
SNIP: Final = Layout(
    "snip",
    "snip-e2e-sr.pth",
    {"embedder": (), "encoder_y": (), "decoder": (), "mapper": ()},
    {"embedder": "embedder", "encoder": "encoder_y", "decoder": "decoder", "mapper": "mapper"},
    {},
    False,
)


@dataclass(frozen=True, slots=True)
class LatentCheckpoint:
    """What is in such a checkpoint, checked.

    Attributes
    ----------
    archive : TorchArchive
    layout : Layout
    config : LatentConfig
        Sizes, read from the shapes; heads, read from the settings.
    tensors : dict of str to TensorRef
        By the name of the parameter here, without the tied one.
    settings : dict
        Those of the authors' settings that the words depend on, heads, epoch and steps, where the file says
        them.
    """

    archive: TorchArchive
    layout: Layout
    config: LatentConfig
    tensors: dict[str, TensorRef]
    settings: dict[str, Any]

    def state(self) -> dict[str, NDArray[np.float32]]:
        """Return all numbers, float32 and finite, by the name of the parameter here.

        Raises
        ------
        LayoutError
            If numbers are of another format or not finite; it names the parameter as the file does.
        """
        return {
            name: float32_numbers(self.archive, self.layout.named(name), reference, self.layout.fix)
            for name, reference in self.tensors.items()
        }


def read_latent(path: Path, layout: Layout) -> LatentCheckpoint:
    """Read GenSR's or SNIP's checkpoint without running anything of it.

    Parameters
    ----------
    path : Path
        In either format of torch.save.
    layout : Layout
        :data:`GENSR` or :data:`SNIP`.

    Raises
    ------
    CheckpointError
        If it is another file, names code that is not needed, or does not fit the network, its words or its
        settings; the subclass says of which kind the fault is.
    """
    archive = open_archive(path, LATENT_NAMES)
    tensors = _tensors(archive.root, layout)
    root = plain(archive.root, "The object saved")
    params = settings_of(root.get("params"))
    settings = word_settings(params, layout.fix)
    _check_words(tensors, layout)
    config = _config(tensors, params, layout)
    wanted = expected_shapes(config, layout)
    tied = layout.named(TIED[0]), layout.named(TIED[1])
    compare_shapes(tensors, wanted, unused=tied[:1], fix=layout.fix)
    drop_tied(archive, tensors, tied, layout.fix)
    own = {layout.named(name): name for name in _names(config)}
    said = {k: root.get(k) for k in _SAID} | {k: params.get(k) for k in ("n_enc_heads", "n_dec_heads")}
    settings |= {key: value for key, value in said.items() if type(value) is int}
    return LatentCheckpoint(archive, layout, config, {own[name]: t for name, t in tensors.items()}, settings)


def expected_shapes(config: LatentConfig, layout: Layout | None = None) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter by its name here or in a file, the tied one left out."""
    shapes = _names(config)
    return {name if layout is None else layout.named(name): shape for name, shape in shapes.items()}


def _names(config: LatentConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        state = OfficialLatent(config).state_dict()
    return {name: tuple(value.shape) for name, value in state.items() if name != TIED[0]}


def _tensors(root: object, layout: Layout) -> dict[str, TensorRef]:
    """Return all tensors of the parts by the file's present names."""
    entries = plain(root, "The object saved")
    found: dict[str, TensorRef] = {}
    lacking: list[str] = []
    for part, earlier in layout.parts.items():
        held = next((name for name in (part, *earlier) if name in entries), None)
        if held is None:
            lacking.append(part)
        else:
            found |= state_dict_tensors(entries[held], part)
    if lacking:
        raise _other_file(entries, lacking, layout)
    return found


def _other_file(entries: Mapping[Any, Any], lacking: list[str], layout: Layout) -> LayoutError:
    """Return the error for a file that lacks parts, which says what it is if that can be told."""
    what, allowed = "The parts of the file", ", ".join(layout.parts)
    if "encoder_f" in entries and "mapper" in lacking:
        return LayoutError(
            what,
            got="the two encoders of the contrastive pretraining, nothing that reads a latent point",
            allowed=allowed,
            fix=f"This is snip-10dmax.pth or snip-1d-normalized.pth; formulas need {layout.file}.",
        )
    named = ", ".join(key for key in entries if isinstance(key, str))
    return LayoutError(
        what, got=f"no {', '.join(lacking)}; there are {named}", allowed=allowed, fix=layout.fix
    )


def _check_words(tensors: Mapping[str, TensorRef], layout: Layout) -> None:
    """Compare the rows of the tables of words with the lists, which the file does not hold."""
    tables = {"embedder.embeddings.weight": len(POINT_WORDS), "decoder.embeddings.weight": len(FORMULA_WORDS)}
    if layout.variational:
        tables["token_embed.weight"] = len(FORMULA_WORDS)
    for name, n_words in tables.items():
        rows = _size(tensors, layout, name, 0)
        if rows != n_words:
            raise LayoutError(
                f"The words of {layout.named(name)}", got=rows, allowed=f"{n_words} words", fix=layout.fix
            )


def _size(tensors: Mapping[str, TensorRef], layout: Layout, name: str, axis: int) -> int:
    """Return a size of a matrix, named as here."""
    given = layout.named(name)
    if given not in tensors or len(tensors[given].shape) != 2:
        got = str(tensors[given].shape) if given in tensors else None
        raise LayoutError(f"The parameter {given}", got=got, allowed="a matrix", fix=layout.fix)
    return tensors[given].shape[axis]


def _config(tensors: Mapping[str, TensorRef], params: Mapping[Any, Any], layout: Layout) -> LatentConfig:
    """Read the sizes from the shapes; whether all fit together is compared afterwards."""

    def size(name: str, axis: int) -> int:
        return _size(tensors, layout, name, axis)

    def layers(name: str) -> int:
        pattern = re.escape(layout.named(name)) + r"\.(\d+)\."
        return len({m.group(1) for given in tensors if (m := re.match(pattern, given))})

    positions = "encoder.position_embeddings.weight"
    widths = {
        part: _divisible(size(f"{part}.attentions.0.q_lin.weight", 0), f"n_{part[:3]}_heads", params, layout)
        for part in ("encoder", "decoder")
    }
    expanded, latent = size("mapper.linear1.weight", 0), size("mapper.linear1.weight", 1)
    fits = widths["encoder"][0] == widths["decoder"][0] and not expanded % widths["decoder"][0]
    if not fits or (layout.variational and latent != widths["encoder"][0]):
        raise LayoutError(
            "The widths of encoder, decoder, latent space and its expansion",
            got=f"{widths['encoder'][0]}, {widths['decoder'][0]}, {latent} and {expanded}",
            allowed="one width, and a multiple of it",
            fix=layout.fix,
        )
    sizes: dict[str, Any] = {
        "word_width": size("embedder.embeddings.weight", 1),
        "point_layers": layers("embedder.hidden_layers"),
        "positions": size("decoder.position_embeddings.weight", 0),
        "encoder_positions": size(positions, 0) if layout.named(positions) in tensors else 0,
        "latent": latent,
        "slots": expanded // widths["decoder"][0],
        "variational": layout.variational,
    }
    for part, (width, heads) in widths.items():
        sizes |= {
            f"{part}_width": width,
            f"{part}_layers": layers(f"{part}.attentions"),
            f"{part}_heads": heads,
            f"{part}_hidden": size(f"{part}.ffns.0.lin1.weight", 0),
        }
    return LatentConfig.from_dict(sizes)


def _divisible(width: int, setting: str, params: Mapping[Any, Any], layout: Layout) -> tuple[int, int]:
    """Return a width and the number of heads that the settings say, else the published one."""
    heads = params.get(setting, HEADS)
    if type(heads) is not int or heads < 1 or width < 1 or width % heads:
        raise LayoutError(
            f"The setting {setting}", got=heads, allowed=f"a number that divides {width}", fix=layout.fix
        )
    return width, heads
