"""Proposals screened into an archive: every one is looked at, the front alone is refined.

A first look costs a fortieth of decoding the formula, so that each proposal is also looked at with its
variables exchanged and with constants in more places. Later rounds show the network what the best
formulas leave unexplained.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srbench_ext.expression import Expression
from srbench_ext.method import Candidate
from srbench_ext.search import Archive, Entry, Tokens, linear_formula, refined_front, tokens_of
from srbench_ext.search.form import with_values

from .rounds import RESERVE, Mode, Proposed, Source
from .variants import permuted, with_coefficients, with_offsets

__all__ = ["Schedule", "Screening"]

FloatArray = NDArray[np.float64]

MAX_TOKENS = 40
MAX_CONSTANTS = 8
_FIRST_RESIDUAL_ROUND = 2
_SMALLEST_SLOPE = 1e-30


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the rounds do.

    Attributes
    ----------
    modes : tuple of {"numeric", "skeleton"}
        Taken in turn.
    temperatures : tuple of float
        Taken in turn.
    n_permutations : int
        Other assignments of columns looked at for each proposal.
    constants : bool
        Look at each proposal with constants in more places too.
    residuals : bool
        Show the network, in every second round, what the best formulas leave of y.
    infills : int
        Formulas of the archive that get subtrees written anew, after each round.
    """

    modes: tuple[Mode, ...]
    temperatures: tuple[float, ...]
    n_permutations: int
    constants: bool
    residuals: bool
    infills: int


class Screening:
    """One fit.

    Parameters
    ----------
    proposals : Source
    schedule : Schedule
    max_rounds : int
    fit_rows : int
        Rows that constants are fitted on; the front is fitted on all.
    n_starts : int
        Starts of a full fit.

    Attributes
    ----------
    validated : dict of Expression to float
        Error over the variance of y on the validation rows, of the formulas yielded; refined ones carry that
        of the fit that did not see these rows.
    """

    def __init__(
        self, proposals: Source, schedule: Schedule, *, max_rounds: int, fit_rows: int, n_starts: int
    ) -> None:
        self.proposals, self.schedule, self.max_rounds = proposals, schedule, max_rounds
        self.X, self.y, self.run = proposals.X, proposals.y, proposals.run
        self.columns = [i for i in range(self.X.shape[1]) if np.ptp(self.X[:, i]) > 0]
        self.archive = Archive(
            self.X,
            self.y,
            self.run.rng,
            max_fit_rows=fit_rows,
            n_starts=n_starts,
            max_constants=MAX_CONSTANTS,
            max_tokens=MAX_TOKENS,
        )
        self.choice = random.Random(int(self.run.rng.integers(2**62)))
        self.validated: dict[Expression, float] = {}

    @property
    def deadline(self) -> float:
        """When the last formula has to be screened."""
        return self.run.deadline - RESERVE

    def search(self) -> Iterator[Candidate]:
        """Yield a linear formula, every new member of the front, and the front refined on all rows."""
        if not self.columns:
            return
        yield Candidate(linear_formula(self.X, self.y, self.columns), source="linear")
        rounds = 0
        while rounds < self.max_rounds and self.run.remaining > RESERVE and not self.archive.exact:
            yield from self._round(rounds)
            rounds += 1
        self.run.count("rounds", rounds)
        self.run.count("evaluated", self.archive.n_evaluated)
        with self.run.phase("refine"):
            for expression, entry, step in refined_front(
                self.archive, self.X, self.y, self.run.rng, deadline=self.run.deadline - 0.05
            ):
                self.validated[expression] = entry.nmse_validation
                yield Candidate(expression, source=f"{entry.origin}, {step}")

    def _round(self, number: int) -> Iterator[Candidate]:
        schedule = self.schedule
        formulas: Iterator[Tokens]
        mode = schedule.modes[number % len(schedule.modes)]
        temperature = schedule.temperatures[number % len(schedule.temperatures)]
        if schedule.residuals and number >= _FIRST_RESIDUAL_ROUND and number % 2 == 1:
            formulas, origin = self._residual_formulas(mode, temperature), "residual"
        else:
            formulas, origin = map(self._tokens, self.proposals.draw(mode, temperature)), mode
        yield from self._submit(self._with_variants(formulas), origin)
        if schedule.infills:
            parents = [member.prefix for member in self.archive.parents(self.choice, schedule.infills)]
            infilled = self.proposals.infill(parents, self.choice, temperature)
            yield from self._submit(map(self._started, infilled), "infill")

    def _submit(self, formulas: Iterator[Tokens], origin: str) -> Iterator[Candidate]:
        fresh = self.archive.submit(formulas, origin, screen=True, deadline=self.deadline)
        self.run.count("fitted", len(fresh))
        for entry in self.archive.on_front(fresh):
            yield self._candidate(entry)

    def _candidate(self, entry: Entry) -> Candidate:
        self.validated[entry.expression] = entry.nmse_validation
        return Candidate(entry.expression, source=entry.origin)

    def _with_variants(self, formulas: Iterator[Tokens]) -> Iterator[Tokens]:
        """Yield every formula, its forms with other columns, and all of these with more constants."""
        for formula in formulas:
            forms = [formula]
            if self.schedule.n_permutations:
                forms += permuted(formula, self.columns, self.choice, self.schedule.n_permutations)
            yield from forms
            if self.schedule.constants:
                for form in forms:
                    yield with_coefficients(form)
                    yield with_offsets(form)

    def _residual_formulas(self, mode: Mode, temperature: float) -> Iterator[Tokens]:
        """Yield a good formula joined with what the network writes for the rest that it leaves of y."""
        parents = self.archive.parents(self.choice, 1)
        if not parents:
            return
        tokens = parents[0].tokens
        values = _evaluate(tokens, self.X)
        if not np.isfinite(values).all() or np.ptp(values) == 0:
            return
        with np.errstate(all="ignore"):
            if self.choice.random() < 0.5:
                rest, join = self.y / values, ("mul", *tokens)
            else:
                slope, offset = map(float, np.polyfit(values, self.y, 1))
                scale = 1.0 / slope if abs(slope) > _SMALLEST_SLOPE else 1.0
                rest, join = self.y - slope * values - offset, ("add", *tokens, "mul", scale)
        if not np.isfinite(rest).all() or np.ptp(rest) == 0:
            return
        for proposed in self.proposals.draw(mode, temperature, rest):
            yield (*join, *self._tokens(proposed))

    def _tokens(self, proposed: Proposed) -> Tokens:
        """Return tokens with a start for every constant: the one written, or one near 1."""
        if proposed.mode == "numeric":
            return tokens_of(proposed.expression)
        return self._started(proposed.expression.prefix)

    def _started(self, prefix: tuple[str, ...]) -> Tokens:
        """Return tokens with a value near 1 for every constant."""
        return with_values(prefix, lambda: self.choice.lognormvariate(0.0, 0.3))


def _evaluate(tokens: Tokens, X: FloatArray) -> FloatArray:
    constants = tuple(token for token in tokens if not isinstance(token, str))
    prefix = tuple(token if isinstance(token, str) else "C" for token in tokens)
    with np.errstate(all="ignore"):
        return Expression(prefix, constants).evaluate(X)
