"""Networks with a latent space: a table to a point of it, a point to the memory that the decoder reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from srbench_ext.errors import WeightsError
from srbench_ext.models.decoding import Grammar, sample
from srbench_ext.models.encoders import table_features
from srbench_ext.models.foundation import Foundation
from srbench_ext.models.transformer import Block

__all__ = ["LatentNet", "NetworkSpace", "free_greedy", "validity"]

FloatArray = NDArray[np.float64]
Formula = tuple[str, ...]

SMALLEST_COMPONENT = 0.003
"""Principal components are scaled to one, smaller ones than this share of the first by that share alone."""


class LatentNet(Foundation):
    """A foundation model whose decoder attends to what a latent point expands to.

    A subclass makes the layers of :meth:`_make_mapper` where its other layers suit, and initialises them.
    """

    expand: nn.Linear
    slot_norm: nn.LayerNorm
    refine: nn.Linear
    slot_blocks: nn.ModuleList

    @property
    def dimension(self) -> int:
        """Dimensions L of the latent space."""
        return int(self.expand.in_features)

    @abstractmethod
    def place(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log variances (B, L) of the latent points of points (B, N, F)."""

    def _make_mapper(self, latent: int, slots: int, layers: int = 0) -> None:
        """Make what expands a latent point to slots; with layers, they attend to each other after it."""
        width = self.queries.shape[1]
        self.expand = nn.Linear(latent, slots * width)
        self.slot_norm = nn.LayerNorm(width)
        self.refine = nn.Linear(width, width)
        c = self.config
        self.slot_blocks = nn.ModuleList(Block(width, c.heads, c.hidden) for _ in range(layers))
        self.slots_norm = nn.LayerNorm(width) if layers else nn.Identity()

    def _initialise_mapper(self) -> None:
        nn.init.normal_(self.expand.weight, std=self.expand.in_features**-0.5)
        for zero in (self.expand.bias, self.refine.weight, self.refine.bias):
            nn.init.zeros_(zero)
        for module in self.slot_blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def memory_of(self, z: Tensor) -> Tensor:
        """Return the memory (B, S, D) that the decoder attends to, of latent points (B, L)."""
        slots = self.expand(z).unflatten(-1, (-1, self.queries.shape[1]))
        x = slots + self.refine(nn.functional.gelu(self.slot_norm(slots)))
        for block in self.slot_blocks:
            x, _ = block(x)
        return self.slots_norm(x)  # type: ignore[no-any-return]

    @torch.no_grad()
    def take_over(self, foundation: Foundation, features: Tensor, head: nn.Linear) -> None:
        """Take over a foundation model, with its memory's principal components as the latent space.

        Parameters
        ----------
        foundation : Foundation
            Of the same layers, whose memory is as long as a latent point has slots.
        features : Tensor of shape (K, N, F)
            Points of more examples than the latent space has dimensions.
        head : torch.nn.Linear
            From the flattened memory to the latent point: its first L outputs become the components, each
            of variance one over the examples.

        Raises
        ------
        WeightsError
            If the foundation model has other sizes or other layers.
        """
        state, given = self.state_dict(), foundation.state_dict()
        unfit = sorted(k for k, v in given.items() if k not in state or state[k].shape != v.shape)
        memory = foundation.encode(features).flatten(1)
        if unfit or memory.shape[1] != self.expand.out_features:
            raise WeightsError(
                f"The foundation model does not fit {type(self).__name__}: {unfit[:3] or 'number of slots'}. "
                "Use one of the same width, layers, memory length and vocabulary."
            )
        self.load_state_dict({**state, **given})
        centre = memory.mean(0)
        _, sizes, components = torch.linalg.svd(memory - centre, full_matrices=False)
        n = self.dimension
        sizes = (sizes[:n] / len(memory) ** 0.5).clamp(min=SMALLEST_COMPONENT * sizes[0])
        directions = components[:n]  # (L, M * D)
        head.weight[:n] = directions / sizes[:, None]
        head.bias[:n] = -(directions @ centre) / sizes
        self.expand.weight.copy_((directions * sizes[:, None]).T)
        self.expand.bias.copy_(centre)


