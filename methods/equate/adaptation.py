"""Step 2 of EQUATE: the modules learn from the candidates of this table.

The loss is that of the specification: Huber on fitness and simplicity, the mean token likelihood of
the candidate given its fused embedding, and a soft alignment of data and equation that weighs pairs
by quality.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch._dynamo  # the first optimiser imports it: seconds that belong to loading, not to the search
from numpy.typing import NDArray
from torch import Tensor

from srbench_ext.models.tokens import Vocabulary

from .labels import fitness_label, simplicity_label
from .model import EquateModel

__all__ = ["Adapter", "Labelled", "fitness_label", "improved", "pad_ids", "simplicity_label"]


_DRAWN = 24
_BETTER = 0.02


@dataclass(frozen=True, slots=True)
class Labelled:
    """A candidate with its labels."""

    prefix: tuple[str, ...]
    fitness: float
    simplicity: float


def pad_ids(vocabulary: Vocabulary, prefixes: Sequence[Sequence[str]]) -> Tensor:
    """Return skeletons as ids (B, T), each behind the mode token and followed by the end token."""
    rows = [vocabulary.encode(["<skeleton>", *prefix, "<eos>"]) for prefix in prefixes]
    ids = np.full((len(rows), max(map(len, rows))), vocabulary.pad, np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    return torch.from_numpy(ids)


def improved(choice: random.Random, candidate: Labelled, known: Sequence[Labelled]) -> Labelled:
    """Return the nearest better one among a few of the known candidates; the candidate if none is better.

    Near is in the number of tokens that only one of both has.
    """
    drawn = [choice.choice(known) for _ in range(_DRAWN)]
    better = [c for c in drawn if c.fitness > candidate.fitness + _BETTER]
    tokens = Counter(candidate.prefix)

    def distance(other: Labelled) -> int:
        theirs = Counter(other.prefix)
        return (tokens - theirs).total() + (theirs - tokens).total()

    return min(better, key=distance, default=candidate)


class Adapter:
    """Trains the free parameters of an :class:`EquateModel` on labelled candidates.

    Parameters
    ----------
    model : EquateModel
    memory : Tensor of shape (R, M, D)
        The encoded bags, cached: the encoder is frozen.
    rng : numpy.random.Generator
    learning_rate : float
    alignment : float
        Weight of the alignment term; 0 leaves it out.
    equation_dropout : float
        Share of equations replaced by the null token, so that the decoder stays one of data alone.
    noise : float
        Deviation of the noise on Z, over its root mean square.
    gate_speed : float
        Learning rate of the gate over that of the modules: few steps have to open it where it begins at zero.
    """

    def __init__(
        self,
        model: EquateModel,
        memory: Tensor,
        rng: np.random.Generator,
        *,
        learning_rate: float = 1e-3,
        alignment: float = 0.1,
        equation_dropout: float = 0.3,
        noise: float = 0.1,
        gate_speed: float = 50.0,
    ) -> None:
        self.model, self.memory, self.rng = model, memory, rng
        self.alignment, self.equation_dropout, self.noise = alignment, equation_dropout, noise
        self.uniform = False  # True weighs all candidates alike in the decoder's loss
        gate = model.gate
        low_rank = {id(p) for adapter in model.adapters for p in adapter.parameters()}
        new = [p for p in model.trained_parameters() if id(p) not in low_rank and p is not gate]
        thin = [p for p in model.trained_parameters() if id(p) in low_rank]
        groups = [
            {"params": new, "lr": learning_rate},
            {"params": thin, "lr": learning_rate / 10},
            {"params": [gate], "lr": gate_speed * learning_rate},
        ]
        self.optimiser = torch.optim.AdamW([g for g in groups if g["params"]], weight_decay=0.01)
        self.generator = torch.Generator().manual_seed(int(rng.integers(2**62)))

    def step(
        self,
        candidates: Sequence[Labelled],
        *,
        reconstruct: bool,
        targets: Sequence[Labelled] | None = None,
    ) -> float:
        """Take one step on a batch of candidates, with or without the decoder; return the loss.

        With ``targets``, one for each candidate, the decoder learns to write these instead.
        """
        model = self.model
        ids = pad_ids(model.foundation.vocabulary, [c.prefix for c in candidates])
        memory = self.memory[torch.from_numpy(self.rng.integers(len(self.memory), size=len(candidates)))]
        fitness = torch.tensor([c.fitness for c in candidates], dtype=torch.float32)
        simplicity = torch.tensor([c.simplicity for c in candidates], dtype=torch.float32)
        dropped = torch.from_numpy(self.rng.random(len(candidates)) < self.equation_dropout)
        kept = model.fuse(memory, ids)
        loss = self._quality(kept, fitness, simplicity)
        if self.alignment:
            loss = loss + self.alignment * self._alignment(memory, ids, fitness)
        if reconstruct:
            embedding = model.fuse(memory, ids, dropped)
            wanted = candidates if targets is None else targets
            written = pad_ids(model.foundation.vocabulary, [c.prefix for c in wanted])
            worth = torch.tensor([c.fitness for c in wanted], dtype=torch.float32)
            loss = loss + self._likelihood(self._noisy(embedding), written, worth)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.trained_parameters(), 1.0)
        self.optimiser.step()
        return float(loss.detach())

    def _quality(self, embedding: Tensor, fitness: Tensor, simplicity: Tensor) -> Tensor:
        verdict = self.model.judge(self._noisy(embedding))
        huber = torch.nn.functional.huber_loss
        members = len(verdict.fitness)
        return huber(verdict.fitness, fitness.expand(members, -1), delta=0.2) * 10 + 3 * huber(
            verdict.simplicity, simplicity.expand(members, -1), delta=0.2
        )

    def _likelihood(self, embedding: Tensor, ids: Tensor, fitness: Tensor) -> Tensor:
        logits = self.model.decode(embedding, ids[:, :-1])
        targets = ids[:, 1:]
        each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        counted = (targets != self.model.foundation.vocabulary.pad).float()
        mean = (each.view_as(targets) * counted).sum(1) / counted.sum(1)
        ranks = fitness.argsort().argsort().float() / max(1, len(fitness) - 1)
        even = torch.full_like(fitness, 1.0 / len(fitness))
        weights = even if self.uniform else 0.5 * even + 0.5 * (ranks / 0.2).softmax(0)
        loss: Tensor = (weights * mean).sum()
        return loss

    def _alignment(self, memory: Tensor, ids: Tensor, fitness: Tensor) -> Tensor:
        """Cross-entropy between qualities and the cosines of pooled data and pooled equation."""
        states = self.model.embed_equation(ids)
        counted = (ids != self.model.foundation.vocabulary.pad).float()[..., None]
        pooled = (states * counted).sum(1) / counted.sum(1)
        cosine = torch.nn.functional.cosine_similarity(memory.mean(1), pooled, dim=-1)
        wanted = (fitness / 0.2).softmax(0)
        return -(wanted * (cosine / 0.1).log_softmax(0)).sum()

    def _noisy(self, embedding: Tensor) -> Tensor:
        if not self.noise:
            return embedding
        size = embedding.detach().pow(2).mean().sqrt() * self.noise
        return embedding + size * torch.randn(embedding.shape, generator=self.generator)

    @torch.no_grad()
    def rank_correlation(self, candidates: Sequence[Labelled]) -> float:
        """Return Kendall's tau between labels and predicted fitness; 0 when it is not defined."""
        if len(candidates) < 5:
            return 0.0
        ids = pad_ids(self.model.foundation.vocabulary, [c.prefix for c in candidates])
        embedding = self.model.fuse(self.memory[:1].expand(len(candidates), -1, -1), ids)
        predicted = self.model.judge(embedding).fitness.mean(0).numpy().astype(np.float64)
        return _kendall(np.array([c.fitness for c in candidates]), predicted)


def _kendall(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    signs = np.sign(a[:, None] - a[None, :]) * np.sign(b[:, None] - b[None, :])
    pairs = np.count_nonzero(np.sign(a[:, None] - a[None, :]))
    return float(signs.sum() / pairs) if pairs else 0.0
