"""The network of NeSymReS: a set transformer over the points, a decoder of skeletons.

Set transformer: Lee et al., arXiv 1810.00825; its use here: Biggio et al., arXiv 2106.06427. With
``post_norm`` and without ``point_hidden`` the network is the published one, parameter for parameter;
our own sizes normalise before each decoder layer and embed the bits first, which learn faster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from srbench_ext.errors import ConfigError, InputError, WeightsError
from srbench_ext.models.foundation import Foundation, KeysValues
from srbench_ext.models.pretrained import LENGTHS, Pretrained, TensorBatch, token_losses, tokens_by_length
from srbench_ext.models.sizes import sizes_of
from srbench_ext.models.tokens import MAX_VARIABLES, Vocabulary
from srbench_ext.models.transformer import Attention, Block, FeedForward

from .bits import BITS, BitEncoder, Support
from .vocabulary import AuthorsVocabulary

__all__ = ["VOCABULARIES", "NeSymReSNet", "NetConfig", "build", "load_size", "others_of_equal_columns"]

VOCABULARIES: dict[str, Callable[[], Vocabulary]] = {
    "shared": Vocabulary,
    "authors": AuthorsVocabulary,
    "authors-without-coth": partial(AuthorsVocabulary, coth=False),
}
"""Whose tokens a network writes."""


@dataclass(frozen=True, slots=True)
class NetConfig:
    """Sizes and inputs of the network.

    Attributes
    ----------
    n_variables : int
        Most columns of a table.
    width, heads, hidden : int
        Width, attention heads, and width of the decoder's feed-forward layers.
    point_hidden : int
        Hidden width of the embedding of a point; 0: the bits go straight into the first layer.
    encoder_layers, inducing, seeds : int
        Induced set attention blocks, their inducing points, and the vectors that the set is pooled to.
    decoder_layers, max_length : int
        Layers, and the longest sequence.
    post_norm : bool
        Normalise after each part of a decoder layer, and use ReLU, as published.
    vocabulary : {"shared", "authors", "authors-without-coth"}
    wrapped_bits : bool
        Bits as the released code computes them.
    blank_absent : bool
        Columns that a table does not have are zeros, not the bits of zero.
    x_support, y_support : tuple of float
        Columns whose largest size is outside are divided by a power of ten.
    """

    n_variables: int = MAX_VARIABLES
    width: int = 192
    heads: int = 4
    hidden: int = 768
    point_hidden: int = 384
    encoder_layers: int = 3
    inducing: int = 24
    seeds: int = 16
    decoder_layers: int = 4
    max_length: int = 48
    post_norm: bool = False
    vocabulary: Literal["shared", "authors", "authors-without-coth"] = "shared"
    wrapped_bits: bool = False
    blank_absent: bool = False
    x_support: Support = (0.1, 100.0)
    y_support: Support = (0.1, 1000.0)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NetConfig:
        """Build from a mapping; an unknown key is an error."""
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise ConfigError(
                f"Unknown settings of NeSymReS's network {sorted(unknown)}; "
                f"known: {sorted(cls.__dataclass_fields__)}."
            )
        if values.get("vocabulary", "shared") not in VOCABULARIES:
            raise ConfigError(
                f"'vocabulary' must be one of {', '.join(VOCABULARIES)}. "
                f"Got {values['vocabulary']!r} instead."
            )
        supports = ("x_support", "y_support")
        given: dict[str, Any] = {k: tuple(v) if k in supports else v for k, v in values.items()}
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a mapping."""
        return asdict(self)


def load_size(name: str) -> NetConfig:
    """Return one of the sizes of ``sizes.toml``; an unknown one is an ``UnknownNameError``."""
    return NetConfig.from_dict(sizes_of("NeSymReS's network", name, Path(__file__).parent))


def build(values: dict[str, Any]) -> NeSymReSNet:
    """Make the network of a card."""
    return NeSymReSNet(NetConfig.from_dict(values))


