"""E2E's official network: points to memory, memory to formula, at the published sizes.

The parts bear the names of the authors' checkpoints. Where it differs from this package's own blocks:
normalisation stands behind the residual sum, one more stands on the embeddings, and there are no
positions in the encoder. One table is decoded at a time, so that there is no padding. (Kamienny et al.,
arXiv 2204.10532.)
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from srbench_ext.errors import ConfigError
from srbench_ext.models.official.e2e_words import FORMULA_WORDS, POINT_WORDS, WORDS_A_POINT

__all__ = ["Decoder", "E2EConfig", "Embedder", "Encoder", "KeysValues", "OfficialE2E", "Past"]

KeysValues = tuple[Tensor, Tensor]
Past = list[KeysValues]


@dataclass(frozen=True, slots=True)
class E2EConfig:
    """Sizes; the defaults are those of the published checkpoint, with 93,451,508 parameters.

    Attributes
    ----------
    word_width : int
        Width of the embedding of one word of a point.
    point_layers : int
        Hidden layers over the 33 words of a point.
    encoder_width, encoder_layers, encoder_heads, encoder_hidden : int
    decoder_width, decoder_layers, decoder_heads, decoder_hidden : int
    positions : int
        Longest sequence there is a position for.
    """

    word_width: int = 64
    point_layers: int = 1
    encoder_width: int = 512
    encoder_layers: int = 4
    encoder_heads: int = 16
    encoder_hidden: int = 2048
    decoder_width: int = 512
    decoder_layers: int = 16
    decoder_heads: int = 16
    decoder_hidden: int = 2048
    positions: int = 4096

    def __post_init__(self) -> None:
        for part, width, heads in (
            ("encoder", self.encoder_width, self.encoder_heads),
            ("decoder", self.decoder_width, self.decoder_heads),
        ):
            if heads < 1 or width % heads:
                raise ConfigError(f"The {part}'s {heads} heads have to divide its width {width}.")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from a mapping; an unknown key is an error."""
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise ConfigError(
                f"Unknown model settings {sorted(unknown)}; known: {sorted(cls.__dataclass_fields__)}."
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the sizes as a mapping."""
        return asdict(self)


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, memory_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_lin = nn.Linear(width, width)
        self.k_lin = nn.Linear(memory_width, width)
        self.v_lin = nn.Linear(memory_width, width)
        self.out_lin = nn.Linear(width, width)

    def keys_values(self, memory: Tensor) -> KeysValues:
        return self._split(self.k_lin(memory)), self._split(self.v_lin(memory))

    def forward(self, x: Tensor, kv: KeysValues, mask: Tensor | None = None) -> Tensor:
        q = self._split(self.q_lin(x))  # (B, H, T, D / H)
        scores = q @ kv[0].transpose(-2, -1) / math.sqrt(q.shape[-1])  # (B, H, T, M)
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        mixed = scores.softmax(dim=-1) @ kv[1]
        return self.out_lin(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)


def _listed(modules: nn.ModuleList) -> list[_Attention]:
    return [module for module in modules if isinstance(module, _Attention)]


class _FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin2(torch.relu(self.lin1(x)))  # type: ignore[no-any-return]


def _norms(n: int, width: int) -> nn.ModuleList:
    return nn.ModuleList(nn.LayerNorm(width, eps=1e-12) for _ in range(n))


class Embedder(nn.Module):
    """Words of points to one vector a point."""

    def __init__(self, c: E2EConfig) -> None:
        super().__init__()
        width = WORDS_A_POINT * c.word_width
        self.embeddings = nn.Embedding(len(POINT_WORDS), c.word_width)
        self.hidden_layers = nn.ModuleList(nn.Linear(width, width) for _ in range(c.point_layers))
        self.fc = nn.Linear(width, c.encoder_width)

    def forward(self, ids: Tensor) -> Tensor:
        """Map the ids (B, N, 33) of points to (B, N, D)."""
        x = self.embeddings(ids).flatten(2)
        for layer in self.hidden_layers:
            x = torch.relu(layer(x))
        return self.fc(x)  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Self-attention among the points of a table."""

    def __init__(self, c: E2EConfig) -> None:
        super().__init__()
        width, n = c.encoder_width, c.encoder_layers
        self.layer_norm_emb = nn.LayerNorm(width, eps=1e-12)
        self.attentions = nn.ModuleList(_Attention(width, c.encoder_heads, width) for _ in range(n))
        self.layer_norm1 = _norms(n, width)
        self.ffns = nn.ModuleList(_FeedForward(width, c.encoder_hidden) for _ in range(n))
        self.layer_norm2 = _norms(n, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map embedded points (B, N, D) to (B, N, D)."""
        x = self.layer_norm_emb(x)
        for attention, norm1, feed, norm2 in zip(
            _listed(self.attentions), self.layer_norm1, self.ffns, self.layer_norm2, strict=True
        ):
            x = norm1(x + attention(x, attention.keys_values(x)))
            x = norm2(x + feed(x))
        return x


class Decoder(nn.Module):
    """Words of a formula, over the memory of a table."""

    def __init__(self, c: E2EConfig) -> None:
        super().__init__()
        width, n, heads = c.decoder_width, c.decoder_layers, c.decoder_heads
        self.embeddings = nn.Embedding(len(FORMULA_WORDS), width)
        self.position_embeddings = nn.Embedding(c.positions, width)
        self.layer_norm_emb = nn.LayerNorm(width, eps=1e-12)
        self.attentions = nn.ModuleList(_Attention(width, heads, width) for _ in range(n))
        self.layer_norm1 = _norms(n, width)
        self.encoder_attn = nn.ModuleList(_Attention(width, heads, c.encoder_width) for _ in range(n))
        self.layer_norm15 = _norms(n, width)
        self.ffns = nn.ModuleList(_FeedForward(width, c.decoder_hidden) for _ in range(n))
        self.layer_norm2 = _norms(n, width)
        self.proj = nn.Linear(width, len(FORMULA_WORDS))
        self.proj.weight = self.embeddings.weight

    def memory_keys(self, memory: Tensor) -> Past:
        """Return keys and values of memories (G, N, D), a pair a layer."""
        return [attention.keys_values(memory) for attention in _listed(self.encoder_attn)]

    def forward(self, ids: Tensor, memory: Past, past: Past | None = None) -> tuple[Tensor, Past]:
        """Return the logits (B, T, V) of the words after each of ``ids`` (B, T), and keys and values.

        ``memory`` holds keys and values of encoded tables (G, N, D), a pair a layer: each serves the next
        B / G rows, so that one table may serve all. ``past`` are those of the words before ``ids``.
        """
        start = 0 if past is None else past[0][0].shape[2]
        length = ids.shape[1]
        at = torch.arange(start, start + length, device=ids.device)
        x = self.layer_norm_emb(self.embeddings(ids) + self.position_embeddings(at))
        causal = None
        if length > 1:
            causal = torch.arange(start + length, device=ids.device)[None, :] <= at[:, None]
        present: Past = []
        for i, attention in enumerate(_listed(self.attentions)):
            kv = attention.keys_values(x)
            if past is not None:
                kv = (torch.cat([past[i][0], kv[0]], 2), torch.cat([past[i][1], kv[1]], 2))
            present.append(kv)
            x = self.layer_norm1[i](x + attention(x, kv, causal))
            # every word of a table's rows is one more query to its memory, which is never copied
            queries = x.reshape(len(memory[i][0]), -1, x.shape[2])
            seen = self.encoder_attn[i](queries, memory[i]).view_as(x)
            x = self.layer_norm15[i](x + seen)
            x = self.layer_norm2[i](x + self.ffns[i](x))
        return self.proj(x), present


class OfficialE2E(nn.Module):
    """E2E's network as its authors released it.

    Parameters
    ----------
    config : E2EConfig
    """

    def __init__(self, config: E2EConfig) -> None:
        super().__init__()
        self.config = config
        self.embedder = Embedder(config)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def tie(self) -> None:
        """Make the output layer's matrix the embedding table again, after parameters were assigned."""
        self.decoder.proj.weight = self.decoder.embeddings.weight

    def encode(self, ids: Tensor) -> Tensor:
        """Return the memory (B, N, D) of points with the ids (B, N, 33)."""
        return self.encoder(self.embedder(ids))  # type: ignore[no-any-return]

    def memory_keys(self, memory: Tensor) -> Past:
        """Return keys and values of a memory (1, N, D) for every decoder layer."""
        return self.decoder.memory_keys(memory)

    def decode(self, ids: Tensor, memory: Past, past: Past | None = None) -> tuple[Tensor, Past]:
        """Return the logits (B, T, V) after each of ``ids`` (B, T), and keys and values so far."""
        return self.decoder(ids, memory, past)  # type: ignore[no-any-return]
