"""The foundation model: points to memory, memory to formula.

Layers over the points, a pool of learned queries that gathers them into a short memory, layers over
the memory, and a causal decoder that attends to it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from srbench_ext.errors import ConfigError
from srbench_ext.models.encoders import POINT_FEATURES
from srbench_ext.models.pretrained import LENGTHS, Pretrained, TensorBatch, token_losses, tokens_by_length
from srbench_ext.models.statistics import TABLE_STATISTICS, table_statistics
from srbench_ext.models.tokens import MODES, Vocabulary
from srbench_ext.models.transformer import Block

__all__ = ["Foundation", "FoundationConfig", "KeysValues"]

KeysValues = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class FoundationConfig:
    """Sizes of the network; the defaults have 4.1 million parameters.

    Attributes
    ----------
    width, heads, hidden, point_hidden : int
        Width of the residual stream, attention heads, width of the feed-forward layers, and of those
        over the points, where most of the compute is.
    point_layers, memory_layers, decoder_layers : int
    memory_length : int
        Number of learned queries that pool the points.
    max_length : int
        Longest sequence, the mode token included.
    digits : int
        Decimal digits of a predicted mantissa.
    statistics_length : int
        Places of the memory that hold statistics of the table; 0 in weights that were trained without.
    """

    width: int = 192
    heads: int = 4
    hidden: int = 768
    point_hidden: int = 384
    point_layers: int = 2
    memory_layers: int = 1
    decoder_layers: int = 4
    memory_length: int = 16
    max_length: int = 112
    digits: int = 4
    statistics_length: int = 0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FoundationConfig:
        """Build from a mapping; an unknown key is an error."""
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise ConfigError(
                f"Unknown model settings {sorted(unknown)}; known: {sorted(cls.__dataclass_fields__)}."
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a mapping."""
        return asdict(self)


class Foundation(Pretrained):
    """Encoder of a table and decoder of its formula.

    Parameters
    ----------
    config : FoundationConfig
    """

    parts: ClassVar[tuple[str, ...]] = (
        *(mode.strip("<>") for mode in MODES),
        *(name for name, _, _ in LENGTHS),
    )
    config: FoundationConfig

    def __init__(self, config: FoundationConfig) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = Vocabulary(config.digits)
        c = config
        self.point_in = nn.Sequential(
            nn.Linear(POINT_FEATURES, 2 * c.width), nn.GELU(), nn.Linear(2 * c.width, c.width)
        )
        self.point_blocks = nn.ModuleList(
            Block(c.width, c.heads, c.point_hidden) for _ in range(c.point_layers)
        )
        self.point_norm = nn.LayerNorm(c.width)
        self.queries = nn.Parameter(torch.empty(c.memory_length, c.width))
        self.pool = Block(c.width, c.heads, c.hidden, own=False, memory=True)
        self.statistics_in = (
            nn.Sequential(
                nn.Linear(TABLE_STATISTICS, 2 * c.width),
                nn.GELU(),
                nn.Linear(2 * c.width, c.statistics_length * c.width),
            )
            if c.statistics_length
            else None
        )
        self.memory_blocks = nn.ModuleList(Block(c.width, c.heads, c.hidden) for _ in range(c.memory_layers))
        self.memory_norm = nn.LayerNorm(c.width)
        self.tokens = nn.Embedding(len(self.vocabulary), c.width)
        self.positions = nn.Parameter(torch.empty(c.max_length, c.width))
        self.blocks = nn.ModuleList(
            Block(c.width, c.heads, c.hidden, memory=True) for _ in range(c.decoder_layers)
        )
        self.norm = nn.LayerNorm(c.width)
        self.bias = nn.Parameter(torch.zeros(len(self.vocabulary)))
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02 if module.in_features > 64 else 0.1)
                nn.init.zeros_(module.bias)
        depth = 2 * (self.config.decoder_layers + self.config.point_layers + self.config.memory_layers)
        for name, parameter in self.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                nn.init.normal_(parameter, std=0.02 / depth**0.5)
        nn.init.normal_(self.tokens.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.02)
        nn.init.normal_(self.queries, std=1.0 if self.statistics_in is None else 0.02)

    def encode(self, features: Tensor) -> Tensor:
        """Return the memory (B, M, D) of points (B, N, F)."""
        x = self.point_in(features)
        for block in self.point_blocks:
            x, _ = block(x)
        assert isinstance(self.pool.memory, nn.Module)
        kv = self.pool.memory.keys_values(self.point_norm(x))
        x, _ = self.pool(self.queries.expand(len(features), -1, -1), memory=kv)
        if self.statistics_in is not None:
            told = self.statistics_in(table_statistics(features))
            x = torch.cat([x, told.unflatten(-1, (self.config.statistics_length, -1)).to(x.dtype)], dim=1)
        for block in self.memory_blocks:
            x, _ = block(x)
        return self.memory_norm(x)  # type: ignore[no-any-return]

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
        x = self.norm(x)
        return x @ self.tokens.weight.to(x.dtype).T + self.bias.to(x.dtype), present

    def forward(self, features: Tensor, ids: Tensor) -> Tensor:
        """Return logits (B, T, V) of sequences (B, T) given points (B, N, F)."""
        return self.decode(ids, self.memory_keys(self.encode(features)))[0]

    def loss(self, batch: TensorBatch, step: int) -> tuple[Tensor, Tensor]:
        """Return the mean cross-entropy per token; sums and counts by mode, then by target length."""
        each, counted = token_losses(self(batch.features, batch.ids), batch.targets)
        by_mode = torch.zeros(len(MODES), 2, device=each.device)
        sums = torch.stack([each.detach().sum(1), counted.sum(1).float()], dim=1)
        by_mode.index_add_(0, batch.modes, sums)
        return each.sum() / counted.sum(), torch.cat([by_mode, tokens_by_length(each, counted)])
