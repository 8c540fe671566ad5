"""An island of a search: an archive and its breeder on a table as it is, or as reduced."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from srbench_ext.expression import Expression, snap_constants
from srbench_ext.search.archive import Archive, Entry
from srbench_ext.search.breeding import Breeder
from srbench_ext.search.polishing import polished
from srbench_ext.search.reduction import Reduction
from srbench_ext.search.refinement import refined_front
from srbench_ext.search.relations import loosened, scaled_functions, sparse_relations
from srbench_ext.search.rows import RowSets
from srbench_ext.search.stepwise import stepwise_sums
from srbench_ext.search.subtrees import SubtreeSource

__all__ = ["Island", "closed_forms", "related"]

FloatArray = npt.NDArray[np.float64]

_MOST_BEFORE = 3
_MOST_ROWS = 1000  # that the terms of sums are chosen on
_LEAST_SECONDS = 0.5  # that choosing them takes


def closed_forms(
    reduction: Reduction, X: FloatArray, y: FloatArray, deadline: float
) -> Iterator[tuple[Expression, str]]:
    """Yield the factor of a reduction times the constant that fits best, then snapped and polished.

    The law where no column is left.

    Parameters
    ----------
    reduction : Reduction
    X, y : ndarray of shape (n, d) and (n,)
    deadline : float
        A ``time.monotonic()`` after which nothing is snapped or polished.
    """
    values = reduction.restore(Expression(("1",))).evaluate(X)
    largest = np.abs(values).max()
    scale = float((values / largest) @ y / ((values / largest) @ (values / largest))) / largest
    law = reduction.restore(Expression(("C",), (scale,)))
    yield law, "reduction"
    snapped = snap_constants(law, X, y, deadline=deadline)
    yield snapped, "reduction, snapped"
    for shorter in polished(snapped, X, y, min(deadline, time.monotonic() + 0.3)):
        yield shorter, "reduction, polished"


def related(
    islands: Sequence[Island], build: Callable[[Reduction], Island], deadline: float
) -> Iterator[tuple[Island, Expression, Entry]]:
    """Try small sums of features on each island, and on the tables before the last steps of the reduction.

    It ends with the first exact formula. A wrong last step hides a law that the table before it still shows.

    Parameters
    ----------
    islands : sequence of Island
        The first of them of the reduced table.
    build : callable
        Makes an island of another reduction.
    deadline : float
        A ``time.monotonic()`` after which nothing further is looked for.

    Yields
    ------
    tuple of Island, Expression and Entry
        New members of the front of an island; it may be one that ``build`` made.
    """
    tables: list[Island | Reduction] = [islands[0]]
    before = islands[0].reduction.before
    while before is not None and before.steps and len(tables) <= _MOST_BEFORE:
        tables.append(before)
        before = before.before
    for each in (*tables, *islands[1:]):
        if time.monotonic() >= deadline:
            return
        island = build(each) if isinstance(each, Reduction) else each
        for expression, entry in island.relate(deadline):
            yield island, expression, entry
        if island.archive.exact:
            return


class Island:
    """Breeds formulas of a table, as reduced, and hands them out as formulas of the whole table.

    Parameters
    ----------
    X, y : ndarray of shape (n, d) and (n,)
        The whole table.
    reduction : Reduction
        With at least one column that varies.
    rows : RowSets
        Which rows serve what; the islands of one search share them, so that one's validation rows are not
        fitted by another.
    rng : numpy.random.Generator
        Draws the starts of fits.
    choice : random.Random
        Draws trees and edits.
    n_random : int
        Random trees to begin with.
    max_tokens, max_constants : int
        Largest formula of the reduced table, without its outer scale and offset.

    Attributes
    ----------
    archive : Archive
        Of the reduced table.
    breeder : Breeder
    """

    def __init__(
        self,
        X: FloatArray,
        y: FloatArray,
        reduction: Reduction,
        rows: RowSets,
        rng: np.random.Generator,
        choice: random.Random,
        *,
        n_random: int,
        max_tokens: int,
        max_constants: int,
    ) -> None:
        self.reduction = reduction
        self.X, self.y = X, y
        self.Z, self.t = reduction.apply(X, y)
        self.rng = rng
        self.rows = rows
        self.archive = Archive(
            self.Z, self.t, rng, n_starts=1, max_constants=max_constants, max_tokens=max_tokens, rows=rows
        )
        varying = [f"x{i}" for i in range(self.Z.shape[1]) if np.ptp(self.Z[:, i]) > 0]
        self.breeder = Breeder(
            self.archive, SubtreeSource(varying), choice, max_tokens=max_tokens, n_random=n_random
        )

    @property
    def whole(self) -> bool:
        """Whether the island's table is the caller's."""
        return not self.reduction.steps

    @property
    def finished(self) -> bool:
        """Whether an exact formula was found and shortening it was tried long enough."""
        return self.breeder.finished

    def formula(self, entry: Entry) -> Expression:
        """Return an entry of the archive as a formula of the whole table."""
        return entry.expression if self.whole else self.reduction.restore(entry.expression)

    def step(self, deadline: float) -> Iterator[tuple[Expression, Entry]]:
        """Breed one batch; yield the new members of the archive's front."""
        for entry in self.breeder.step(deadline):
            yield self.formula(entry), entry

    def relate(self, deadline: float) -> Iterator[tuple[Expression, Entry]]:
        """Submit formulas linear in a few small features; yield the new members of the archive's front.

        Parameters
        ----------
        deadline : float
            A ``time.monotonic()`` after which nothing further is looked for; what was found is still fitted.
        """
        rows = self.rows.fit
        found = sparse_relations(self.Z[rows], self.t[rows], self.rng, deadline=deadline)
        formulas = [relation.tokens for relation in found]
        formulas += [loosened(tokens) for tokens in formulas[:10]]
        until = max(deadline, time.monotonic() + 0.3)
        fresh = self.archive.submit(formulas, "relation", deadline=until)
        if not self.archive.exact and time.monotonic() < deadline:
            scaled = scaled_functions(self.Z[rows[:100]], self.t[rows[:100]])
            fresh += self.archive.submit(scaled, "relation", deadline=until)
        for entry in self.archive.on_front(fresh):
            yield self.formula(entry), entry

    def accumulate(self, deadline: float) -> Iterator[tuple[Expression, Entry]]:
        """Submit sums of features chosen one at a time; yield the new members of the archive's front.

        They may be longer than what is bred: they are few, and come fitted.

        Parameters
        ----------
        deadline : float
            A ``time.monotonic()`` after which nothing further is fitted; within half a second of it, nothing
            is begun.
        """
        if deadline - time.monotonic() < _LEAST_SECONDS:
            return
        rows = self.rows.training[:_MOST_ROWS]
        formulas = stepwise_sums(self.Z[rows], self.t[rows], deadline=deadline)
        fresh = self.archive.submit(formulas, "stepwise", bounded=False, deadline=deadline)
        for entry in self.archive.on_front(fresh):
            yield self.formula(entry), entry

    def refined(self, deadline: float, *, max_rows: int = 10_000) -> Iterator[tuple[Expression, Entry, str]]:
        """Yield the front fitted on all rows of the whole table, snapped and simplified."""
        yield from refined_front(
            self.archive,
            self.X,
            self.y,
            self.rng,
            deadline=deadline,
            max_rows=max_rows,
            restore=None if self.whole else self.reduction.restore,
        )
