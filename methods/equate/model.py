"""The shared embedding: data memory, equation encoder, gated fusion, evaluator, adapted decoder.

With A the memory of the data and H the states of an LSTM over an equation,

    Z = A + gate * fusion(A, H),

which has the shape that the foundation model's decoder expects. The low-rank updates of the decoder are
behind the same gate: at gate 0, Z is A and the decoder is the foundation model itself, bit for bit.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from srbench_ext.models.foundation import Foundation
from srbench_ext.models.transformer import Attention

from .modules import Evaluator, FusionLayer, LowRank, Verdict

__all__ = ["EquateModel", "build"]


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
    fusion_layers : int
        Further layers of the fusion behind its attention; the reference formulation has none.
    """

    def __init__(
        self, foundation: Foundation, *, rank: int = 8, adapted_layers: int = 2, fusion_layers: int = 0
    ) -> None:
        super().__init__()
        self.foundation = copy.deepcopy(foundation).requires_grad_(False)
        width, heads = foundation.config.width, foundation.config.heads
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.null = nn.Parameter(torch.randn(1, width) * 0.02)
        self.fusion = Attention(width, heads)
        self.fusion_layers = nn.ModuleList(FusionLayer(width, heads) for _ in range(fusion_layers))
        self.fusion_norm = nn.LayerNorm(width)
        self.gate = nn.Parameter(torch.zeros(1))
        self.evaluator = Evaluator(width)
        self.adapters = nn.ModuleList()
        if rank:
            for block in self.foundation.blocks[-adapted_layers:]:
                attention = block.memory
                assert isinstance(attention, Attention)
                attention.q = LowRank(attention.q, rank, self.gate)  # type: ignore[assignment]
                attention.kv = LowRank(attention.kv, rank, self.gate)  # type: ignore[assignment]
                self.adapters += [attention.q, attention.kv]

    def thawed(self) -> EquateModel:
        """Return a copy whose modules and updates learn, and whose foundation model does not."""
        model = copy.deepcopy(self)
        for name, parameter in model.named_parameters():
            updates = name.endswith((".q.up", ".q.down", ".kv.up", ".kv.down"))
            parameter.requires_grad_(updates or not name.startswith("foundation."))
        return model

    def updates(self) -> list[nn.Parameter]:
        """Return the thin matrices of the decoder's low-rank updates."""
        return [p for name, p in self.adapters.named_parameters() if ".base." not in name]

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
            states = torch.where(dropped[:, None, None], self.null.to(states.dtype), states)
            mask = torch.where(dropped[:, None], 0.0, mask)
        mask = mask[:, None, None, :]
        told = self.fusion(memory, self.fusion.keys_values(states), mask)
        for layer in self.fusion_layers:
            told = told + layer(memory + told, states, mask)
        embedding: Tensor = memory + self.gate * told
        return embedding

    def judge(self, embedding: Tensor) -> Verdict:
        """Return the evaluator's verdict on embeddings (B, M, D)."""
        return self.evaluator(embedding.mean(dim=1))  # type: ignore[no-any-return]

    def decode(self, embedding: Tensor, ids: Tensor) -> Tensor:
        """Return the decoder's logits (B, T, V) for sequences (B, T)."""
        return self.foundation.decode(ids, self.foundation.memory_keys(embedding))[0]

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Close the gate for a while, where no gradient is taken: the decoder is the foundation model's."""
        opening = self.gate.detach().clone()
        with torch.no_grad():
            self.gate.zero_()
        try:
            yield
        finally:
            with torch.no_grad():
                self.gate.copy_(opening)


def build(values: dict[str, Any]) -> nn.Module:
    """Make the network of a card; its foundation model is random."""
    from .repairer import from_card  # which imports this module

    return from_card(values)
