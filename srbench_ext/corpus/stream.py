"""The stream of synthetic problems: formula, points, values; seeded by position."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from srbench_ext.corpus.audit import Audit
from srbench_ext.corpus.grammar import GRAMMARS, constant
from srbench_ext.corpus.mixture import Mixture
from srbench_ext.corpus.normal import Node, flatten, normalise, skeleton_of, strip_affine
from srbench_ext.corpus.points import draw_points
from srbench_ext.corpus.values import REASONS, DrawnFormula, verdict
from srbench_ext.corpus.weighted import Weighted

__all__ = ["Corpus", "Example"]

FloatArray = NDArray[np.float64]
AFFINE = frozenset({"e2e"})
"""Grammars whose formulas have scales and offsets of their own."""


@dataclass(frozen=True, slots=True)
class Example:
    """One synthetic problem.

    Attributes
    ----------
    X : ndarray of shape (n_points, n_variables)
    y : ndarray of shape (n_points,)
        Values of the formula with the example's noise.
    formula : tuple of str or float
        Prefix sequence in raw units; constants are floats.
    skeleton : tuple of str
        Prefix tokens without the outer scale and offset, ``C`` for constants.
    noise : float
        Standard deviation of the target noise over RMS(y).
    """

    X: FloatArray
    y: FloatArray
    formula: tuple[str | float, ...]
    skeleton: tuple[str, ...]
    noise: float


@dataclass
class Corpus:
    """A seeded source of examples.

    Parameters
    ----------
    mixture : Mixture
    audit : Audit
        Formulas it does not admit are never returned.

    Notes
    -----
    ``rejected`` counts by reason what was drawn and not used.
    """

    mixture: Mixture
    audit: Audit
    rejected: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        mix = self.mixture
        self._grammars = Weighted(mix.grammars, mix.grammars.values())
        self._families = Weighted(mix.points, mix.points.values())
        weights = {name: mix.weights_of_variables(name) for name in mix.grammars}
        self._n_variables = {name: Weighted(range(1, len(w) + 1), w) for name, w in weights.items()}

    def forget_counts(self) -> None:
        """Set the counts of rejections and of benchmark truths met to zero."""
        self.rejected.clear()
        self.audit.forget_counts()

    def examples(self, seed: tuple[int, ...], count: int, n_points: int) -> list[Example]:
        """Return ``count`` examples of ``n_points`` rows; the same seed gives the same ones."""
        rng = np.random.default_rng(seed)
        choice = random.Random(int(rng.integers(2**62)))
        found: list[Example] = []
        while len(found) < count:
            example = self._draw(rng, choice, n_points)
            if isinstance(example, str):
                self.rejected[example] += 1
            else:
                found.append(example)
        return found

    def _draw(self, rng: np.random.Generator, choice: random.Random, n_points: int) -> Example | str:
        """Return an example, or the reason why this draw gives none."""
        mix = self.mixture
        grammar = self._grammars.draw(choice)
        n_variables = self._n_variables[grammar].draw(choice)
        node = normalise(GRAMMARS[grammar](choice, n_variables))
        core = strip_affine(node)
        stripped = flatten(core)
        skeleton = skeleton_of(stripped)
        reason = self._too_long(skeleton, n_variables)
        if reason:
            return reason
        if grammar not in AFFINE:
            node = self._outer(choice, node)
        formula = tuple(stripped if node is core else flatten(node))
        if len(formula) > mix.limits["max_tokens"]:
            return "too long"
        if not (self.audit.admits(stripped) if "pow" in skeleton else self.audit.admits_core(core)):
            return "benchmark truth"
        prefix = skeleton if node is core else skeleton_of(formula)
        drawn = self._points(rng, choice, DrawnFormula(formula, prefix), n_variables, n_points)
        if isinstance(drawn, str):
            return drawn
        X, y = drawn
        noise = 0.0
        if choice.random() < mix.target["noise_share"]:
            noise = choice.uniform(0.0, mix.target["largest_noise"])
            y = y + noise * np.sqrt(np.mean(y**2)) * rng.standard_normal(n_points)
        return Example(X, y, formula, skeleton, noise)

    def _too_long(self, skeleton: tuple[str, ...], n_variables: int) -> str:
        limits = self.mixture.limits
        if "0" in skeleton:
            return "a term cancelled"
        if len(skeleton) > limits["max_skeleton_tokens"]:
            return "too long"
        if skeleton.count("C") > limits["max_constants"]:
            return "too many constants"
        if len({token for token in skeleton if token[0] == "x"}) < n_variables:
            return "a variable cancelled"
        return ""

    def _outer(self, choice: random.Random, node: Node) -> Node:
        target = self.mixture.target
        bare = node
        if choice.random() < target["outer_scale"]:
            scale = 10.0 ** choice.uniform(-2.0, 2.0) if choice.random() < 0.5 else constant(choice)
            node = ("mul", scale, node)
        if choice.random() < target["outer_offset"]:
            node = ("add", node, constant(choice))
        return node if node is bare else normalise(node)

    def _points(
        self,
        rng: np.random.Generator,
        choice: random.Random,
        formula: DrawnFormula,
        n_variables: int,
        n_points: int,
    ) -> tuple[FloatArray, FloatArray] | str:
        limits = self.mixture.limits
        n_drawn = math.ceil(n_points / (1.0 - limits.get("max_bad_rows", 0.0)))
        reason = ""
        for _ in range(int(limits["draws_of_points"])):
            X = draw_points(rng, self._families.draw(choice), n_drawn, n_variables)
            y = formula.evaluate(X)
            if n_drawn > n_points:
                rows = np.flatnonzero(np.abs(y) <= limits["max_abs_y"])[:n_points]
                if len(rows) == n_points:
                    X, y = X[rows], y[rows]
            reason = REASONS[verdict(y, limits["max_abs_y"])]
            if not reason:
                return X, y
        return reason
