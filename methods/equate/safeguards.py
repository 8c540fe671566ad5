"""What goes wrong in an adapted network, how it is noticed, and what is done about it.

Each rule reads figures of a round and changes settings of the next; the record counts how often each one
acted. The thresholds are those of this method's specification and decisions, not of the paper.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

__all__ = ["Safeguards", "label_state"]

COPYING_SHARE = 0.6  # of decodes that are known already
FEW_NEW = 5
DULL_ROUNDS = 2
FLAT_DEVIATION = 0.02
PERFECT_MEAN = 0.9
EXPLOITED_GAP = 0.15
FORGOTTEN_SHARE = 1.2
RISING_ROUNDS = 3
_LARGEST_FACTOR = 4.0
_LARGEST_DROPOUT = 0.6
_LEAST_TOKENS = 12


def label_state(fitness: Sequence[float]) -> Literal["varied", "perfect", "bad"]:
    """Return whether labels vary; if not, whether they are all perfect or all bad."""
    if len(fitness) < 2 or np.std(fitness) >= FLAT_DEVIATION:
        return "varied"
    return "perfect" if np.mean(fitness) >= PERFECT_MEAN else "bad"


@dataclass(slots=True)
class Safeguards:
    """Settings that the rules change; factors are on what the method was given.

    Attributes
    ----------
    active : bool
        Whether the rules act; figures are taken anyway.
    temperature, noise, radius, caution, simplicity : float
        Factors on the temperature of sampling, the noise on Z, the radius of the ascent, and the weights of
        doubt and of simplicity in its objective.
    dropout : float
        Share of equations hidden in training.
    joint : bool
        Whether the decoder is trained.
    uniform : bool
        Whether all candidates weigh alike in the decoder's loss, and half of the seeds are drawn by lot.
    max_tokens : int
        Length of what is decoded.
    dull_rounds : int
        Rounds in a row that decoded next to nothing new.
    tripped : Counter
        How often each rule acted, by name.
    """

    active: bool = True
    temperature: float = 1.0
    noise: float = 1.0
    radius: float = 1.0
    caution: float = 1.0
    simplicity: float = 1.0
    dropout: float = 0.3
    joint: bool = True
    uniform: bool = False
    max_tokens: int = 36
    dull_rounds: int = 0
    tripped: Counter[str] = field(default_factory=Counter)
    _medians: list[float] = field(default_factory=list)
    _likelihood: float | None = None

    @property
    def sampling_only(self) -> bool:
        """Whether the rest of the time goes to samples of the foundation model."""
        return self.active and self.dull_rounds >= DULL_ROUNDS

    def decoded(self, count: int, new: int) -> None:
        """Take note of what a round decoded: copying, and collapse to few formulas."""
        if not (self.active and count):
            return
        copied = 1 - new / count > COPYING_SHARE
        self.dull_rounds = self.dull_rounds + 1 if copied else 0
        if copied:
            self.tripped["copying"] += 1
            self.dropout = min(_LARGEST_DROPOUT, 1.5 * self.dropout)
            self.noise = min(_LARGEST_FACTOR, 2.0 * self.noise)
            self.radius = min(_LARGEST_FACTOR, 1.5 * self.radius)
            self.temperature = min(2.0, 1.2 * self.temperature)
        if new <= FEW_NEW and count > FEW_NEW:
            self.tripped["collapse"] += 1
            self.uniform = True

    def realised(self, predicted: float, fitness: Sequence[float]) -> None:
        """Compare the fitness predicted for searched embeddings with that of what they decode to."""
        if self.active and fitness and predicted - float(np.mean(fitness)) > EXPLOITED_GAP:
            self.tripped["exploitation"] += 1
            self.caution = min(2 * _LARGEST_FACTOR, 2.0 * self.caution)
            self.radius = max(0.1, 0.7 * self.radius)

    def complexities(self, tokens: Sequence[int]) -> None:
        """Notice a median complexity of decodes that rises round by round: bloat."""
        if not (self.active and tokens):
            return
        self._medians.append(float(np.median(tokens)))
        last = self._medians[-RISING_ROUNDS - 1 :]
        if len(last) > RISING_ROUNDS and all(b > a for a, b in itertools.pairwise(last)):
            self.tripped["bloat"] += 1
            self.simplicity = min(2 * _LARGEST_FACTOR, 2.0 * self.simplicity)
            self.max_tokens = max(_LEAST_TOKENS, int(0.8 * self.max_tokens))
            self._medians.clear()

    def forgets(self, likelihood: float) -> bool:
        """Take the negative log-likelihood of the foundation model's own candidates; return whether it rose.

        The first one is what later ones are compared with. When it has risen too far the decoder is not
        trained any more.
        """
        if self._likelihood is None:
            self._likelihood = likelihood
        if not (self.active and self.joint) or likelihood <= FORGOTTEN_SHARE * self._likelihood:
            return False
        self.tripped["forgetting"] += 1
        self.joint = False
        return True
