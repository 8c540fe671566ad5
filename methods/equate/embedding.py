"""EQUATE's fused embedding as a place for tables: the data, and what the network first writes for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from srbench_ext.models.decoding import Grammar, sample
from srbench_ext.models.pooled import PooledMemory

from .adaptation import pad_ids
from .model import EquateModel
from .pairs import MAX_TOKENS

__all__ = ["FusedEmbedding"]

_GREEDY = 1e-6
_MAX_CONSTANTS = 6


class FusedEmbedding(PooledMemory):
    """The mean over the places of Z = A + gate * fusion(A, H), which does not decode.

    H is of the most likely formula that the foundation model writes for the table, as a search has it for its
    first candidates: the true formula would tell what is to be found out.

    Parameters
    ----------
    model : EquateModel
        With pretrained modules, in evaluation mode.
    """

    def __init__(self, model: EquateModel) -> None:
        super().__init__(model.foundation)
        self.model = model

    def _memory(self, features: Tensor, n_variables: Sequence[int]) -> Tensor:
        memory = self.net.encode(features)
        written = self._written(memory, n_variables)
        return self.model.fuse(memory, pad_ids(self.net.vocabulary, written))

    def _written(self, memory: Tensor, n_variables: Sequence[int]) -> list[tuple[str, ...]]:
        """Return the most likely formula of every table, from the foundation model alone."""
        found: list[tuple[str, ...]] = [("x0",)] * len(memory)
        prompt = [self.net.vocabulary.ids["<skeleton>"]]
        unused = np.random.default_rng(0)  # the most likely token leaves nothing to chance
        with self.model.closed():
            for size in sorted(set(n_variables)):
                rows = [row for row, n in enumerate(n_variables) if n == size]
                grammar = Grammar(self.net.vocabulary, "<skeleton>", size, MAX_TOKENS, _MAX_CONSTANTS)
                prompts = [prompt] * len(rows)
                decoded = sample(self.net, memory[rows], grammar, prompts, 1, unused, temperature=_GREEDY)
                for each in decoded:
                    found[rows[each.row]] = each.tokens
        return found