class NetworkSpace:
    """A network's latent space for tables of one number of columns: encodes bags of rows, decodes points.

    Parameters
    ----------
    net : LatentNet
        In evaluation mode.
    n_variables : int
    rng : numpy.random.Generator
        Draws tokens where the temperature is above zero.
    max_tokens, max_constants : int
        Limits of a decoded formula.
    """

    def __init__(
        self,
        net: LatentNet,
        n_variables: int,
        rng: np.random.Generator,
        *,
        max_tokens: int = 36,
        max_constants: int = 6,
    ) -> None:
        self.net, self.n_variables, self.rng = net, n_variables, rng
        self.grammar = Grammar(net.vocabulary, "<skeleton>", n_variables, max_tokens, max_constants)
        self.prompt = [net.vocabulary.ids["<skeleton>"]]

    @property
    def dimension(self) -> int:
        """Dimensions L of the space."""
        return self.net.dimension

    @torch.no_grad()
    def encode(self, tables: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
        """Return means and log variances (R, L) of R tables with equally many rows."""
        features = table_features(tables)
        mean, log_variance = self.net.place(torch.from_numpy(features))
        return mean.double().numpy(), log_variance.double().numpy()

    @torch.no_grad()
    def decode(
        self,
        z: FloatArray,
        *,
        n_samples: int = 1,
        temperature: float = 0.0,
        deadline: float | None = None,
    ) -> list[list[Formula]]:
        """Return the distinct skeletons of each latent point (R, L), the most sampled first.

        Parameters
        ----------
        z : ndarray of shape (R, L)
        n_samples : int
            Sequences for each point.
        temperature : float
            At zero the most likely token is taken.
        deadline : float, optional
            A ``time.monotonic()`` after which unfinished formulas are left out.
        """
        found: list[list[tuple[int, Formula]]] = [[] for _ in z]
        if not len(z):
            return []
        memory = self.net.memory_of(torch.from_numpy(z.astype(np.float32)))
        for decoded in sample(
            self.net,
            memory,
            self.grammar,
            [self.prompt] * len(z),
            n_samples if temperature > 0 else 1,
            self.rng,
            temperature=max(temperature, 1e-6),
            deadline=deadline,
        ):
            found[decoded.row].append((-decoded.count, decoded.tokens))
        return [[tokens for _, tokens in sorted(row)] for row in found]

    def decode_freely(self, z: FloatArray) -> list[Formula | None]:
        """Return the most likely tokens of each point (R, L) without the grammar; None for no formula."""
        if not len(z):
            return []
        written = free_greedy(self.net, torch.from_numpy(z.astype(np.float32)))
        return [tuple(t) if validity(self.net, t, self.n_variables) else None for t in written]


@torch.no_grad()
def free_greedy(net: LatentNet, z: Tensor, max_tokens: int = 40) -> list[list[str]]:
    """Return the most likely tokens from latent points (B, L) without a grammar, up to the end token."""
    keys = net.memory_keys(net.memory_of(z))
    ids = torch.full((len(z), 1), net.vocabulary.ids["<skeleton>"])
    written: list[Tensor] = []
    past = None
    for _ in range(max_tokens + 1):
        logits, past = net.decode(ids, keys, past)
        ids = logits[:, -1].argmax(-1, keepdim=True)
        written.append(ids)
        if bool((torch.cat(written, 1) == net.vocabulary.eos).any(1).all()):
            break
    else:
        written.append(torch.full_like(ids, net.vocabulary.pad))  # never ended: not a formula
    return [net.vocabulary.decode(row) for row in torch.cat(written, 1).numpy()]


def validity(net: LatentNet, tokens: list[str], n_variables: int) -> bool:
    """Return whether tokens are one whole skeleton over the first ``n_variables`` columns."""
    grammar = Grammar(net.vocabulary, "<skeleton>", n_variables, max_tokens=60, max_constants=60)
    state = np.array([[1, 0, 0, 0]], np.int64)
    for token in net.vocabulary.encode(tokens):
        if not grammar.allowed(state)[0, token]:
            return False
        state = grammar.advance(state, np.array([token]))
    return bool(state[0, 0] == 0)
