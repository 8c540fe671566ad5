"""Formulas from the network that the authors released, drawn round by round like those of our own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from srbench_ext.method import SearchRun
from srbench_ext.models.official.e2e import OfficialE2E
from srbench_ext.models.official.e2e_proposals import propose

from .rounds import RESERVE, Mode, Proposed, Source

__all__ = ["OfficialProposals"]

FloatArray = NDArray[np.float64]

FOR_REFINEMENT = 0.2
"""Share of the time left that decoding leaves: a bag takes seconds, and the formulas have to be refined."""


class OfficialProposals(Source):
    """Draws proposals for one table from the authors' network, which always writes the constants.

    Parameters
    ----------
    model : OfficialE2E
    X, y : ndarray of shape (n, d) and (n,)
    run : SearchRun
    decoding : {"sampling", "beam"}
    n_bags, bag_size, n_candidates : int
        Bags in a round, their rows, and samples for each or the beam size.
    whiten : bool
        Whiten the columns for the network and write the formulas back. Off where X is whitened already.
    """

    def __init__(
        self,
        model: OfficialE2E,
        X: FloatArray,
        y: FloatArray,
        run: SearchRun,
        *,
        decoding: str,
        n_bags: int,
        bag_size: int,
        n_candidates: int,
        whiten: bool,
    ) -> None:
        super().__init__(X, y, run, decoding, n_bags, bag_size, n_candidates)
        self.model, self.whiten = model, whiten

    def draw(self, mode: Mode, temperature: float, y: FloatArray | None = None) -> list[Proposed]:
        """Return the distinct formulas of one round, from fresh bags; the mode is always numeric."""
        found = propose(
            self.model,
            self.X,
            self.y if y is None else y,
            self.run.rng,
            n_bags=self.n_bags,
            bag_size=self.bag_size,
            n_candidates=self.n_candidates,
            decoding="beam" if self.decoding == "beam" else "sampling",
            temperature=temperature,
            whiten=self.whiten,
            deadline=self.run.deadline - max(RESERVE, FOR_REFINEMENT * self.run.remaining),
        )
        self.run.count("proposed", len(found))
        return [Proposed(expression, 0.0, "numeric") for expression in found]
