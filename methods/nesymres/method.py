"""NeSymReS: the points' bits, a beam of skeletons, their constants by least squares, the best fit.

The order of operations follows Biggio et al. (arXiv 2106.06427): encode the table once, decode a beam,
fit the constants of every hypothesis from several starts, take the best. Rounds of samples from other
rows and other units go on until the time is up: a beam finds few skeletons that the last one did not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from srbench_ext.expression import (
    Expression,
    canonical_key,
    fit_constants,
    fit_constants_many,
    simplify,
    snap_constants,
)
from srbench_ext.method import EXACT_NMSE, Candidate, Limits, Method, SearchRun
from srbench_ext.models.checkpoint import load_weights, read_card
from srbench_ext.models.decoding import Grammar, beam_search, sample
from srbench_ext.models.official.places import weights_path
from srbench_ext.models.precision import one_thread
from srbench_ext.search import ParetoFront

from .bits import decimal_exponents
from .model import NeSymReSNet, build
from .units import in_units

__all__ = ["NeSymReS"]

FloatArray = NDArray[np.float64]
Skeleton = tuple[str, ...]
Fitted = tuple[Expression, float]
"""A formula and its mean squared error."""
WEIGHTS = Path(__file__).parent / "weights"
VARIANTS = {"nesymres": 3, "nesymres-10": 10}
"""Columns that each variant's network reads."""
LONGEST = 34
"""Tokens of the longest skeleton of the shared corpus."""
MOST_CONSTANTS = 6
"""Placeholders that a skeleton of the shared corpus has at most."""
FOR_FITS = 0.4
"""Share of the time left that decoding leaves to the fits of what it found."""
FOR_REFINEMENT = 0.02
"""Share of the whole time that is kept for the end."""
AFTER_EXACT = 3
"""Rounds without a simpler exact formula after which a search ends: the first may be a detour to the law."""
TARGET_STRETCH = 1.0
"""The target is encoded times ten to a power within plus or minus this: its unit is solved in the fit."""


