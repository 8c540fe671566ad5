"""The authors' weights: from the names of their checkpoint to those of this network, and a test of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from srbench_ext.errors import ExpressionError
from srbench_ext.expression import Expression
from srbench_ext.expression.operators import CONSTANT
from srbench_ext.models.checkpoint import load_into
from srbench_ext.models.official.importing import write_imported
from srbench_ext.models.official.nesymres_layout import BITS, HEADS, NeSymReSSizes, read_nesymres
from srbench_ext.models.official.places import imported_path
from srbench_ext.models.precision import one_thread
from srbench_ext.models.tokens import Vocabulary

from .model import VOCABULARIES, NeSymReSNet, NetConfig

__all__ = ["LAYOUT", "greedy_ids", "import_weights", "network_of", "renamed", "self_test"]

LAYOUT: Final = "nesymres-official"
_ANY: Final = (0.0, sys.float_info.max)  # nothing is rescaled
_AUTHORS: Final = ("authors", "authors-without-coth")
_ATTENTION = {"fc_q": "q", "fc_k": "k", "fc_v": "v", "fc_o": "out", "ln0": "norm0", "ln1": "norm1"}
_LAYER = {
    "self_attn.out_proj": "own.out",
    "multihead_attn.out_proj": "memory.out",
    "linear1": "feed.up",
    "linear2": "feed.down",
    "norm1": "norm_own",
    "norm2": "norm_memory",
    "norm3": "norm_feed",
}
_PROJECTIONS = {"self_attn.in_proj": "own", "multihead_attn.in_proj": "memory"}
_WHOLE = {
    "tok_embedding.weight": "tokens.weight",
    "pos_embedding.weight": "positions",
    "fc_out.weight": "out.weight",
    "fc_out.bias": "out.bias",
    "enc.outatt.S": "seeds",
}

Numbers = NDArray[np.float32]


def import_weights(file: Path, out: Path) -> tuple[Path, dict[str, Any]]:
    """Turn a checkpoint of the authors into safetensors and a card; nothing of the file is executed.

    The card is the preset that goes with such weights: the authors' vocabulary, their 16 bits with the
    exponent that wraps around, no rescaling of inputs.

    Parameters
    ----------
    file : Path
        ``10M.ckpt`` or ``100M.ckpt``; it is only read.
    out : Path
        The folder to write to.

    Returns
    -------
    path : Path
        ``nesymres-official.safetensors`` in ``out``; the card stands beside it.
    card : dict
        ``layout``, ``track``, ``method`` (whose network it is), ``model``, ``parameters``, ``dtype``,
        ``vocabulary_sha256``, ``words_checked``, ``settings``, ``source``, ``self_test`` (a formula with
        ones for its constants, None if there was none), ``self_test_target``, ``sha256``, ``bytes``.

    Raises
    ------
    CheckpointError
        If the file is not such a checkpoint; nothing is written then.
    """
    checkpoint = read_nesymres(file)
    state = renamed(checkpoint.state(), checkpoint.sizes)
    config = network_of(checkpoint.sizes)
    card: dict[str, Any] = {
        "layout": LAYOUT,
        "track": "official",
        "method": "nesymres",
        "words_checked": False,  # the file has none
        "settings": checkpoint.settings,
        "self_test_target": "x0 * sin(x0)",
    }

    def tested(path: Path) -> dict[str, Any]:
        model = NeSymReSNet(config)
        load_into(model, path)
        vocabulary, formula = self_test(model.eval().requires_grad_(False))
        return {
            "model": {**config.to_dict(), "vocabulary": vocabulary},
            "vocabulary_sha256": VOCABULARIES[vocabulary]().sha256,
            "self_test": formula,
        }

    path = imported_path("nesymres", out)
    return path, write_imported(path, state, card, file, checkpoint.archive.format, tested)


def network_of(sizes: NeSymReSSizes) -> NetConfig:
    """Return the published network at the sizes of a checkpoint."""
    return NetConfig(
        n_variables=sizes.bits // BITS - 1,
        width=sizes.width,
        heads=HEADS,
        hidden=sizes.hidden,
        point_hidden=0,
        encoder_layers=sizes.encoder_layers,
        inducing=sizes.inducing,
        seeds=sizes.seeds,
        decoder_layers=sizes.decoder_layers,
        max_length=sizes.length,
        post_norm=True,
        vocabulary="authors",
        wrapped_bits=True,
        x_support=_ANY,
        y_support=_ANY,
    )


def renamed(state: Mapping[str, Numbers], sizes: NeSymReSSizes) -> dict[str, Numbers]:
    """Return the numbers by the names of this network; torch's joint projections are taken apart."""
    found: dict[str, Numbers] = {}
    for name, value in state.items():
        if name in _WHOLE:
            found[_WHOLE[name]] = value
        elif name.startswith("enc."):
            found[_encoder_name(name)] = value
        else:
            found |= _decoder_parts(name, value, sizes.width)
    return found


