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

from srbench_ext.errors import ConfigError
from srbench_ext.models.foundation import Foundation, FoundationConfig, KeysValues
from srbench_ext.models.latent import LatentNet
from srbench_ext.models.pretrained import LENGTHS, TensorBatch, token_losses, tokens_by_length
from srbench_ext.models.statistics import table_statistics

__all__ = ["Gaussian", "GenSRConfig", "GenSRNet", "build", "divergence"]

LARGEST_LOG_VARIANCE = 8.0
"""Log variances are cut at this size; the released code has no bound."""

FIRST_LOG_VARIANCE = -3.0
"""Of both branches when training begins: narrow beside means of unit variance."""

FIRST_SHIFT = 0.2
"""Deviation of the formula's part of the posterior's means when training begins."""

EVERY = slice(None)
"""All rows of a batch."""


@dataclass(frozen=True, slots=True)
class GenSRConfig(FoundationConfig):
    """Sizes of the network and weights of its loss; the defaults have 5.1 million parameters.

    Attributes
    ----------
    latent : int
        Dimensions of the latent space.
    slots, slot_layers : int
        Vectors that a point of the latent space is expanded to, for the decoder to attend to, and layers in
        which they attend to each other first.
    formula_queries : int
        Vectors gathered from the formula alone, which the posterior reads beside those of the whole
        sequence. With any, the formula has tokens of its own, as large as the points that it joins. With
        none it shares the decoder's, and is lost: swapping the formula then moves the posterior by a
        thousandth of its deviation.
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
    posterior_share : float
        Share of the examples of a training step, drawn anew each time, that the posterior encodes and
        that are decoded from it as well; every example is decoded from the prior. Trades the posterior's
        gradient, which gets noisier, for speed.

    Raises
    ------
    ConfigError
        If the share is not above 0 and at most 1.
    """

    latent: int = 64
    slots: int = 16
    slot_layers: int = 0
    formula_queries: int = 0
    kl_weight: float = 0.03
    kl_steps: int = 1000
    free_nats: float = 0.05
    prior_weight: float = 1.0
    prior_samples: int = 200
    posterior_samples: int = 1
    posterior_share: float = 1.0

    def __post_init__(self) -> None:
        """Check the share."""
        if not 0.0 < self.posterior_share <= 1.0:
            raise ConfigError(
                f"GenSR's posterior_share must be above 0 and at most 1. Got {self.posterior_share!r}; "
                "1 takes every example through the posterior."
            )


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
    points alone: the prior is what the points give. So the points go through once, for both branches, and
    the tokens follow with the keys and values that the points left. Pads are masked everywhere.
    """

    parts: ClassVar[tuple[str, ...]] = (
        "prior",
        "posterior",
        "shuffled",
        "misled",
        "kl",
        *(n for n, _, _ in LENGTHS),
    )
    config: GenSRConfig

    def __init__(self, config: GenSRConfig) -> None:
        super().__init__(config)
        c = config
        self.of_formula = nn.Parameter(torch.zeros(c.width))
        length = (c.memory_length + c.statistics_length) * c.width
        self.prior = nn.Linear(length, 2 * c.latent)
        self.posterior = nn.Linear(length + c.formula_queries * c.width, 2 * c.latent)
        if c.formula_queries:
            self.formula_tokens = nn.Embedding(len(self.vocabulary), c.width)
            self.formula_positions = nn.Parameter(torch.empty(c.max_length, c.width))
            self.formula_norm = nn.LayerNorm(c.width)
            self.formula_seeds = nn.Parameter(torch.empty(c.formula_queries, c.width))
            self.gathered_norm = nn.LayerNorm(c.width)
        self._make_mapper(c.latent, c.slots, c.slot_layers)
        self._initialise_bottleneck()

    def _initialise_bottleneck(self) -> None:
        nn.init.normal_(self.of_formula, std=0.02)
        nn.init.normal_(self.prior.weight, std=self.prior.in_features**-0.5)
        nn.init.zeros_(self.prior.bias)
        if self.config.formula_queries:
            nn.init.normal_(self.formula_tokens.weight)
            nn.init.normal_(self.formula_positions)
            nn.init.normal_(self.formula_seeds)
        self._initialise_mapper()
        self._narrow()

    def _narrow(self) -> None:
        """Give both branches the means of the prior, the posterior's moved a little by the formula."""
        c = self.config
        with torch.no_grad():
            self.prior.weight[c.latent :] = 0.0
            self.prior.bias[c.latent :] = FIRST_LOG_VARIANCE
            of_table = self.prior.in_features
            self.posterior.weight[:, :of_table] = self.prior.weight
            self.posterior.bias.copy_(self.prior.bias)
            if c.formula_queries:
                of_formula = self.posterior.weight[:, of_table:]
                nn.init.normal_(of_formula, std=FIRST_SHIFT * of_formula.shape[1] ** -0.5)
                of_formula[c.latent :] = 0.0

    def start_from(self, foundation: Foundation, features: Tensor) -> None:
        """Take over a foundation model; see :meth:`srbench_ext.models.latent.LatentNet.take_over`."""
        self.take_over(foundation, features, self.prior)
        self._narrow()

    # ---------------------------------------------------------------- encoder
    def prior_of(self, features: Tensor) -> Gaussian:
        """Return the prior of points (B, N, F)."""
        x, _ = self._points(features)
        pooled = self._remembered(self._gathered(self._pool_keys(x)), self._told(features))
        return self._gaussian(self.prior, pooled)

    def place(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance (B, L) of the prior of points (B, N, F)."""
        return self.prior_of(features)

    def both_of(
        self, features: Tensor, ids: Tensor, rows: Tensor | slice = EVERY
    ) -> tuple[Gaussian, Gaussian]:
        """Return the prior of points (B, N, F), and the posterior of K of them with their formulas.

        Parameters
        ----------
        features : Tensor of shape (B, N, F)
        ids : Tensor of shape (B, T)
            Formulas, padded.
        rows : Tensor of shape (K,) or slice, default all
            Which of the B the posterior is of.
        """
        points, layers = self._points(features)
        chosen = ids[rows]
        pads = points.new_zeros(chosen.shape).masked_fill_(chosen == self.vocabulary.pad, float("-inf"))
        mask = torch.cat([pads.new_zeros(len(chosen), features.shape[1]), pads], dim=1)[:, None, None]
        x = self._formula_in(chosen, points)
        for block, (keys, values) in zip(self.point_blocks, layers, strict=True):
            x, _ = block(x, mask=mask, past=(keys[rows], values[rows]))
        seen, written = self._pool_keys(points), self._pool_keys(x)
        of_both = [torch.cat([ours[rows], theirs], dim=2) for ours, theirs in zip(seen, written, strict=True)]
        gathered = torch.cat([self._gathered(seen), self._gathered((of_both[0], of_both[1]), mask)])
        told = self._told(features)
        pooled = self._remembered(gathered, None if told is None else torch.cat([told, told[rows]]))
        n = len(features)
        of_posterior = pooled[n:]
        if self.config.formula_queries:
            alone = self.gathered_norm(self._attended(self.formula_seeds, written, pads[:, None, None]))
            of_posterior = torch.cat([of_posterior, alone.flatten(1)], dim=1)
        return self._gaussian(self.prior, pooled[:n]), self._gaussian(self.posterior, of_posterior)

    def _formula_in(self, ids: Tensor, points: Tensor) -> Tensor:
        """Return the formulas (K, T, D) as they join the points (B, N, D)."""
        length = ids.shape[1]
        if not self.config.formula_queries:
            return self.tokens(ids) + self.positions[:length] + self.of_formula  # type: ignore[no-any-return]
        x = self.formula_norm(self.formula_tokens(ids) + self.formula_positions[:length])
        size = points.detach().float().square().mean().sqrt()
        return x * size.to(x.dtype) + self.of_formula  # type: ignore[no-any-return]

    def _points(self, features: Tensor) -> tuple[Tensor, list[KeysValues]]:
        """Return the points (B, N, D) after their layers, and every layer's keys and values of them."""
        x = self.point_in(features)
        layers = []
        for block in self.point_blocks:
            x, keys_values = block(x)
            layers.append(keys_values)
        return x, layers

    def _pool_keys(self, x: Tensor) -> KeysValues:
        assert self.pool.memory is not None
        return self.pool.memory.keys_values(self.point_norm(x))

    def _gathered(self, keys_values: KeysValues, mask: Tensor | None = None) -> Tensor:
        """Return what the learned queries gather from keys and values of B rows, (B, M, D)."""
        return self.queries[None] + self._attended(self.queries, keys_values, mask)

    def _attended(self, queries: Tensor, keys_values: KeysValues, mask: Tensor | None = None) -> Tensor:
        pool = self.pool
        assert pool.memory is not None
        assert pool.norm_memory is not None
        return pool.memory(pool.norm_memory(queries[None]), keys_values, mask)  # type: ignore[no-any-return]

    def _told(self, features: Tensor) -> Tensor | None:
        """Return the places (B, S, D) of the memory that hold statistics of points (B, N, F), if any do."""
        if self.statistics_in is None:
            return None
        told = self.statistics_in(table_statistics(features))
        return told.unflatten(-1, (self.config.statistics_length, -1))  # type: ignore[no-any-return]

    def _remembered(self, gathered: Tensor, told: Tensor | None) -> Tensor:
        """Return the flattened memory of what was gathered (B, M, D) and is told of it (B, S, D)."""
        memory = gathered + self.pool.feed(self.pool.norm_feed(gathered))
        if told is not None:
            memory = torch.cat([memory, told.to(memory.dtype)], dim=1)
        for block in self.memory_blocks:
            memory, _ = block(memory)
        return self.memory_norm(memory).flatten(1)  # type: ignore[no-any-return]

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

        In validation both branches decode their means, and two parts are computed besides: ``shuffled`` from
        the prior of another example, ``misled`` from the posterior given the formula of another one. Where
        ``misled`` is no larger than ``posterior``, the posterior does not read the formula. ``kl`` is in nats
        per example. The lengths are those of the prior's cross-entropy.
        """
        c = self.config
        n = len(batch.ids)
        rows = self._with_posterior(n)
        prior, posterior = self.both_of(batch.features, batch.ids, rows)
        ids, targets = [batch.ids, batch.ids[rows]], [batch.targets, batch.targets[rows]]
        if self.training:
            z = [prior.draw(c.prior_samples), posterior.draw(c.posterior_samples)]
        else:
            _, misled = self.both_of(batch.features, batch.ids.roll(1, dims=0))
            z = [prior.mean, posterior.mean, prior.mean.roll(1, dims=0), misled.mean]
            ids += [batch.ids] * 2
            targets += [batch.targets] * 2
        memory = self.memory_of(torch.cat(z))
        logits, _ = self.decode(torch.cat(ids), self.memory_keys(memory))
        each, counted = token_losses(logits, torch.cat(targets))
        sizes = [len(branch) for branch in z]
        sums = torch.stack([branch.sum() for branch in torch.split(each, sizes)])
        counts = torch.stack([branch.sum().float() for branch in torch.split(counted, sizes)])
        kl = divergence(posterior, Gaussian(prior.mean[rows], prior.log_variance[rows]))  # (K, L)
        charged = kl.mean(0).clamp(min=c.free_nats).sum()
        weight = c.kl_weight * min(1.0, step / max(1, c.kl_steps))
        loss = c.prior_weight * sums[0] / counts[0] + sums[1] / counts[1] + weight * charged
        branches = torch.stack([sums.detach(), counts], dim=1)
        by_length = tokens_by_length(each[:n].detach(), counted[:n])
        return loss, self._parts(branches, kl.detach(), by_length)

    def _with_posterior(self, n: int) -> Tensor | slice:
        """Return which of ``n`` examples go through the posterior: all, but in training a random share."""
        if not self.training or self.config.posterior_share == 1.0:
            return EVERY
        count = max(1, round(self.config.posterior_share * n))
        return torch.randperm(n, device=self.bias.device)[:count]

    def _parts(self, branches: Tensor, kl: Tensor, by_length: Tensor) -> Tensor:
        if len(branches) == 2:
            branches = torch.cat([branches, torch.zeros_like(branches)])
        divergences = torch.stack([kl.sum(), kl.new_tensor(float(len(kl)))])[None]
        return torch.cat([branches, divergences, by_length])


def build(values: dict[str, Any]) -> GenSRNet:
    """Make the network of a card."""
    config = GenSRConfig.from_dict(values)
    assert isinstance(config, GenSRConfig)
    return GenSRNet(config)
