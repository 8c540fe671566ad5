"""The shared embedding: data memory, equation encoder, gated fusion, evaluator, adapted decoder.

With A the memory of the data and H the states of an LSTM over an equation,

    Z = A + gate * attention(queries A, keys and values H),

which has the shape that the foundation model's decoder expects. At gate 0, Z is A and the decoder is
the foundation model itself, bit for bit.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srbench_ext.models.foundation import Foundation
from srbench_ext.models.transformer import Attention

__all__ = ["EquateModel", "Evaluator", "LowRank", "Verdict"]


class LowRank(nn.Module):
    """A frozen linear layer plus a trainable product of two thin matrices, zero at first."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(rank, base.in_features) * base.in_features**-0.5)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        return self.base(x) + (x @ self.down.T) @ self.up.T  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the evaluator says of embeddings; each of shape (members, B).

    Attributes
    ----------
    fitness, simplicity : Tensor
        Predicted labels in [0, 1].
    """

    fitness: Tensor
    simplicity: Tensor

    def lower_bound(self, weight: float, caution: float) -> Tensor:
        """Return mean fitness + weight x mean simplicity - caution x deviation of fitness, (B,)."""
        spread = self.fitness.std(dim=0) if len(self.fitness) > 1 else 0.0
        return self.fitness.mean(dim=0) + weight * self.simplicity.mean(dim=0) - caution * spread


class Evaluator(nn.Module):
    """An ensemble of two-layer perceptrons with a fitness and a simplicity head each.

    Parameters
    ----------
    width : int
        Of the pooled embedding.
    hidden : int
    members : int
        The deviation over members is the doubt that the search subtracts.
    """

    def __init__(self, width: int, hidden: int = 200, members: int = 5) -> None:
        super().__init__()
        sizes = ((width, hidden), (hidden, hidden), (hidden, 2))
        self.weights = nn.ParameterList(torch.randn(members, a, b) * a**-0.5 for a, b in sizes)
        self.biases = nn.ParameterList(torch.zeros(members, 1, b) for _, b in sizes)

    def forward(self, pooled: Tensor) -> Verdict:
        """Judge pooled embeddings (B, D)."""
        x = pooled.expand(len(self.weights[0]), -1, -1)  # (members, B, D)
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ weight + bias
            if i < 2:
                x = nn.functional.gelu(x)
        return Verdict(x[..., 0].sigmoid(), x[..., 1].sigmoid())


class EquateModel(nn.Module):
    """A foundation model with an equation encoder, a fusion and an evaluator on it.

    Parameters
    ----------
    foundation : Foundation
        Copied, so that adapting leaves the caller's weights alone. Its encoder stays frozen; in the last
        ``adapted_layers`` decoder layers the attention to the memory gets low-rank updates.
    rank : int
        Of the updates; 0 for none.
    adapted_layers : int
    """

    def __init__(self, foundation: Foundation, *, rank: int = 8, adapted_layers: int = 2) -> None:
        super().__init__()
        self.foundation = copy.deepcopy(foundation).requires_grad_(False)
        width, heads = foundation.config.width, foundation.config.heads
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.null = nn.Parameter(torch.randn(1, width) * 0.02)
        self.fusion = Attention(width, heads)
        self.fusion_norm = nn.LayerNorm(width)
        self.gate = nn.Parameter(torch.zeros(1))
        self.evaluator = Evaluator(width)
        self.adapters = nn.ModuleList()
        if rank:
            for block in self.foundation.blocks[-adapted_layers:]:
                attention = block.memory
                assert isinstance(attention, Attention)
                attention.q = LowRank(attention.q, rank)  # type: ignore[assignment]
                attention.kv = LowRank(attention.kv, rank)  # type: ignore[assignment]
                self.adapters += [attention.q, attention.kv]

    def trained_parameters(self) -> list[nn.Parameter]:
        """Return everything that is not frozen."""
        return [p for p in self.parameters() if p.requires_grad]

    def embed_equation(self, ids: Tensor) -> Tensor:
        """Return the states (B, T, D) of equations (B, T); padding is masked in :meth:`fuse`."""
        states, _ = self.lstm(self.foundation.tokens(ids))
        return self.fusion_norm(states)  # type: ignore[no-any-return]

    def fuse(self, memory: Tensor, ids: Tensor, dropped: Tensor | None = None) -> Tensor:
        """Return the shared embedding Z (B, M, D).

        Parameters
        ----------
        memory : Tensor of shape (B, M, D)
        ids : Tensor of shape (B, T)
            Equations, padded.
        dropped : Tensor of bool of shape (B,), optional
            Rows whose equation is replaced by a learned token.
        """
        states = self.embed_equation(ids)
        mask = torch.where(ids == self.foundation.vocabulary.pad, float("-inf"), 0.0)  # (B, T)
        if dropped is not None:
            states = torch.where(dropped[:, None, None], self.null, states)
            mask = torch.where(dropped[:, None], 0.0, mask)
        mixed = self.fusion(memory, self.fusion.keys_values(states), mask[:, None, None, :])
        embedding: Tensor = memory + self.gate * mixed
        return embedding

    def judge(self, embedding: Tensor) -> Verdict:
        """Return the evaluator's verdict on embeddings (B, M, D)."""
        return self.evaluator(embedding.mean(dim=1))  # type: ignore[no-any-return]

    def decode(self, embedding: Tensor, ids: Tensor) -> Tensor:
        """Return the decoder's logits (B, T, V) for sequences (B, T)."""
        return self.foundation.decode(ids, self.foundation.memory_keys(embedding))[0]
