"""Breeding: random trees, then edits of what the archive holds, then shorter forms of the exact ones."""

from __future__ import annotations

import random

from srbench_ext.search.archive import Archive, Entry
from srbench_ext.search.edits import random_edit, shortening_edit
from srbench_ext.search.form import Tokens
from srbench_ext.search.subtrees import SubtreeSource

__all__ = ["Breeder"]

BATCH = 50
"""Formulas of one step: few, so that a good one becomes a parent soon."""

POLISHING_STEPS = 60
"""Steps spent on shortening once a formula is exact."""


class Breeder:
    """Fills an archive step by step.

    Parameters
    ----------
    archive : Archive
    source : SubtreeSource
        Draws random trees and the subtrees of edits.
    rng : random.Random
    max_tokens : int
        Longest formula.
    n_random : int
        Random trees to begin with.
    """

    def __init__(
        self,
        archive: Archive,
        source: SubtreeSource,
        rng: random.Random,
        *,
        max_tokens: int,
        n_random: int = 0,
    ) -> None:
        self.archive, self.source, self.rng = archive, source, rng
        self.max_tokens = max_tokens
        self._random_left = n_random
        self._polished = 0

    @property
    def finished(self) -> bool:
        """Whether an exact formula was found and shortening it was tried long enough."""
        return self._polished >= POLISHING_STEPS

    def step(self, deadline: float) -> list[Entry]:
        """Submit one batch and return the new entries that are on the front."""
        batch, origin = self._batch()
        fresh = self.archive.submit(batch, origin, screen=True, deadline=deadline)
        self._polished += self.archive.exact
        return self.archive.on_front(fresh)

    def _batch(self) -> tuple[list[Tokens], str]:
        rng, archive = self.rng, self.archive
        exact = [entry for entry in archive.front() if entry.exact]
        if exact:
            return [shortening_edit(rng, rng.choice(exact).tokens) for _ in range(BATCH)], "shortening"
        parents = [] if self._random_left > 0 else archive.parents(rng, BATCH)
        if not parents:
            self._random_left -= BATCH
            return [self.source.formula(rng) for _ in range(BATCH)], "grammar"
        mates = archive.parents(rng, BATCH)
        return [
            random_edit(rng, parent.tokens, self.source, self.max_tokens, mate.tokens)
            for parent, mate in zip(parents, mates, strict=True)
        ], "edit"
