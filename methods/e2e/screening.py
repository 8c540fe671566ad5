"""Proposals screened into an archive: every one is looked at, the front alone is refined.

A first look costs a fortieth of decoding the formula, so that each proposal is also looked at with its
variables exchanged and with constants in more places. Where a sum of what was written explains more than any
formula, every second round shows the network what that sum leaves.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srbench_ext.method import Candidate
from srbench_ext.search import (
    TOKEN_WEIGHT,
    Archive,
    Entry,
    Judge,
    Sums,
    Tokens,
    linear_fallbacks,
    refined_front,
    tokens_of,
)
from srbench_ext.search.form import with_values
from srbench_ext.search.variants import permuted, with_coefficients, with_offsets

from .rounds import RESERVE, Mode, Proposed, Source

__all__ = ["Schedule", "Screening"]

FloatArray = NDArray[np.float64]

MAX_TOKENS = 40
MAX_CONSTANTS = 8


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
    sums : bool
        Add up terms that the network wrote, and show it in every second round what they leave of y.
    infills : int
        Formulas of the archive that get subtrees written anew, after each round.
    """

    modes: tuple[Mode, ...]
    temperatures: tuple[float, ...]
    n_permutations: int
    constants: bool
    sums: bool
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
    judge : Judge
        Knows the error on the validation rows of the formulas yielded; refined ones carry that of the fit
        that did not see these rows.
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
        self.judge = Judge(self.X, self.y, self.run.deadline, least_weight=TOKEN_WEIGHT)
        self.sums = Sums(self.archive, self.X, self.y, self.choice)

    @property
    def deadline(self) -> float:
        """When the last formula has to be screened."""
        return self.run.deadline - RESERVE

    def search(self) -> Iterator[Candidate]:
        """Yield linear formulas, every new member of the front, and the front refined on all rows."""
        if not self.columns:
            return
        for law, error, name in linear_fallbacks(self.X, self.y):
            self.judge.fall_back_on(law, error)
            yield Candidate(law, source=name)
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
                self.judge.validated[expression] = entry.nmse_validation
                yield Candidate(expression, source=f"{entry.origin}, {step}")

    def _round(self, number: int) -> Iterator[Candidate]:
        schedule = self.schedule
        mode = schedule.modes[number % len(schedule.modes)]
        temperature = schedule.temperatures[number % len(schedule.temperatures)]
        rest = self.sums.rest() if schedule.sums and number % 2 == 1 else None
        if rest is not None:  # what is written for it is a term, not a formula of the table
            for proposed in self.proposals.draw(mode, temperature, rest):
                self.sums.add(self._tokens(proposed))
        else:
            formulas = [self._tokens(proposed) for proposed in self.proposals.draw(mode, temperature)]
            for formula in formulas:
                self.sums.add(formula)
            yield from self._submit(self._with_variants(formulas), mode)
            if schedule.infills:
                parents = [member.prefix for member in self.archive.parents(self.choice, schedule.infills)]
                infilled = self.proposals.infill(parents, self.choice, temperature)
                yield from self._submit(map(self._started, infilled), "infill")
        if schedule.sums and not self.archive.exact:
            for entry in self.sums.submit(self.deadline):
                yield self._candidate(entry)

    def _submit(self, formulas: Iterable[Tokens], origin: str) -> Iterator[Candidate]:
        fresh = self.archive.submit(formulas, origin, screen=True, deadline=self.deadline)
        self.run.count("fitted", len(fresh))
        for entry in self.archive.on_front(fresh):
            yield self._candidate(entry)

    def _candidate(self, entry: Entry) -> Candidate:
        self.judge.validated[entry.expression] = entry.nmse_validation
        return Candidate(entry.expression, source=entry.origin)

    def _with_variants(self, formulas: Iterable[Tokens]) -> Iterator[Tokens]:
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

    def _tokens(self, proposed: Proposed) -> Tokens:
        """Return tokens with a start for every constant: the one written, or one near 1."""
        if proposed.mode == "numeric":
            return tokens_of(proposed.expression)
        return self._started(proposed.expression.prefix)

    def _started(self, prefix: tuple[str, ...]) -> Tokens:
        """Return tokens with a value near 1 for every constant."""
        return with_values(prefix, lambda: self.choice.lognormvariate(0.0, 0.3))
