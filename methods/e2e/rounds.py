"""Formulas from the network, round by round: fresh bags, a mode and a temperature each."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from srbench_ext.expression import Expression
from srbench_ext.method import SearchRun
from srbench_ext.models.decoding import Decoded
from srbench_ext.models.foundation import Foundation
from srbench_ext.models.proposals import Proposer, expression_of, holes

__all__ = ["RESERVE", "Mode", "Proposals", "Proposed", "Source"]

FloatArray = NDArray[np.float64]
Prefix = tuple[str, ...]
Mode = Literal["numeric", "skeleton"]

RESERVE = 0.5
"""Seconds before the deadline after which no sequence is decoded further."""


INFILLED = 12
"""Subtrees written for each hole."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A formula that the network wrote.

    Attributes
    ----------
    expression : Expression
        In skeleton mode its constants are ones.
    log_probability : float
        Of its tokens; only placeholders are ranked by it.
    mode : {"numeric", "skeleton"}
    """

    expression: Expression
    log_probability: float
    mode: Mode


class Source(ABC):
    """Where the proposals for one table come from: a network, whosever it is.

    Parameters
    ----------
    X, y : ndarray of shape (n, d) and (n,)
    run : SearchRun
    decoding : {"sampling", "beam"}
    n_bags, bag_size, n_candidates : int
        Bags in a round, their rows, and samples for each or the beam size.
    """

    def __init__(
        self,
        X: FloatArray,
        y: FloatArray,
        run: SearchRun,
        decoding: str,
        n_bags: int,
        bag_size: int,
        n_candidates: int,
    ) -> None:
        self.X, self.y, self.run = X, y, run
        self.decoding = decoding
        self.n_bags, self.bag_size, self.n_candidates = n_bags, bag_size, n_candidates

    @abstractmethod
    def draw(self, mode: Mode, temperature: float, y: FloatArray | None = None) -> list[Proposed]:
        """Return the distinct formulas of one round, from fresh bags.

        Parameters
        ----------
        mode : {"numeric", "skeleton"}
        temperature : float
        y : ndarray of shape (n,), optional
            Another target for the same rows.
        """

    def infill(
        self, parents: Iterable[Prefix], choice: random.Random, temperature: float
    ) -> Iterator[Prefix]:
        """Yield formulas with a random subtree written anew; none where the network has no such mode.

        Parameters
        ----------
        parents : iterable of tuple of str
            Skeletons, in prefix order.
        choice : random.Random
            Draws the subtrees.
        temperature : float
        """
        yield from ()


class Proposals(Source):
    """Draws proposals for one table from a foundation model.

    Parameters
    ----------
    model : Foundation
    X, y : ndarray of shape (n, d) and (n,)
    run : SearchRun
    decoding : {"sampling", "beam"}
    n_bags, bag_size, n_candidates : int
        Bags in a round, their rows, and samples for each or the beam size.
    """

    def __init__(
        self,
        model: Foundation,
        X: FloatArray,
        y: FloatArray,
        run: SearchRun,
        *,
        decoding: str,
        n_bags: int,
        bag_size: int,
        n_candidates: int,
    ) -> None:
        super().__init__(X, y, run, decoding, n_bags, bag_size, n_candidates)
        self.model = model

    def draw(self, mode: Mode, temperature: float, y: FloatArray | None = None) -> list[Proposed]:
        """Return the distinct formulas of one round, from fresh bags; see :class:`Source`."""
        target = self.y if y is None else y
        proposer = Proposer(
            self.model, self.X, target, self.run.rng, n_bags=self.n_bags, bag_size=self.bag_size
        )
        found = []
        for decoded in self._decode(proposer, mode, temperature):
            expression = expression_of(self.model, decoded)
            if expression is None:
                self.run.count("invalid")
            else:
                found.append(Proposed(expression, decoded.log_probability, mode))
        self.run.count("proposed", len(found))
        return found

    def infill(
        self, parents: Iterable[Prefix], choice: random.Random, temperature: float
    ) -> Iterator[Prefix]:
        """Yield formulas with a random subtree written anew, from one bag; see :class:`Source`."""
        if self.run.remaining < RESERVE:
            return
        proposer = Proposer(self.model, self.X, self.y, self.run.rng, n_bags=1, bag_size=self.bag_size)
        known = self.model.vocabulary.ids
        usable = [
            parent
            for parent in parents
            if len(parent) <= proposer.max_tokens and all(token in known for token in parent)
        ]
        arounds = holes(choice, usable, len(usable))
        deadline = self.run.deadline - RESERVE
        for tokens in proposer.infill(arounds, INFILLED, temperature=temperature, deadline=deadline):
            self.run.count("infilled")
            yield tokens

    def _decode(self, proposer: Proposer, mode: Mode, temperature: float) -> list[Decoded]:
        deadline = self.run.deadline - RESERVE
        if self.decoding == "sampling":
            return proposer.sample(f"<{mode}>", self.n_candidates, temperature=temperature, deadline=deadline)
        found: list[Decoded] = []
        for row in range(self.n_bags):
            if self.run.remaining < RESERVE:
                break
            memory = proposer.memory[row : row + 1]
            found += proposer.beam(f"<{mode}>", self.n_candidates, memory, deadline=deadline)
        return found
