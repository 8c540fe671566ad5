"""NeSymReS: the points' bits, a beam of skeletons, their constants by least squares, the best fit.

The order of operations follows Biggio et al. (arXiv 2106.06427): encode the table once, decode a beam,
fit the constants of every hypothesis from several starts, take the best. Rounds with other rows and
other units and with wider beams go on until the time is up.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from srbench_ext.expression import Expression, fit_constants, fit_constants_many, simplify, snap_constants
from srbench_ext.method import Candidate, Limits, Method, SearchRun
from srbench_ext.models.checkpoint import load_weights, read_card
from srbench_ext.models.decoding import Grammar, beam_search
from srbench_ext.models.official.places import weights_path
from srbench_ext.models.precision import one_thread
from srbench_ext.search import ParetoFront

from .bits import decimal_exponents
from .model import NeSymReSNet, build
from .units import in_units

__all__ = ["NeSymReS"]

FloatArray = NDArray[np.float64]
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
"""Share of the time left that a beam search leaves to the fits of what it found."""
FOR_REFINEMENT = 0.05
"""Share of the whole time that is kept for the end."""
EXACT = 1e-14
"""A squared error of this share of the variance ends the search: nothing can fit better."""


class NeSymReS(Method):
    """Set transformer that writes skeletons, a beam search, and a fit of their constants.

    Parameters
    ----------
    max_seconds, random_state
        As for every method.
    variant : {"nesymres", "nesymres-10"}
        Weights for at most three columns from the method's own corpus, or for ten from the shared one.
    beam_size, largest_beam : int
        Beam of the first round; it doubles every round, up to the largest.
    bag_size : int
        Rows that are encoded in a round.
    stretch : float
        From the second round on, the columns are encoded in other units: multiplied by ten to a power
        that is uniform on plus or minus this.
    n_starts : int
        Starts of a constant fit.
    fit_rows : int
        Rows used for fitting.
    max_rounds : int
        Rounds of beams; the time is up earlier, as a rule.
    weights : str or None
        Another weights file than the ones that ship, or ``official``: the authors', as
        ``srbench-ext weights import`` wrote them to the user's data folder. ``variant`` is then ignored.
    """

    name = "nesymres"
    version = "1"
    limits: ClassVar[Limits] = {
        "beam_size": (1, None),
        "largest_beam": (1, None),
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
        largest_beam: int = 256,
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
        self.largest_beam = largest_beam
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
        """Yield fitted candidates, beam by beam, and the front of them fitted on all rows."""
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
        seen: set[tuple[str, ...]] = set()
        for number in range(self.max_rounds):
            bag = run.rng.permutation(len(y))[: self.bag_size]
            factors = self._factors(model, X[bag], number, run)
            proposed = self._decode(model, X[bag] * factors, y[bag], number, run)
            for expression, loss in self._fit(proposed, factors, few, seen, run):
                yield Candidate(expression, source="beam")
                front.add(expression.complexity, loss, (expression, loss))
            lowest = min((loss for _, loss in front), default=np.inf)
            if run.remaining < 2 * self._reserve or lowest <= EXACT * np.var(y):
                break
        with run.phase("refine"):
            yield from self._refit(front, X, y, run)

    def _factors(self, model: NeSymReSNet, X: FloatArray, number: int, run: SearchRun) -> FloatArray:
        """Return what each column is multiplied by before it is encoded."""
        stretch = np.ones(X.shape[1])
        if number:
            stretch = 10.0 ** run.rng.uniform(-self.stretch, self.stretch, X.shape[1])
        exponents = decimal_exponents(X * stretch, model.config.x_support)
        if not number and exponents.any():
            run.note("powers_of_ten", exponents)
        return stretch / 10.0**exponents

    def _decode(
        self, model: NeSymReSNet, X: FloatArray, y: FloatArray, number: int, run: SearchRun
    ) -> list[tuple[str, ...]]:
        """Return the skeletons of one beam search over a table in the units of the network."""
        features = torch.from_numpy(model.encoder().table(X, y))[None]
        longest = min(LONGEST, model.config.max_length - 2)
        grammar = Grammar(model.vocabulary, "<skeleton>", X.shape[1], longest, MOST_CONSTANTS)
        with torch.no_grad():
            memory = model.encode(features)
        found = beam_search(
            model,
            memory,
            grammar,
            [model.vocabulary.ids["<skeleton>"]],
            min(self.largest_beam, self.beam_size * 2 ** min(number, 16)),
            deadline=run.deadline - FOR_FITS * run.remaining,
        )
        run.count("proposed", len(found))
        return [decoded.tokens for decoded in found]

    def _fit(
        self,
        skeletons: list[tuple[str, ...]],
        factors: FloatArray,
        few: tuple[FloatArray, FloatArray],
        seen: set[tuple[str, ...]],
        run: SearchRun,
    ) -> Iterator[Fitted]:
        """Yield each new skeleton in the caller's units, with its constants and its error."""
        fresh: list[Expression] = []
        for skeleton in skeletons:
            start = in_units(skeleton, factors, run.rng)
            if start.prefix not in seen:
                seen.add(start.prefix)
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