class NeSymReS(Method):
    """Set transformer that writes skeletons, a beam search, and a fit of their constants.

    Parameters
    ----------
    max_seconds, random_state
        As for every method.
    variant : {"nesymres", "nesymres-10"}
        Weights for at most three columns from the method's own corpus, or for ten from the shared one.
    beam_size : int
        Beam of the first round.
    memories, samples : int
        Bags of rows in every later round, and samples from the memory of each.
    temperature : float
        Of sampling: in every round another one, between 1 and this.
    bag_size : int
        Rows that are encoded at once.
    stretch : float
        In later rounds, every other bag has columns in other units: multiplied by ten to a power that is
        uniform on plus or minus this.
    n_starts : int
        Starts of a constant fit.
    fit_rows : int
        Rows used for fitting.
    max_rounds : int
        Rounds; the time is up earlier, as a rule.
    weights : str or None
        Another weights file than the ones that ship, or ``official``: the authors', as
        ``srbench-ext weights import`` wrote them to the user's data folder. ``variant`` is then ignored.
    """

    name = "nesymres"
    version = "2"
    limits: ClassVar[Limits] = {
        "beam_size": (1, None),
        "memories": (1, None),
        "samples": (1, None),
        "temperature": (1.0, None),
        "bag_size": (1, None),
        "stretch": (0.0, None),
        "n_starts": (1, None),
        "fit_rows": (1, None),
        "max_rounds": (1, None),
    }

    def __init__(
        self,
        *,
        max_seconds: float = 60.0,
        random_state: int = 0,
        variant: Literal["nesymres", "nesymres-10"] = "nesymres",
        beam_size: int = 32,
        memories: int = 4,
        samples: int = 250,
        temperature: float = 1.5,
        bag_size: int = 200,
        stretch: float = 0.3,
        n_starts: int = 4,
        fit_rows: int = 500,
        max_rounds: int = 1000,
        weights: str | None = None,
    ) -> None:
        super().__init__(max_seconds=max_seconds, random_state=random_state)
        self.variant = variant
        self.beam_size = beam_size
        self.memories = memories
        self.samples = samples
        self.temperature = temperature
        self.bag_size = bag_size
        self.stretch = stretch
        self.n_starts = n_starts
        self.fit_rows = fit_rows
        self.max_rounds = max_rounds
        self.weights = weights

    @property
    def max_features(self) -> int:  # type: ignore[override]  # it depends on the weights
        """Columns that the network reads."""
        if self.weights is not None:
            return int(read_card(self._weights_path)["model"]["n_variables"])
        return VARIANTS[self.variant]

    @property
    def weights_sha256(self) -> str | None:
        """The sha256 of the weights."""
        return str(read_card(self._weights_path)["sha256"])

    @property
    def _weights_path(self) -> Path:
        return weights_path(self.weights, self.name, WEIGHTS / f"{self.variant}.safetensors")

    @property
    def _reserve(self) -> float:
        """Seconds kept for the end."""
        return max(0.1, FOR_REFINEMENT * self.max_seconds)

    def search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        """Yield what enters the front, round by round, and the front fitted on all rows."""
        with one_thread():
            yield from self._search(X, y, run)

    def _search(self, X: FloatArray, y: FloatArray, run: SearchRun) -> Iterator[Candidate]:
        with run.phase("load"):
            model, card = load_weights(self._weights_path, build)
        if "examples" in card:  # the authors' files do not say it
            run.note("weights_examples", card["examples"])
        rows = run.rng.permutation(len(y))[: self.fit_rows]
        few = (np.ascontiguousarray(X[rows]), y[rows])
        front: ParetoFront[Fitted] = ParetoFront()
        seen: set[bytes] = set()
        simplest, unchanged = np.inf, 0
        for number in range(self.max_rounds):
            decoded = self._sampled(model, X, y, run) if number else self._beam(model, X, y, run)
            for expression, loss in self._fit(decoded, few, seen, run):
                if front.add(expression.complexity, loss, (expression, loss)):
                    yield Candidate(expression, source="samples" if number else "beam")
            exact = [e.complexity for e, loss in front if loss <= EXACT_NMSE * np.var(y)]
            unchanged = unchanged + 1 if min(exact, default=np.inf) == simplest else 0
            simplest = min(exact, default=np.inf)
            if run.remaining < 2 * self._reserve or (exact and unchanged == AFTER_EXACT):
                break
        with run.phase("refine"):
            yield from self._refit(front, X, y, run)

    def _beam(
        self, model: NeSymReSNet, X: FloatArray, y: FloatArray, run: SearchRun
    ) -> list[tuple[Skeleton, FloatArray]]:
        """Return the skeletons of a beam search, and what the columns were multiplied by."""
        bag = run.rng.permutation(len(y))[: self.bag_size]
        exponents = decimal_exponents(X[bag], model.config.x_support)
        if exponents.any():
            run.note("powers_of_ten", exponents)
        factors = np.power(10.0, -exponents, dtype=np.float64)
        found = beam_search(
            model,
            self._memory(model, [(X[bag] * factors, y[bag])]),
            self._grammar(model, X.shape[1]),
            [model.vocabulary.ids["<skeleton>"]],
            self.beam_size,
            deadline=run.deadline - FOR_FITS * run.remaining,
        )
        run.count("proposed", len(found))
        return [(decoded.tokens, factors) for decoded in found]

    def _sampled(
        self, model: NeSymReSNet, X: FloatArray, y: FloatArray, run: SearchRun
    ) -> list[tuple[Skeleton, FloatArray]]:
        """Return the skeletons sampled for several bags, and what the columns of each were multiplied by."""
        tables, factors = [], []
        for number in range(self.memories):
            bag = run.rng.permutation(len(y))[: self.bag_size]
            stretch = 10.0 ** (self.stretch * run.rng.uniform(-1.0, 1.0, X.shape[1]) * (number % 2))
            factors.append(stretch / 10.0 ** decimal_exponents(X[bag] * stretch, model.config.x_support))
            target = y[bag] * 10.0 ** run.rng.uniform(-TARGET_STRETCH, TARGET_STRETCH)
            tables.append((X[bag] * factors[-1], target))
        found = sample(
            model,
            self._memory(model, tables),
            self._grammar(model, X.shape[1]),
            [[model.vocabulary.ids["<skeleton>"]]] * self.memories,
            self.samples,
            run.rng,
            temperature=run.rng.uniform(1.0, self.temperature),
            deadline=run.deadline - FOR_FITS * run.remaining,
        )
        run.count("proposed", len(found))
        return [(decoded.tokens, factors[decoded.row]) for decoded in found]

    def _memory(self, model: NeSymReSNet, tables: list[tuple[FloatArray, FloatArray]]) -> torch.Tensor:
        """Return the memories of tables in the units of the network."""
        encoder = model.encoder()
        features = np.stack([encoder.table(X, y) for X, y in tables])
        with torch.no_grad():
            return model.encode(torch.from_numpy(features))

    def _grammar(self, model: NeSymReSNet, n_columns: int) -> Grammar:
        longest = min(LONGEST, model.config.max_length - 2)
        return Grammar(model.vocabulary, "<skeleton>", n_columns, longest, MOST_CONSTANTS)

    def _fit(
        self,
        decoded: list[tuple[Skeleton, FloatArray]],
        few: tuple[FloatArray, FloatArray],
        seen: set[bytes],
        run: SearchRun,
    ) -> Iterator[Fitted]:
        """Yield each new skeleton in the caller's units, with its constants and its error."""
        fresh: list[Expression] = []
        for skeleton, factors in decoded:
            start = in_units(skeleton, factors, run.rng)
            key = canonical_key(start.prefix)
            if key not in seen:
                seen.add(key)
                fresh.append(start)
        for _, fit in fit_constants_many(
            fresh, *few, n_starts=self.n_starts, rng=run.rng, deadline=run.deadline - self._reserve
        ):
            run.count("fitted")
            if np.isfinite(fit.loss):
                yield fit.expression, fit.loss

    def _refit(
        self, front: ParetoFront[Fitted], X: FloatArray, y: FloatArray, run: SearchRun
    ) -> Iterator[Candidate]:
        """Fit the front on all rows from the constants found on few, then snap them; the best first."""
        for expression, _ in sorted(front, key=lambda pair: pair[1]):
            if run.remaining < 0.1:
                return
            fit = fit_constants(
                expression, X, y, scale_and_offset=False, n_starts=1, rng=run.rng, deadline=run.deadline - 0.1
            )
            if not np.isfinite(fit.loss):
                continue
            yield Candidate(fit.expression, source="all rows")
            snapped = snap_constants(fit.expression, X, y, deadline=run.deadline - 0.1)
            yield Candidate(simplify(snapped), source="snapped")
