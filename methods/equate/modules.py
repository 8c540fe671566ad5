"""The parts that EQUATE puts on a foundation model: low-rank updates, fusion layers, the evaluator."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srbench_ext.models.transformer import Attention, FeedForward

__all__ = ["Evaluator", "FusionLayer", "LowRank", "Verdict"]


class LowRank(nn.Module):
    """A frozen linear layer plus a trainable product of two thin matrices, zero at first.

    Parameters
    ----------
    base : torch.nn.Linear
    rank : int
    gate : torch.nn.Parameter
        Multiplies the product; the caller owns it, so that it is not a parameter of this module.
    """

    def __init__(self, base: nn.Linear, rank: int, gate: nn.Parameter) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(rank, base.in_features) * base.in_features**-0.5)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        self._gate = (gate,)  # in a tuple, where torch does not see it

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        return self.base(x) + self._gate[0] * ((x @ self.down.T) @ self.up.T)  # type: ignore[no-any-return]


class FusionLayer(nn.Module):
    """Attention of the memory over the states of an equation, and a feed-forward layer.

    Parameters
    ----------
    width, heads : int
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_feed = nn.LayerNorm(width)
        self.feed = FeedForward(width, 2 * width)

    def forward(self, x: Tensor, states: Tensor, mask: Tensor) -> Tensor:
        """Return what is to be added to x (B, M, D), given states (B, T, D) and their mask (B, 1, 1, T)."""
        told: Tensor = self.attention(self.norm(x), self.attention.keys_values(states), mask)
        return told + self.feed(self.norm_feed(x + told))  # type: ignore[no-any-return]


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
