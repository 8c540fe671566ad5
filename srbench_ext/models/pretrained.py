"""What the trainer asks of a network, and what the loss of tokens is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from srbench_ext.models.batches import IGNORED, Batch, ExampleEncoder
from srbench_ext.models.tokens import Vocabulary
from srbench_ext.models.transformer import Attention, FeedForward

__all__ = ["Pretrained", "TensorBatch", "token_losses", "tokens_by_length"]

LENGTHS = (("short", 0, 10), ("middle", 10, 20), ("long", 20, 1000))
"""Classes of target length, in tokens: name, from, below."""


class _Config(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class TensorBatch:
    """A :class:`srbench_ext.models.batches.Batch` as tensors on the device that trains."""

    features: Tensor
    ids: Tensor
    targets: Tensor
    modes: Tensor
    extra: dict[str, Tensor]

    @classmethod
    def of(cls, batch: Batch, device: torch.device) -> TensorBatch:
        """Move a batch to a device."""
        arrays = (batch.features, batch.ids, batch.targets, batch.modes)
        features, ids, targets, modes = (torch.from_numpy(array).to(device) for array in arrays)
        extra = {name: torch.from_numpy(array).to(device) for name, array in batch.extra.items()}
        return cls(features, ids, targets, modes, extra)


class Pretrained(nn.Module, ABC):
    """A network that the trainer trains and the package ships.

    Attributes
    ----------
    config
        A frozen dataclass with ``to_dict``; the card of the weights holds it.
    vocabulary : Vocabulary
    parts : tuple of str
        Names of the losses that the log tells apart, in the order of the rows that :meth:`loss` returns.
    matrix_parts : tuple of type
        Modules whose own linear layers Muon trains.
    """

    config: _Config
    vocabulary: Vocabulary
    parts: ClassVar[tuple[str, ...]]
    matrix_parts: ClassVar[tuple[type[nn.Module], ...]] = (Attention, FeedForward)

    @abstractmethod
    def loss(self, batch: TensorBatch, step: int) -> tuple[Tensor, Tensor]:
        """Return what is minimised, and of each of :attr:`parts` the sum and the count, (P, 2), detached.

        ``step`` is the number of the training step, for weights that change over the training
        (annealing); in validation it is the step reached.
        """

    def encoder(self) -> ExampleEncoder:
        """Return what turns examples into the arrays of a batch."""
        return ExampleEncoder(self.vocabulary)


def token_losses(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy (B, T) of logits (B, T, V), 0 where none is learned, and what is learned."""
    each = nn.functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
    ).view_as(targets)
    return each, targets != IGNORED


def tokens_by_length(each: Tensor, counted: Tensor) -> Tensor:
    """Return sums and counts of token losses by class of target length, (3, 2): short, middle, long."""
    lengths = counted.sum(1)
    sums = torch.stack([each.detach().sum(1), lengths.float()], dim=1)
    rows = [sums[(lengths >= low) & (lengths < high)].sum(0) for _, low, high in LENGTHS]
    return torch.stack(rows)
