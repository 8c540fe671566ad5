"""The network of GenSR: a table to a distribution over a latent space, a point of it to a formula.

After Li et al., *GenSR: Symbolic regression based on equation generative space* (ICLR 2026). One
encoder serves two branches: the prior sees the points, the posterior sees the points and the formula.
Both are diagonal Gaussians. A point of the latent space becomes a short memory that the decoder of the
foundation model attends to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.latent import LatentNet
from srbench_ext.models.pretrained import LENGTHS, TensorBatch, token_losses, tokens_by_length
from srbench_ext.models.statistics import table_statistics

__all__ = ["Gaussian", "GenSRConfig", "GenSRNet", "build", "divergence"]

LARGEST_LOG_VARIANCE = 8.0
"""Log variances are cut at this size; the released code has no bound."""

FIRST_LOG_VARIANCE = -3.0
"""Of both branches when training begins: narrow beside means of unit variance."""


@dataclass(frozen=True, slots=True)
class GenSRConfig(FoundationConfig):
    """Sizes of the network and weights of its loss; the defaults have 5.1 million parameters.

    Attributes
    ----------
    latent : int
        Dimensions of the latent space.
    slots : int
        Vectors that a point of the latent space is expanded to, for the decoder to attend to.
    kl_weight, kl_steps : float, int
        Weight of the divergence per example beside the cross-entropy per token, and the steps over
        which it rises from zero. The released code ends at 1.0, which is about twelve times the
        evidence bound at our lengths; the bound itself is one over the length of a formula.
    free_nats : float
        Divergence of a dimension, averaged over a batch, below which it costs nothing.
    prior_weight : float
        Weight of the reconstruction from the prior; the paper's bound has none, its code 1.
    prior_samples, posterior_samples : int
        A drawn latent point is the average of so many draws. The released code averages 200 in both
        branches, which leaves a fourteenth of the deviation.
    """

    latent: int = 64
    slots: int = 16
    kl_weight: float = 0.03
    kl_steps: int = 1000
    free_nats: float = 0.05
    prior_weight: float = 1.0
    prior_samples: int = 200
    posterior_samples: int = 1


class Gaussian(NamedTuple):
    """Diagonal Gaussians: ``mean`` and ``log_variance``, both (B, L)."""

    mean: Tensor
    log_variance: Tensor

    def draw(self, n_averaged: int) -> Tensor:
        """Return the average of ``n_averaged`` draws each, (B, L), drawn at once from its distribution."""
        deviation: Tensor = (0.5 * self.log_variance).exp() / n_averaged**0.5
        return self.mean + deviation * torch.randn_like(self.mean)


def divergence(posterior: Gaussian, prior: Gaussian) -> Tensor:
    """Return the Kullback-Leibler divergence of each dimension in nats, (B, L)."""
    difference = posterior.log_variance - prior.log_variance
    distance = (posterior.mean - prior.mean) ** 2 * (-prior.log_variance).exp()
    return 0.5 * (distance + difference.exp() - difference - 1.0)


class GenSRNet(LatentNet):
    """Conditional variational autoencoder of skeletons.

    Parameters
    ----------
    config : GenSRConfig

    Notes
    -----
    Points and tokens of the formula go through one encoder as one sequence in which points attend to
    points alone: the prior is what the points give, at the cost of one pass for both branches. Pads
    are masked everywhere.
    """

    parts: ClassVar[tuple[str, ...]] = ("prior", "posterior", "shuffled", "kl", *(n for n, _, _ in LENGTHS))
    config: GenSRConfig

    def __init__(self, config: GenSRConfig) -> None:
        super().__init__(config)
        c = config
        self.of_formula = nn.Parameter(torch.zeros(c.width))
        length = (c.memory_length + c.statistics_length) * c.width
        self.prior = nn.Linear(length, 2 * c.latent)
        self.posterior = nn.Linear(length, 2 * c.latent)
        self._make_mapper(c.latent, c.slots)
        self._initialise_bottleneck()

    def _initialise_bottleneck(self) -> None:
        nn.init.normal_(self.of_formula, std=0.02)
        nn.init.normal_(self.prior.weight, std=self.prior.in_features**-0.5)
        nn.init.zeros_(self.prior.bias)
        self._initialise_mapper()
        self._narrow()

    def _narrow(self) -> None:
        """Give both branches the means of the prior and one small variance."""
        with torch.no_grad():
            self.prior.weight[self.config.latent :] = 0.0
            self.prior.bias[self.config.latent :] = FIRST_LOG_VARIANCE
        self.posterior.load_state_dict(self.prior.state_dict())

    def start_from(self, foundation: Foundation, features: Tensor) -> None:
        """Take over a foundation model; see :meth:`srbench_ext.models.latent.LatentNet.take_over`."""
        self.take_over(foundation, features, self.prior)
        self._narrow()

    # ---------------------------------------------------------------- encoder
    def prior_of(self, features: Tensor) -> Gaussian:
        """Return the prior of points (B, N, F)."""
        x = self.point_in(features)
        for block in self.point_blocks:
            x, _ = block(x)
        return self._gaussian(self.prior, self._pooled(features, x, None)[:, 0])

    def place(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance (B, L) of the prior of points (B, N, F)."""
        return self.prior_of(features)

    def both_of(self, features: Tensor, ids: Tensor) -> tuple[Gaussian, Gaussian]:
        """Return prior and posterior of points (B, N, F) and formulas (B, T), padded."""
        n_points, length = features.shape[1], ids.shape[1]
        formula = self.tokens(ids) + self.positions[:length] + self.of_formula
        x = torch.cat([self.point_in(features), formula], dim=1)  # (B, N + T, D)
        hidden = torch.zeros(len(ids), n_points + length, device=x.device, dtype=x.dtype)
        hidden[:, n_points:].masked_fill_(ids == self.vocabulary.pad, float("-inf"))
        points_only = torch.zeros_like(hidden[0])
        points_only[n_points:] = float("-inf")
        mask = hidden[:, None, None, :].repeat(1, 1, n_points + length, 1)
        mask[:, :, :n_points] = points_only
        for block in self.point_blocks:
            x, _ = block(x, mask=mask)
        seen = torch.stack([points_only.expand_as(hidden), hidden], dim=1)  # (B, 2, N + T)
        pooled = self._pooled(features, x, seen)
        return self._gaussian(self.prior, pooled[:, 0]), self._gaussian(self.posterior, pooled[:, 1])

    def _pooled(self, features: Tensor, x: Tensor, seen: Tensor | None) -> Tensor:
        """Pool (B, S, D) by the learned queries once for each branch of ``seen`` (B, P, S): (B, P, M * D).

        The statistics of the points (B, N, F) are told to each branch beside them, as to the foundation.
        """
        pool, n_queries = self.pool, len(self.queries)
        assert pool.memory is not None
        assert pool.norm_memory is not None
        branches = 1 if seen is None else seen.shape[1]
        kv = pool.memory.keys_values(self.point_norm(x))
        mask = None if seen is None else seen.repeat_interleave(n_queries, dim=1)[:, None]
        queries = self.queries.repeat(branches, 1).expand(len(x), -1, -1)
        memory = queries + pool.memory(pool.norm_memory(queries), kv, mask)
        memory = memory + pool.feed(pool.norm_feed(memory))
        memory = memory.reshape(len(x) * branches, n_queries, -1)
        if self.statistics_in is not None:
            told = self.statistics_in(table_statistics(features)).to(x.dtype)
            told = told.unflatten(-1, (self.config.statistics_length, -1)).repeat_interleave(branches, dim=0)
            memory = torch.cat([memory, told], dim=1)
        for block in self.memory_blocks:
            memory, _ = block(memory)
        return self.memory_norm(memory).reshape(len(x), branches, -1)  # type: ignore[no-any-return]

    def _gaussian(self, head: nn.Linear, pooled: Tensor) -> Gaussian:
        mean, log_variance = head(pooled).float().chunk(2, dim=-1)
        return Gaussian(mean, log_variance.clamp(-LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE))

    # ---------------------------------------------------------------- decoder
    def encode(self, features: Tensor) -> Tensor:
        """Return the memory (B, S, D) of the prior mean of points (B, N, F)."""
        return self.memory_of(self.prior_of(features).mean)

    # ---------------------------------------------------------------- training
    def loss(self, batch: TensorBatch, step: int) -> tuple[Tensor, Tensor]:
        """Return cross-entropy from both branches and the weighted divergence; sums and counts of parts.

        ``shuffled`` is the cross-entropy from the prior of another example; in training it is not
        computed. ``kl`` is in nats per example. The lengths are those of the prior's cross-entropy.
        """
        c = self.config
        prior, posterior = self.both_of(batch.features, batch.ids)
        z = [prior.draw(c.prior_samples), posterior.draw(c.posterior_samples)]
        if not self.training:
            z.append(z[0].roll(1, dims=0))
        n = len(z)
        memory = self.memory_of(torch.cat(z))
        logits, _ = self.decode(batch.ids.repeat(n, 1), self.memory_keys(memory))
        each, counted = token_losses(logits, batch.targets.repeat(n, 1))
        by_branch = each.view(n, len(batch.ids), -1)
        learned = counted[: len(batch.ids)]
        kl = divergence(posterior, prior)  # (B, L)
        charged = kl.mean(0).clamp(min=c.free_nats).sum()
        weight = c.kl_weight * min(1.0, step / max(1, c.kl_steps))
        means = by_branch.sum((1, 2)) / learned.sum()
        loss = c.prior_weight * means[0] + means[1] + weight * charged
        return loss, self._parts(by_branch.detach(), learned, kl.detach())

    def _parts(self, by_branch: Tensor, learned: Tensor, kl: Tensor) -> Tensor:
        n_tokens = learned.sum().float()
        rows = [torch.stack([branch.sum(), n_tokens]) for branch in by_branch]
        if len(rows) == 2:
            rows.append(torch.zeros_like(rows[0]))
        rows.append(torch.stack([kl.sum(), torch.full_like(n_tokens, len(kl))]))
        return torch.cat([torch.stack(rows), tokens_by_length(by_branch[0], learned)])


def build(values: dict[str, Any]) -> GenSRNet:
    """Make the network of a card."""
    config = GenSRConfig.from_dict(values)
    assert isinstance(config, GenSRConfig)
    return GenSRNet(config)
