"""The network of SNIP: a table and a formula to one latent space, a point of it to a formula.

After Meidani et al., *SNIP: Bridging mathematical symbolic and numeric realms with unified pre-training*
(ICLR 2024). A numeric encoder places tables, a symbolic encoder formulas; contrast brings together what
belongs together. A point of the space becomes a short memory that the decoder of the foundation model attends
to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from srbench_ext.errors import ConfigError
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.latent import LatentNet
from srbench_ext.models.pretrained import LENGTHS, TensorBatch, token_losses, tokens_by_length
from srbench_ext.models.transformer import Block

__all__ = ["SNIPConfig", "SNIPNet", "Similarity", "build"]

Similarity = Literal["cosine", "dot"]

LARGEST_SHARPNESS = math.log(100.0)
"""The inverse temperature is cut at 100, as in CLIP (Radford et al., 2021)."""

NEIGHBOURHOOD = -3.0
"""Log variance around a table's point, beside that of all tables: what GenSR's prior begins with."""

MOMENTUM = 0.01
"""Of the running mean and variance of the tables' points."""


@dataclass(frozen=True, slots=True)
class SNIPConfig(FoundationConfig):
    """Sizes of the network and weights of its loss; the defaults have 5.2 million parameters.

    Attributes
    ----------
    latent : int
        Dimensions of the latent space.
    slots, slot_layers : int
        Vectors that a point of the latent space is expanded to, for the decoder to attend to, and layers in
        which they attend to each other first.
    symbol_layers, symbol_hidden : int
        Of the symbolic encoder; its width and heads are those of the rest.
    similarity : {"cosine", "dot"}
        Of a table's and a formula's point; the released code takes the dot product.
    temperature : float
        That similarities are divided by, at the beginning; it is learned. The released code keeps 1.
    contrast_weight : float
        Weight of the contrast beside the cross-entropy per token.
    normalised : bool
        Points are decoded at one length, the root of the dimension: the cosine similarity leaves the length
        of a point without a meaning, and to drift.
    joint : bool
        Whether the cross-entropy trains the numeric encoder too. SNIP freezes the pretrained encoder before
        it trains the decoder: the space is what contrast makes of it, and the gradient stops there.
    """

    latent: int = 64
    slots: int = 16
    slot_layers: int = 0
    symbol_layers: int = 2
    symbol_hidden: int = 384
    similarity: Similarity = "cosine"
    temperature: float = 0.07
    contrast_weight: float = 1.0
    normalised: bool = False
    joint: bool = False


