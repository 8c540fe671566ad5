"""The archive of everything that a search evaluated on one table.

Append-only: nothing that was evaluated is forgotten or evaluated twice, so that the best of all origins is by
construction never worse than the best of one of them.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from srbench_ext.errors import InputError
from srbench_ext.expression import ConstantFit, Expression, canonical_key, compile_prefix, fit_constants_many
from srbench_ext.expression.program import as_columns
from srbench_ext.search.form import Tokens, expression_of, normal_form, skeleton_of, tokens_of, with_values
from srbench_ext.search.front import ParetoFront
from srbench_ext.search.grid import DiversityGrid, cell_of
from srbench_ext.search.rows import RowSets, split_for_search
from srbench_ext.search.screen import Screen

__all__ = ["EXACT", "Archive", "Entry", "Formula", "Member"]

FloatArray = npt.NDArray[np.float64]
Formula = Expression | Sequence[str | float]
"""What can be submitted: prefix tokens, with ``C`` or a value for each constant, or an expression."""

EXACT = 1e-20
"""A squared error of at most this share of the variance counts as exact: what rounding leaves of a law.

A looser bound would stop a search at formulas that only come near the law by cancelling large constants."""


_GENERIC = 1.2345  # stands for a constant of unknown value: one that nothing cancels


@dataclass(frozen=True, slots=True)
class Entry:
    """One formula that was fitted and scored.

    Attributes
    ----------
    number : int
        Its position in the archive.
    prefix : tuple of str
        The skeleton without outer scale and offset, in normal form; what edits start from.
    values : tuple of float
        The fitted constants of ``prefix``.
    expression : Expression
        The whole fitted formula, scale and offset included.
    nmse_fit, nmse_validation : float
        Mean squared error over the variance of y on the fit and the validation rows; the second may be
        infinite.
    complexity : int
        Tokens of ``expression``.
    score : float
        The order of selection, lower is better; see :meth:`Archive.selection_score`.
    origin : str
        Who submitted it first.
    """

    number: int
    prefix: tuple[str, ...]
    values: tuple[float, ...]
    expression: Expression
    nmse_fit: float
    nmse_validation: float
    complexity: int
    score: float
    origin: str

    @property
    def tokens(self) -> Tokens:
        """The skeleton with its constants in their places, for edits."""
        return with_values(self.prefix, iter(self.values).__next__)

    @property
    def exact(self) -> bool:
        """Whether the error is at most :data:`EXACT` on fit and validation rows."""
        return max(self.nmse_fit, self.nmse_validation) <= EXACT


@dataclass(frozen=True, slots=True)
class Member:
    """One formula of the diversity grid: what edits start from.

    Attributes
    ----------
    tokens : Tokens
        In normal form, without outer scale and offset, with the constants that fit best so far.
    nmse : float
        Error over the variance of y on the rows of the first look.
    origin : str
        Who submitted it.
    """

    tokens: Tokens
    nmse: float
    origin: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """The skeleton."""
        return skeleton_of(self.tokens)


class Archive:
    """Everything evaluated on one table: duplicates out, constants fitted, scored, kept diverse.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Finite.
    y : ndarray of shape (n,)
        Finite and not constant.
    rng : numpy.random.Generator
        Draws the rows and the starts of the fits.
    validation_share : float
        Share of the rows that is kept back to order formulas; with fewer than 60 rows all are used for both.
    max_fit_rows : int
        At most so many rows for the constants, and as many for validation.
    screen_rows, screen_iterations : int
        Rows and steps of the first look that decides whether a formula is worth a full fit.
    n_starts : int
        Starts of a full fit.
    max_constants, max_tokens : int
        Larger formulas are turned away.
    complexity_weight : float
        Weight of a token in :meth:`selection_score`.
    size_step : int
        Tokens in a size class of the diversity grid.
    grid_capacity : int
        How many of the best cells of the grid take part in the draw of parents.
    rows : RowSets or None
        Which rows serve what; by default they are drawn.

    Attributes
    ----------
    entries : list of Entry
        All that were fitted, in order.
    rows : RowSets
        Which rows serve what.
    rejected : Counter
        How many formulas got no entry, by reason: ``duplicate``, ``too long``, ``too many constants``,
        ``no variable``, ``not finite``, ``not promising``.
    n_evaluated : int
        How many formulas were looked at, entries and those turned away.
    """

    def __init__(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        rng: np.random.Generator,
        *,
        validation_share: float = 0.2,
        max_fit_rows: int = 1000,
        screen_rows: int = 100,
        screen_iterations: int = 8,
        n_starts: int = 2,
        max_constants: int = 8,
        max_tokens: int = 40,
        complexity_weight: float = 0.01,
        size_step: int = 3,
        grid_capacity: int = 400,
        rows: RowSets | None = None,
    ) -> None:
        columns, target = as_columns(X), np.asarray(y, dtype=np.float64)
        _check(columns, target)
        if rows is None:
            rows = split_for_search(
                len(target),
                rng,
                validation_share=validation_share,
                max_fit_rows=max_fit_rows,
                screen_rows=screen_rows,
            )
        self._rng = rng
        self.rows = rows
        self._X_fit, self._y_fit = np.ascontiguousarray(columns[:, rows.fit].T), target[rows.fit]
        self._validation = np.ascontiguousarray(columns[:, rows.validation]), target[rows.validation]
        self._variance = float(np.var(target)) or 1.0
        self._screen = _screen(columns, target, (rows.screen, rows.fit), screen_iterations)
        self._n_starts = n_starts
        self._max_constants = max_constants
        self._max_tokens = max_tokens
        self._complexity_weight = complexity_weight
        self._size_step = size_step
        self._seen: set[int] = set()
        self._keys: dict[bytes, int | None] = {}
        self._key_of: dict[int, bytes] = {}
        self._front: ParetoFront[Entry] = ParetoFront()
        self._best: dict[str, Entry] = {}
        self._grid: DiversityGrid[Member] = DiversityGrid(grid_capacity)
        self._screened: ParetoFront[None] = ParetoFront()
        self._n_members = 0
        self.entries: list[Entry] = []
        self.rejected: Counter[str] = Counter()
        self.n_evaluated = 0

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def n_cells(self) -> int:
        """How many cells of the diversity grid are taken."""
        return len(self._grid)

    @property
    def exact(self) -> bool:
        """Whether some formula is exact, so that a search for accuracy is over."""
        return any(entry.exact for entry in self._front)

    def submit(
        self,
        formulas: Iterable[Formula],
        origin: str,
        *,
        screen: bool = False,
        bounded: bool = True,
        deadline: float | None = None,
    ) -> list[Entry]:
        """Evaluate formulas and keep what is new and finite.

        Parameters
        ----------
        formulas : iterable of Expression or sequence of str or float
            Outer scale and offset are not needed: they are fitted. Values of constants are the first start.
        origin : str
            Kept with the entries.
        screen : bool
            Fit fully and enter only formulas that the first look finds on the front of complexity and error;
            others go into the diversity grid if they are good for their size and operators. A search of many
            thousands wants this; labels for all of a few hundred do not.
        bounded : bool
            False takes formulas of any size.
        deadline : float or None
            A ``time.monotonic()`` after which nothing further is fitted.

        Returns
        -------
        list of Entry
            The new ones, in the order given.
        """
        accepted: list[tuple[Tokens, bytes]] = []
        for formula in formulas:
            if deadline is not None and time.monotonic() >= deadline:
                break
            form = self._admit(self._tokens(formula), origin, screen, bounded)
            if isinstance(form, str):
                self.rejected[form] += 1
            else:
                accepted.append(form)
        expressions = [expression_of(form) for form, _ in accepted]
        fits = fit_constants_many(
            expressions, self._X_fit, self._y_fit, n_starts=self._n_starts, rng=self._rng, deadline=deadline
        )
        entries = [self._enter(*accepted[index], fit, origin) for index, fit in fits]
        return [entry for entry in entries if entry is not None]

    def find(self, formula: Formula) -> Entry | None:
        """Return the entry of a formula, or of one that differs by order, scale or offset only."""
        tokens = (
            tokens_of(formula) if isinstance(formula, Expression) else with_values(formula, lambda: _GENERIC)
        )
        form = normal_form(tokens)
        number = None if form is None else self._keys.get(_key(form))
        return None if number is None else self.entries[number]

    def entry_of(self, formula: Formula) -> Entry | None:
        """Return the entry that a formula led to when its skeleton was submitted, its own or an equal one's.

        Unlike :meth:`find` it knows formulas whose normal form depends on the signs of the fitted constants,
        and none that were not submitted.
        """
        skeleton = formula.prefix if isinstance(formula, Expression) else skeleton_of(formula)
        key = self._key_of.get(hash(skeleton))
        number = None if key is None else self._keys[key]
        return None if number is None else self.entries[number]

    def selection_score(self, nmse_validation: float, complexity: int) -> float:
        """Return ``log10(max(nmse_validation, 1e-20)) + complexity_weight * complexity``, lower is better."""
        return math.log10(max(nmse_validation, EXACT)) + self._complexity_weight * complexity

    def best(self, origins: Iterable[str] | None = None) -> Entry | None:
        """Return the entry with the lowest selection score, of some origins or of all."""
        wanted = self._best.keys() if origins is None else set(origins)
        found = [entry for origin, entry in self._best.items() if origin in wanted]
        return min(found, key=lambda entry: (entry.score, entry.number), default=None)

    def front(self) -> list[Entry]:
        """Return the Pareto front of complexity and validation error, simplest first."""
        return list(self._front)

    def on_front(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return those of some entries that are on the front now, in their order."""
        front = {entry.number for entry in self._front}
        return [entry for entry in entries if entry.number in front]

    def parents(self, rng: random.Random, count: int, pressure: float = 4.0) -> list[Member]:
        """Draw formulas to edit: from the best of every size and set of operators, better ones more often.

        Parameters
        ----------
        rng : random.Random
            Source of the draws.
        count : int
            How many, with replacement; none from an empty archive.
        pressure : float
            1 draws all alike, larger values prefer good ones.
        """
        return self._grid.draw(rng, count, pressure)

    def _tokens(self, formula: Formula) -> Tokens:
        """Return tokens with a value for every constant."""
        if isinstance(formula, Expression):
            return tokens_of(formula)
        if "C" not in formula:
            return tuple(formula)
        return with_values(formula, lambda: float(np.exp(self._rng.normal(scale=0.3))))

    def _admit(self, tokens: Tokens, origin: str, screen: bool, bounded: bool) -> tuple[Tokens, bytes] | str:
        """Return normal form and key of a formula that deserves a full fit, or why it does not."""
        seen = hash(skeleton_of(tokens))  # a search sees a million: 64 bits are enough and small
        if seen in self._seen:
            return "duplicate"
        self._seen.add(seen)
        if bounded and len(tokens) > self._max_tokens:
            return "too long"
        self.n_evaluated += 1
        nmse, constants = self._screen.look(tokens)
        if screen and not math.isfinite(nmse):
            return "not finite"
        cell = cell_of(tokens, self._size_step)
        fits_grid = self._grid.would_add(cell, self.selection_score(nmse, len(tokens)))
        if screen and not fits_grid:
            return "not promising"
        form = normal_form(_put(tokens, constants) if math.isfinite(nmse) else tokens)
        if form is None:
            return "no variable"
        if bounded and sum(not isinstance(token, str) for token in form) > self._max_constants:
            return "too many constants"
        if self._screen.look(form)[0] > 1.01 * nmse + EXACT:
            form = tuple(tokens)  # the normal form is not defined everywhere that the formula is
        if fits_grid:
            self._populate(form, nmse, origin)
        if screen and not self._screened.add(len(form), max(nmse, EXACT), None):
            return "not promising"
        key = self._key_of[seen] = _key(form)
        if key in self._keys:
            return "duplicate"
        self._keys[key] = None
        return form, key

    def _populate(self, form: Tokens, nmse: float, origin: str) -> None:
        self._n_members += 1
        score = self.selection_score(nmse, len(form))
        self._grid.add(cell_of(form, self._size_step), score, self._n_members, Member(form, nmse, origin))

    def _enter(self, form: Tokens, key: bytes, fit: ConstantFit, origin: str) -> Entry | None:
        if not math.isfinite(fit.loss):
            self.rejected["not finite"] += 1
            return None
        expression = fit.expression
        if not expression.variables:
            self.rejected["no variable"] += 1
            return None
        nmse_validation = self._validate(expression)
        values = _inner_values(form, expression)
        complexity = expression.complexity
        score = self.selection_score(nmse_validation, complexity)
        number = len(self.entries)
        entry = Entry(
            number,
            skeleton_of(form),
            values,
            expression,
            fit.loss / self._variance,
            nmse_validation,
            complexity,
            score,
            origin,
        )
        self.entries.append(entry)
        self._keys[key] = number
        self._front.add(complexity, max(nmse_validation, EXACT), entry)
        self._populate(entry.tokens, entry.nmse_fit, origin)
        best = self._best.get(origin)
        if best is None or score < best.score:
            self._best[origin] = entry
        return entry

    def _validate(self, expression: Expression) -> float:
        columns, y = self._validation
        with np.errstate(all="ignore"):
            error = compile_prefix(expression.prefix).evaluate_columns(columns, expression.constants) - y
            nmse = float(error @ error) / len(y) / self._variance
        return nmse if math.isfinite(nmse) else math.inf


