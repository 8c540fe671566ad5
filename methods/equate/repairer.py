"""EQUATE's fused path, trained offline: from a table and a wrong formula to the truth.

The foundation model is frozen; what learns is the equation encoder, the fusion, the gate, the low-rank
updates of the decoder and the evaluator, and only they are stored. Given to a search, they make the
embedding of an archive's formula one from which the decoder writes what the table asks for instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from srbench_ext.errors import WeightsError
from srbench_ext.models.foundation import Foundation, FoundationConfig
from srbench_ext.models.pretrained import LENGTHS, Pretrained, TensorBatch, token_losses, tokens_by_length

from .model import EquateModel
from .pairs import KINDS, PairEncoder

__all__ = ["RepairConfig", "Repairer", "from_card"]

FIRST_GATE = 0.5
"""Opening of the gate when the pretraining begins: closed, nothing behind it would learn."""

_LEAST_GAP = 0.02  # labels nearer than this have no order


@dataclass(frozen=True, slots=True)
class RepairConfig(FoundationConfig):
    """Sizes of the foundation model and of what is trained on it; the defaults train 1.3 million parameters.

    Attributes
    ----------
    rank, adapted_layers, fusion_layers : int
        See :class:`srbench_ext.methods.equate.model.EquateModel`.
    n_wrong : int
        Wrong formulas of a table; one is repaired, all are judged.
    dropout : float
        Share of tables whose equation is hidden, so that the decoder stays one of data alone.
    noise : float
        Deviation of the noise on Z, over its root mean square; it makes the neighbourhood decodable.
    quality_weight : float
        Weight of the evaluator's loss beside the cross-entropy of a token.
    """

    rank: int = 32
    adapted_layers: int = 4
    fusion_layers: int = 1
    n_wrong: int = 2
    dropout: float = 0.1
    noise: float = 0.05
    quality_weight: float = 1.0

    def foundation(self) -> FoundationConfig:
        """Return the sizes of the foundation model."""
        return FoundationConfig(**{f.name: getattr(self, f.name) for f in fields(FoundationConfig)})


class Repairer(Pretrained):
    """What is trained and stored: the modules of an :class:`EquateModel` without its foundation.

    Parameters
    ----------
    config : RepairConfig
    foundation : Foundation
        Of the config's sizes; copied and frozen.

    Notes
    -----
    The log tells apart, in nats a token: ``repair`` (given the table and a formula a few edits off),
    ``unrelated``, ``truth`` (given such a formula), ``data_only`` (the formula hidden); in validation
    also, on the very tables of ``repair``, ``foundation`` (the foundation model alone) and
    ``other_table`` (given the wrong formula of another table). ``fitness`` and ``simplicity`` are mean
    absolute errors of the evaluator, ``tau_within`` and ``tau_across`` Kendall's rank correlation of
    predicted and true fitness over the formulas of one table and over the first formulas of all tables.
    """

    parts: ClassVar[tuple[str, ...]] = (
        *("repair", "unrelated", "truth", "data_only", "foundation", "other_table"),
        *("fitness", "simplicity", "tau_within", "tau_across"),
        *(name for name, _, _ in LENGTHS),
    )
    config: RepairConfig

    def __init__(self, config: RepairConfig, foundation: Foundation) -> None:
        super().__init__()
        if foundation.config != config.foundation():
            raise WeightsError(
                f"The repairer was made for a foundation model of {config.foundation()}, "
                f"this one is of {foundation.config}. Train it on this one."
            )
        self.config, self.vocabulary = config, foundation.vocabulary
        self.equate = EquateModel(
            foundation,
            rank=config.rank,
            adapted_layers=config.adapted_layers,
            fusion_layers=config.fusion_layers,
        )
        nn.init.constant_(self.equate.gate, FIRST_GATE)
        self.register_state_dict_post_hook(_leave_foundation_out)  # type: ignore[no-untyped-call]

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load the stored modules; the foundation model is not among them."""
        missing = sorted(self.state_dict().keys() ^ state_dict.keys()) if strict else []
        if missing:
            raise WeightsError(f"The state does not fit the repairer: {missing[:3]} are in one of both only.")
        return super().load_state_dict(state_dict, strict=False, assign=assign)

    def encoder(self) -> PairEncoder:
        """Return what makes the pairs."""
        return PairEncoder(self.vocabulary, self.config.n_wrong)

    def loss(self, batch: TensorBatch, step: int) -> tuple[Tensor, Tensor]:
        """Return cross-entropy of the truth plus the evaluator's error; sums and counts of the parts."""
        config, model = self.config, self.equate
        wrong, kind = batch.extra["wrong"], batch.extra["kind"]  # (B, K, T), (B, K)
        with torch.no_grad():
            memory = model.foundation.encode(batch.features)
        size = len(memory)
        all_memory = memory.repeat_interleave(wrong.shape[1], dim=0)
        draws = torch.Generator(memory.device).manual_seed(step)  # of its own, so that a resume is exact
        embedding = self._noisy(model.fuse(all_memory, wrong.flatten(0, 1)), draws)
        embedding = embedding.view(size, -1, *memory.shape[1:])  # (B, K, M, D)
        dropped = torch.zeros(size, dtype=torch.bool, device=memory.device)
        first = embedding[:, 0]
        if self.training and config.dropout:
            dropped = torch.rand(size, device=memory.device, generator=draws) < config.dropout
            hidden = model.fuse(memory[dropped], wrong[dropped, 0], dropped[dropped])
            first = first.masked_scatter(dropped[:, None, None], hidden.to(first.dtype))
        each, counted = token_losses(model.decode(first, batch.ids), batch.targets)
        quality, quality_parts = self._quality(embedding, batch.extra)
        loss = each.sum() / counted.sum() + config.quality_weight * quality
        parts = torch.cat(
            [
                _by_kind(each.detach(), counted, kind[:, 0], dropped),
                self._references(batch, memory, kind[:, 0] == 0),
                quality_parts,
                tokens_by_length(each, counted),
            ]
        )
        return loss, parts

    def _noisy(self, embedding: Tensor, draws: torch.Generator) -> Tensor:
        if not (self.training and self.config.noise):
            return embedding
        noise = torch.randn(embedding.shape, generator=draws, device=embedding.device)
        return embedding + self.config.noise * embedding.detach().pow(2).mean().sqrt() * noise

    @torch.no_grad()
    def _references(self, batch: TensorBatch, memory: Tensor, edited: Tensor) -> Tensor:
        """Return ``foundation`` and ``other_table`` on the tables of ``repair``, (2, 2); 0 in training."""
        if self.training:
            return torch.zeros(2, 2, device=memory.device)
        other = self.equate.fuse(memory, batch.extra["wrong"][:, 0].roll(1, dims=0))
        with self.equate.closed():
            alone = self.equate.decode(memory, batch.ids)
        rows = []
        for logits in (alone, self.equate.decode(other, batch.ids)):
            each, counted = token_losses(logits, batch.targets)
            rows.append(_mean_row(each, counted, edited))
        return torch.stack(rows)

    def _quality(self, embedding: Tensor, extra: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the evaluator's loss, and its parts (4, 2), of embeddings (B, K, M, D)."""
        shape = embedding.shape[:2]
        verdict = self.equate.judge(embedding.flatten(0, 1).float())
        fitness, simplicity = extra["fitness"].flatten(), extra["simplicity"].flatten()
        huber, members = nn.functional.huber_loss, len(verdict.fitness)
        loss = huber(verdict.fitness, fitness.expand(members, -1), delta=0.2) * 10
        loss = loss + 3 * huber(verdict.simplicity, simplicity.expand(members, -1), delta=0.2)
        guessed = verdict.fitness.detach().mean(0)
        count = guessed.new_tensor(float(fitness.numel()))
        rows = [
            torch.stack([(guessed - fitness).abs().sum(), count]),
            torch.stack([(verdict.simplicity.detach().mean(0) - simplicity).abs().sum(), count]),
            _concordance(guessed.view(shape), extra["fitness"]),
            _concordance(guessed.view(shape)[:, :1].T, extra["fitness"][:, :1].T),
        ]
        return loss, torch.stack(rows)


def from_card(values: dict[str, Any]) -> Repairer:
    """Make the network of a card; its foundation model is random."""
    config = RepairConfig.from_dict(values)
    assert isinstance(config, RepairConfig)
    return Repairer(config, Foundation(config.foundation()))


def _leave_foundation_out(
    module: nn.Module, state: dict[str, Any], prefix: str, local_metadata: dict[str, Any]
) -> None:
    """Drop what belongs to the foundation model from a state."""
    inner = f"{prefix}equate."
    for key in [k for k in state if k.startswith(f"{inner}foundation.") or ".base." in k]:
        del state[key]


def _mean_row(each: Tensor, counted: Tensor, chosen: Tensor) -> Tensor:
    return torch.stack([each[chosen].sum(), counted[chosen].sum().float()])


def _by_kind(each: Tensor, counted: Tensor, kind: Tensor, dropped: Tensor) -> Tensor:
    """Return sums and counts of token losses by kind, then of the tables whose formula was hidden, (4, 2)."""
    chosen = [(kind == i) & ~dropped for i in range(len(KINDS))] + [dropped]
    return torch.stack([_mean_row(each, counted, rows) for rows in chosen])


def _concordance(guessed: Tensor, labels: Tensor) -> Tensor:
    """Return concordant less discordant pairs within the rows of (B, K), and how many pairs have an order."""
    a = labels[:, :, None] - labels[:, None, :]
    b = guessed[:, :, None] - guessed[:, None, :]
    ordered = a.abs() > _LEAST_GAP
    return torch.stack([(a.sign() * b.sign() * ordered).sum() / 2, ordered.sum().float() / 2])