class SNIPNet(LatentNet):
    """Numeric encoder, symbolic encoder and decoder around one latent space.

    Parameters
    ----------
    config : SNIPConfig

    Raises
    ------
    ConfigError
        If the similarity is unknown or the temperature is not positive.
    """

    parts: ClassVar[tuple[str, ...]] = (
        "own",
        "shuffled",
        "contrast",
        "retrieval",
        *(n for n, _, _ in LENGTHS),
    )
    config: SNIPConfig
    centre: Tensor
    variance: Tensor

    def __init__(self, config: SNIPConfig) -> None:
        if config.similarity not in get_args(Similarity) or not config.temperature > 0:
            raise ConfigError(
                f"SNIP's similarity must be one of {get_args(Similarity)} and its temperature positive. "
                f"Got {config.similarity!r} and {config.temperature!r}."
            )
        super().__init__(config)
        c = config
        self.numeric = nn.Linear((c.memory_length + c.statistics_length) * c.width, c.latent)
        self.symbols = nn.Embedding(len(self.vocabulary), c.width)
        self.symbol_positions = nn.Parameter(torch.empty(c.max_length, c.width))
        self.symbol_blocks = nn.ModuleList(
            Block(c.width, c.heads, c.symbol_hidden) for _ in range(c.symbol_layers)
        )
        self.symbol_norm = nn.LayerNorm(c.width)
        self.symbol_pool = nn.Linear(c.width, 1)
        self.symbolic = nn.Linear(c.width, c.latent)
        self._make_mapper(c.latent, c.slots, c.slot_layers)
        self.sharpness = nn.Parameter(torch.tensor(-math.log(c.temperature)))
        self.register_buffer("centre", torch.zeros(c.latent))
        self.register_buffer("variance", torch.ones(c.latent))
        self._initialise_space()

    def _initialise_space(self) -> None:
        for layer in (self.numeric, self.symbolic):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.symbols.weight, std=0.02)
        nn.init.normal_(self.symbol_positions, std=0.02)
        depth = 2 * max(1, self.config.symbol_layers)
        for name, parameter in self.symbol_blocks.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim == 2:
                last = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / (depth**0.5 if last else 1.0))
        self._initialise_mapper()

    def start_from(self, foundation: Foundation, features: Tensor) -> None:
        """Take over a foundation model; see :meth:`srbench_ext.models.latent.LatentNet.take_over`.

        The symbolic encoder begins with the decoder's tokens.
        """
        self.take_over(foundation, features, self.numeric)
        with torch.no_grad():
            self.symbols.weight.copy_(self.tokens.weight)
            self.symbol_positions.copy_(self.positions)

    # ---------------------------------------------------------------- encoders
    def table_points(self, features: Tensor) -> Tensor:
        """Return the latent points (B, L) of tables, given as points (B, N, F)."""
        return self.numeric(super().encode(features).flatten(1)).float()  # type: ignore[no-any-return]

    def formula_points(self, ids: Tensor) -> Tensor:
        """Return the latent points (B, L) of formulas (B, T), padded."""
        pad = ids == self.vocabulary.pad
        x = self.symbols(ids) + self.symbol_positions[: ids.shape[1]]
        hidden = torch.zeros(pad.shape, device=x.device, dtype=x.dtype).masked_fill_(pad, float("-inf"))
        for block in self.symbol_blocks:
            x, _ = block(x, mask=hidden[:, None, None, :])
        x = self.symbol_norm(x)
        share = (self.symbol_pool(x).squeeze(-1) + hidden).softmax(-1)  # (B, T)
        return self.symbolic((share[..., None] * x).sum(1)).float()  # type: ignore[no-any-return]

    def at_one_length(self, z: Tensor) -> Tensor:
        """Return latent points (B, L) as the decoder takes them: of length √L where they are normalised."""
        return nn.functional.normalize(z, dim=-1) * self.dimension**0.5 if self.config.normalised else z

    def memory_of(self, z: Tensor) -> Tensor:
        """Return the memory (B, S, D) that the decoder attends to, of latent points (B, L)."""
        return super().memory_of(self.at_one_length(z))

    def place(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the points (B, L) of tables, and the log variance around each: that of all, scaled.

        Points that are decoded at one length have that length here too: another would tell nothing.
        """
        points = self.at_one_length(self.table_points(features))
        around = self.variance.clamp(min=1e-6).log() + NEIGHBOURHOOD
        return points, around.expand_as(points)

    def encode(self, features: Tensor) -> Tensor:
        """Return the memory (B, S, D) that the latent points of tables expand to."""
        return self.memory_of(self.table_points(features))

    # ---------------------------------------------------------------- training
    def similarities(self, tables: Tensor, formulas: Tensor) -> Tensor:
        """Return how alike points of tables and of formulas (B, L) are, over the temperature, (B, B)."""
        if self.config.similarity == "cosine":
            tables, formulas = (nn.functional.normalize(z, dim=-1) for z in (tables, formulas))
        return tables @ formulas.T * self.sharpness.clamp(max=LARGEST_SHARPNESS).exp()

    def contrast(self, tables: Tensor, formulas: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the symmetric InfoNCE loss of each example (B,) and whether its formula is found (B,).

        A formula that another example of the batch has as well is none of the wrong answers, and is right.
        """
        n = len(ids)
        alike = (ids[:, None] == ids[None]).all(-1)
        own = torch.eye(n, dtype=torch.bool, device=ids.device)
        with torch.autocast(ids.device.type, enabled=False):
            fit = self.similarities(tables.float(), formulas.float())
            fit = fit.masked_fill(alike & ~own, float("-inf"))
            target = torch.arange(n, device=ids.device)
            loss = 0.5 * sum(nn.functional.cross_entropy(f, target, reduction="none") for f in (fit, fit.T))
        return loss, fit.argmax(1) == target  # type: ignore[return-value]

    def loss(self, batch: TensorBatch, step: int) -> tuple[Tensor, Tensor]:
        """Return the cross-entropy from the table's point and the contrast; sums and counts of the parts.

        ``shuffled`` is the cross-entropy from the point of another table; in training it is not computed.
        ``retrieval`` is the share of tables whose own formula is the nearest of the batch. The lengths are
        those of ``own``.
        """
        tables, formulas = self.table_points(batch.features), self.formula_points(batch.ids)
        if self.training:
            self._follow(tables.detach())
        contrast, found = self.contrast(tables, formulas, batch.ids)
        z = tables if self.config.joint else tables.detach()
        if not self.training:
            z = torch.cat([z, z.roll(1, dims=0)])
        n = len(z) // len(tables)
        logits, _ = self.decode(batch.ids.repeat(n, 1), self.memory_keys(self.memory_of(z)))
        each, counted = token_losses(logits, batch.targets.repeat(n, 1))
        by_point = each.view(n, len(batch.ids), -1)
        learned = counted[: len(batch.ids)]
        loss = by_point[0].sum() / learned.sum() + self.config.contrast_weight * contrast.mean()
        return loss, self._parts(by_point.detach(), learned, contrast.detach(), found)

    def _follow(self, tables: Tensor) -> None:
        """Follow mean and variance of the points; a batch holds formulas of one length, not of all."""
        points = self.at_one_length(tables.float())
        self.centre.lerp_(points.mean(0), MOMENTUM)
        self.variance.lerp_((points - self.centre).square().mean(0), MOMENTUM)

    def _parts(self, by_point: Tensor, learned: Tensor, contrast: Tensor, found: Tensor) -> Tensor:
        n_tokens = learned.sum().float()
        rows = [torch.stack([each.sum(), n_tokens]) for each in by_point]
        if len(rows) == 1:
            rows.append(torch.zeros_like(rows[0]))
        n_examples = torch.full_like(n_tokens, len(found))
        rows += [torch.stack([values.float().sum(), n_examples]) for values in (contrast, found)]
        return torch.cat([torch.stack(rows), tokens_by_length(by_point[0], learned)])


def build(values: dict[str, Any]) -> SNIPNet:
    """Make the network of a card."""
    config = SNIPConfig.from_dict(values)
    assert isinstance(config, SNIPConfig)
    return SNIPNet(config)