def _encoder_name(name: str) -> str:
    """Return the name of a parameter of the set encoder."""
    parts = name.split(".")[1:]
    if parts[0] == "outatt":
        block, rest = "pool", parts[2:]  # outatt.mab.<linear>
    else:
        number = 0 if parts[0] == "selfatt1" else 1 + int(parts[1])
        rest = parts[1:] if parts[0] == "selfatt1" else parts[2:]
        if rest == ["I"]:
            return f"set_blocks.{number}.inducing"
        block = f"set_blocks.{number}.{'gather' if rest[0] == 'mab0' else 'spread'}"
        rest = rest[1:]
    return f"{block}.{_ATTENTION[rest[0]]}.{rest[1]}"


def _decoder_parts(name: str, value: Numbers, width: int) -> dict[str, Numbers]:
    """Return a parameter of a decoder layer, or the two that one of torch's holds together."""
    _, _, number, rest = name.split(".", 3)  # decoder_transfomer.layers.<number>.<rest>
    for given, own in _PROJECTIONS.items():
        if rest.startswith(given):
            kind = rest.removeprefix(f"{given}_")
            return {
                f"blocks.{number}.{own}.q.{kind}": np.ascontiguousarray(value[:width]),
                f"blocks.{number}.{own}.kv.{kind}": np.ascontiguousarray(value[width:]),
            }
    part, _, kind = rest.rpartition(".")
    return {f"blocks.{number}.{_LAYER[part]}.{kind}": value}


def self_test(model: NeSymReSNet) -> tuple[str, str | None]:
    """Return the vocabulary of a network and the formula that it writes for 500 points of x0 * sin(x0).

    The most likely tokens are read with either list of the authors'; nothing constrains them. Trained
    weights give a formula with the right one.

    Returns
    -------
    vocabulary : {"authors", "authors-without-coth"}
        The first one where neither gives a formula.
    formula : str or None
    """
    X = np.random.default_rng(0).uniform(-10.0, 10.0, (500, 1))
    features = torch.from_numpy(model.encoder().table(X, X[:, 0] * np.sin(X[:, 0])))[None]
    with one_thread():
        ids = greedy_ids(model, features)
    for name in _AUTHORS:
        formula = _formula(VOCABULARIES[name](), ids)
        if formula is not None:
            return name, formula
    return _AUTHORS[0], None


@torch.no_grad()
def greedy_ids(model: NeSymReSNet, features: torch.Tensor) -> list[int]:
    """Return the most likely tokens for points (1, N, F), unconstrained; empty where they do not end."""
    vocabulary = model.vocabulary
    memory = model.memory_keys(model.encode(features))
    token, past = vocabulary.ids["<skeleton>"], None
    found: list[int] = []
    for _ in range(model.config.max_length - 1):
        logits, past = model.decode(torch.tensor([[token]]), memory, past)
        token = int(logits[0, -1].argmax())
        if token == vocabulary.eos:
            return found
        found.append(token)
    return []


def _formula(vocabulary: Vocabulary, ids: list[int]) -> str | None:
    tokens = tuple(vocabulary.tokens[i] for i in ids)
    try:
        return str(Expression(tokens, (1.0,) * tokens.count(CONSTANT)))
    except ExpressionError:
        return None
