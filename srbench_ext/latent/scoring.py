"""What a latent point is worth: the best of the formulas it decodes to, on the shared archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from srbench_ext.expression.operators import CONSTANT
from srbench_ext.latent.space import Formula
from srbench_ext.search import Archive, Entry
from srbench_ext.search.form import skeleton_of
from srbench_ext.search.variants import with_coefficients, with_offsets

__all__ = ["Duplicates", "Fitness", "Scorer", "released_fitness"]

FloatArray = NDArray[np.float64]
Fitness = Literal["log", "r2"]
Duplicates = Literal["cached", "zero"]
Skeleton = tuple[str, ...]


def released_fitness(nmse: float, complexity: int, tokens_per_unit: float = 400.0) -> float:
    """Return the fitness of the released code: R², less complexity / 400 where R² is at least 0.5."""
    r2 = max(0.0, 1.0 - nmse)
    return r2 if r2 < 0.5 else max(0.0, r2 - complexity / tokens_per_unit)


class Scorer:
    """Scores what latent points decode to; every skeleton is fitted once.

    Parameters
    ----------
    archive : Archive
        Fits constants and keeps every formula.
    fitness : {"log", "r2"}
        Order of the archive (logarithm of the error, plus a little a token), or :func:`released_fitness`.
    duplicates : {"cached", "zero"}
        A skeleton seen in an earlier generation keeps its score, or is worth nothing, as in the
        released code, which drives its search away from what it knows to be good.
    tokens_per_unit : float
        Tokens that cost as much as an R² of one, of ``r2``.
    constants : bool
        A skeleton is also fitted with a coefficient on every term and argument, and with an offset on every
        variable, and is worth the best of the three: decoding one costs ten times as much.
    """

    def __init__(
        self,
        archive: Archive,
        *,
        fitness: Fitness = "log",
        duplicates: Duplicates = "cached",
        tokens_per_unit: float = 400.0,
        constants: bool = False,
    ) -> None:
        self.constants = constants
        self.archive, self.fitness, self.duplicates = archive, fitness, duplicates
        self.tokens_per_unit = tokens_per_unit
        self.best: Entry | None = None
        self._best_score = np.inf
        self._entries: dict[Skeleton, Entry | None] = {}
        self._spent: set[Skeleton] = set()

    def score(
        self,
        decoded: Sequence[Sequence[Formula]],
        origin: str,
        *,
        deadline: float | None = None,
        remember: bool = True,
    ) -> FloatArray:
        """Return the scores (P,) of the points that decode to these formulas; lower is better.

        Parameters
        ----------
        decoded : sequence of sequence of Formula
            Those of each point. The first values of a skeleton's constants are where their fit starts.
        origin : str
            Kept with new entries of the archive.
        deadline : float, optional
            A ``time.monotonic()`` after which no more constants are fitted.
        remember : bool
            Whether a later generation sees these skeletons as duplicates. (The released code forgets
            those of the first population.)
        """
        rows = [[(skeleton_of(formula), formula) for formula in row] for row in decoded]
        asked: dict[Skeleton, Formula] = {}
        for skeleton, formula in (pair for row in rows for pair in row):
            asked.setdefault(skeleton, formula)
        fresh = {key: formula for key, formula in asked.items() if key not in self._entries}
        forms = {skeleton: self._forms(formula) for skeleton, formula in fresh.items()}
        for submitted in zip(*forms.values(), strict=True):  # first what was written, of all
            self.archive.submit(submitted, origin, deadline=deadline)
        for skeleton, of_one in forms.items():
            entries = [self.archive.entry_of(form) for form in of_one]
            self._entries[skeleton] = min(entries, key=self._of)
        scores = np.array([min((self._score(key) for key, _ in row), default=self._of(None)) for row in rows])
        if remember:
            self._spent.update(asked)
        return scores

    def _forms(self, formula: Formula) -> list[Formula]:
        if not self.constants:
            return [formula]
        valued = tuple(1.0 if token == CONSTANT else token for token in formula)
        return [formula, with_coefficients(valued), with_offsets(valued)]

    def _score(self, skeleton: Skeleton) -> float:
        entry = self._entries[skeleton]
        score = self._of(entry)
        if entry is not None and score < self._best_score:
            self.best, self._best_score = entry, score
        if self.duplicates == "zero" and skeleton in self._spent:
            return 0.0
        return score

    def _of(self, entry: Entry | None) -> float:
        if entry is None:
            return 0.0 if self.fitness == "r2" else np.inf
        if self.fitness == "log":
            return entry.score
        return -released_fitness(entry.nmse_fit, entry.complexity, self.tokens_per_unit)