class AttentionBlock(nn.Module):
    """Multi-head attention of a set over another: MAB of arXiv 1810.00825.

    The residual is the projected query, and scores are divided by the root of the whole width.
    """

    def __init__(self, query_width: int, key_width: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, width**-0.5
        self.q = nn.Linear(query_width, width)
        self.k = nn.Linear(key_width, width)
        self.v = nn.Linear(key_width, width)
        self.out = nn.Linear(width, width)
        self.norm0, self.norm1 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Map queries (B or 1, Q, D) and keys (B, K, D) to (B, Q, W)."""
        q = self.q(queries)
        k, v = self._split(self.k(keys)), self._split(self.v(keys))
        scores = self._split(q) @ k.transpose(-2, -1) * self.scale  # (B, H, Q, K)
        mixed = scores.softmax(dim=-1).to(v.dtype) @ v
        x = self.norm0(q + mixed.transpose(1, 2).flatten(2))
        return self.norm1(x + nn.functional.relu(self.out(x)))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class InducedBlock(nn.Module):
    """Attention within a set by way of a few learned points: ISAB of arXiv 1810.00825."""

    def __init__(self, in_width: int, width: int, heads: int, inducing: int) -> None:
        super().__init__()
        self.inducing = nn.Parameter(torch.empty(1, inducing, width))
        self.gather = AttentionBlock(width, in_width, width, heads)
        self.spread = AttentionBlock(in_width, width, width, heads)

    def forward(self, x: Tensor) -> Tensor:
        """Map points (B, N, D) to (B, N, W)."""
        return self.spread(x, self.gather(self.inducing, x))  # type: ignore[no-any-return]


class PostNormBlock(Block):
    """A decoder layer as published: each part is added and then normalised; ReLU between the linears."""

    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        memory: KeysValues | None = None,
        past: KeysValues | None = None,
        sharing: Tensor | None = None,
    ) -> tuple[Tensor, KeysValues | None]:
        """Map (B, T, D) to (B, T, D); see :class:`srbench_ext.models.transformer.Block`."""
        if self.own is None or self.norm_own is None or self.memory is None or self.norm_memory is None:
            raise InputError("A layer with normalisation last attends to itself and to a memory.")
        if memory is None:
            raise InputError("A layer with normalisation last needs the keys and values of a memory.")
        present = self.own.keys_values(x)
        if past is not None:
            present = (torch.cat([past[0], present[0]], 2), torch.cat([past[1], present[1]], 2))
        x = self.norm_own(x + self.own(x, present, mask))
        if sharing is None:
            mixed = self.memory(x, memory)
        else:
            table = x.new_zeros(*sharing.shape, x.shape[-1])
            table[sharing] = x[:, 0]
            mixed = self.memory(table, memory)[sharing][:, None]
        x = self.norm_memory(x + mixed)
        hidden = nn.functional.relu(self.feed.up(x))
        return self.norm_feed(x + self.feed.down(hidden)), present


def _decoder_of(foundation: Foundation) -> dict[str, Tensor]:
    """Return the foundation's decoder under the names of this network; its output table is that of tokens."""
    given = foundation.state_dict()
    kept = {k: v for k, v in given.items() if k.split(".")[0] in ("tokens", "positions", "blocks", "norm")}
    return {**kept, "out.weight": given["tokens.weight"], "out.bias": given["bias"]}


class NeSymReSNet(Pretrained):
    """Set transformer over bits and decoder of skeletons.

    Parameters
    ----------
    config : NetConfig
    """

    parts: ClassVar[tuple[str, ...]] = ("skeleton", "shuffled", *(name for name, _, _ in LENGTHS))
    matrix_parts: ClassVar[tuple[type[nn.Module], ...]] = (AttentionBlock, Attention, FeedForward)
    config: NetConfig

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = c = config
        self.vocabulary = VOCABULARIES[c.vocabulary]()
        bits = (c.n_variables + 1) * BITS
        self.point_in: nn.Module = nn.Identity()
        if c.point_hidden:
            self.point_in = nn.Sequential(
                nn.Linear(bits, c.point_hidden), nn.GELU(), nn.Linear(c.point_hidden, c.width)
            )
        widths = [c.width if c.point_hidden else bits] + [c.width] * (c.encoder_layers - 1)
        self.set_blocks = nn.ModuleList(InducedBlock(w, c.width, c.heads, c.inducing) for w in widths)
        self.seeds = nn.Parameter(torch.empty(1, c.seeds, c.width))
        self.pool = AttentionBlock(c.width, c.width, c.width, c.heads)
        self.tokens = nn.Embedding(len(self.vocabulary), c.width)
        self.positions = nn.Parameter(torch.empty(c.max_length, c.width))
        layer = PostNormBlock if c.post_norm else Block
        self.blocks = nn.ModuleList(
            layer(c.width, c.heads, c.hidden, memory=True) for _ in range(c.decoder_layers)
        )
        self.norm: nn.Module = nn.Identity() if c.post_norm else nn.LayerNorm(c.width)
        self.out = nn.Linear(c.width, len(self.vocabulary))
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if name.endswith(("inducing", "seeds")):
                if self.config.post_norm:
                    nn.init.xavier_uniform_(parameter)
                else:  # the published start: all queries are nearly alike and the memory has one direction
                    nn.init.normal_(parameter)
        nn.init.normal_(self.tokens.weight, std=0.02 if not self.config.post_norm else 1.0)
        nn.init.normal_(self.positions, std=0.02)
        nn.init.normal_(self.out.weight, std=0.02)

    def start_from(self, other: Foundation | NeSymReSNet) -> None:
        """Take over the decoder of a foundation model, or all of a network like this with more columns.

        Raises
        ------
        WeightsError
            If the other network has other sizes or another vocabulary.
        """
        state = self.state_dict()
        given = _decoder_of(other) if isinstance(other, Foundation) else dict(other.state_dict())
        if "positions" in given:
            given["positions"] = given["positions"][: self.config.max_length]
        first = "point_in.0.weight"  # (hidden, bits): the bits of each column, then those of the target
        if first in given and given[first].shape != state[first].shape:
            columns, target = given[first].split([given[first].shape[1] - BITS, BITS], dim=1)
            given[first] = torch.cat([columns[:, : self.config.n_variables * BITS], target], dim=1)
        unfit = sorted(k for k, v in given.items() if k not in state or state[k].shape != v.shape)
        if unfit:
            raise WeightsError(
                f"The weights to start from do not fit NeSymReS's network: {unfit[:3]} differ. "
                "Use those of a network of the same width, layers and vocabulary."
            )
        self.load_state_dict({**state, **given})

    def encoder(self) -> BitEncoder:
        """Return what turns examples and tables into bits."""
        c = self.config
        return BitEncoder(
            self.vocabulary,
            c.n_variables,
            c.x_support,
            c.y_support,
            wrapped=c.wrapped_bits,
            blank=c.blank_absent,
        )

    def encode(self, features: Tensor) -> Tensor:
        """Return the memory (B, M, D) of points (B, N, F)."""
        x = self.point_in(features)
        for block in self.set_blocks:
            x = block(x)
        return self.pool(self.seeds, x)  # type: ignore[no-any-return]

    def memory_keys(self, memory: Tensor) -> list[KeysValues]:
        """Return every decoder layer's keys and values of a memory, for reuse over steps."""
        return [block.memory.keys_values(memory) for block in self.blocks]  # type: ignore[operator, union-attr]

    def decode(
        self,
        ids: Tensor,
        memory: list[KeysValues],
        past: list[KeysValues] | None = None,
        sharing: Tensor | None = None,
    ) -> tuple[Tensor, list[KeysValues]]:
        """Return logits (B, T, V) of the next tokens and the keys and values of all positions.

        Parameters
        ----------
        ids : Tensor of shape (B, T)
            Tokens; with ``past``, the ones that follow it.
        memory : list of (keys, values)
            From :meth:`memory_keys`.
        past : list of (keys, values), optional
            What an earlier call returned.
        sharing : Tensor of shape (R, C), bool, optional
            Where several rows share a memory; see :class:`srbench_ext.models.transformer.Block`.
        """
        start = 0 if past is None else past[0][0].shape[2]
        length = ids.shape[1]
        x = self.tokens(ids) + self.positions[start : start + length]
        mask = None
        if length > 1:
            mask = torch.full((length, start + length), float("-inf"), device=ids.device, dtype=x.dtype)
            mask = mask.triu(start + 1)
        present: list[KeysValues] = []
        for i, block in enumerate(self.blocks):
            x, kv = block(
                x, mask=mask, memory=memory[i], past=None if past is None else past[i], sharing=sharing
            )
            present.append(kv)
        return self.out(self.norm(x)), present

    def forward(self, features: Tensor, ids: Tensor) -> Tensor:
        """Return logits (B, T, V) of sequences (B, T) given points (B, N, F)."""
        return self.decode(ids, self.memory_keys(self.encode(features)))[0]

    def loss(self, batch: TensorBatch, step: int) -> tuple[Tensor, Tensor]:
        """Return the mean cross-entropy per token; sums and counts in all, shuffled, and by target length.

        ``shuffled`` is the cross-entropy given the table of another law of as many columns; in training
        it is not computed. Where it is no larger than the first, the network does not read its table.
        """
        each, counted = token_losses(self(batch.features, batch.ids), batch.targets)
        whole = torch.stack([each.detach().sum(), counted.sum().float()])
        shuffled = torch.zeros_like(whole)
        if not self.training:
            others = others_of_equal_columns(batch.features)
            shifted, kept = token_losses(self(batch.features[others], batch.ids), batch.targets)
            shuffled = torch.stack([shifted.sum(), kept.sum().float()])
        parts = torch.cat([torch.stack([whole, shuffled]), tokens_by_length(each, counted)])
        return each.sum() / counted.sum(), parts


def others_of_equal_columns(features: Tensor) -> Tensor:
    """Return for each table (B, N, F) the index of another one with as many columns, where there is one."""
    present = features.view(*features.shape[:2], -1, BITS).abs().amax((1, 3)) > 0
    columns = present.sum(1)
    others = torch.arange(len(features), device=features.device)
    for count in range(int(columns.max()) + 1):
        rows = torch.nonzero(columns == count)[:, 0]
        others[rows] = rows.roll(1)
    return others