def _put(tokens: Tokens, constants: list[float]) -> Tokens:
    values = iter(constants)
    return tuple([token if isinstance(token, str) else next(values) for token in tokens])


def _key(form: Tokens) -> bytes:
    return canonical_key(skeleton_of(form))


def _inner_values(form: Tokens, expression: Expression) -> tuple[float, ...]:
    """Return the fitted constants of the inner skeleton; outer scale and offset are left out."""
    count = sum(not isinstance(token, str) for token in form)
    if not count:
        return ()
    # scale and offset are written before the skeleton, so that its own constants are the last ones
    values = expression.constants[len(expression.constants) - count :]
    return values if len(values) == count else tuple(t for t in form if not isinstance(t, str))


def _screen(
    columns: FloatArray, target: FloatArray, choices: tuple[npt.NDArray[np.intp], ...], max_iterations: int
) -> Screen:
    """Return the first look on the first choice of rows on which the target varies."""
    for rows in (*choices, np.arange(len(target))):
        chosen = target[rows] / (np.abs(target).max() or 1.0)
        deviation = float(chosen.std())
        if deviation > 0.0:
            break
    centred = (chosen - chosen.mean()) / (deviation or 1.0)
    return Screen(np.ascontiguousarray(columns[:, rows]), centred, max_iterations)


def _check(columns: FloatArray, target: FloatArray) -> None:
    if target.shape != (columns.shape[1],) or not target.size:
        raise InputError(
            f"y must have one value for each of the {columns.shape[1]} rows of X, and at least one. "
            f"Got shape {target.shape}."
        )
    if not (np.isfinite(columns).all() and np.isfinite(target).all()):
        raise InputError("X and y must be finite. Remove the rows with NaN or infinity.")
