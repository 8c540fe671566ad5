"""Tables whose law has unary operators of one family only: what spaces of formulas are told apart by.

The generator is E2E's with all weights of unary operators zero but those of one family (the released code of
GenSR, arXiv 2602.20557, has such a switch and no list of what was drawn with it). Limits are those of the
shared corpus, so that every table is one that a network trained on it could have met.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count as numbers
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from srbench_ext.corpus.audit import audit_key
from srbench_ext.corpus.grammar_e2e import draw_e2e
from srbench_ext.corpus.mixture import load_mixture
from srbench_ext.corpus.normal import flatten, normalise, skeleton_of, strip_affine
from srbench_ext.corpus.points import draw_points
from srbench_ext.corpus.values import DrawnFormula, verdict
from srbench_ext.corpus.weighted import Weighted
from srbench_ext.errors import InputError, UnknownNameError

__all__ = ["FAMILIES_OF_FUNCTIONS", "FAMILY_SEED", "FamilyTable", "family_tables"]

FloatArray = NDArray[np.float64]

FAMILIES_OF_FUNCTIONS = {"exp": ("exp",), "log": ("log",), "trig": ("sin", "cos")}
"""The unary operators of each family, drawn alike."""

FAMILY_SEED = 990_003
"""First entry of every seed; training, validation and the held-out set have others."""

_BLOCK = 64  # tables drawn from one seed, so that a longer set starts with the shorter one


@dataclass(frozen=True, slots=True)
class FamilyTable:
    """One table of a family, without noise.

    Attributes
    ----------
    X : ndarray of shape (n_points, n_variables)
    y : ndarray of shape (n_points,)
    formula : tuple of str or float
        Prefix sequence; constants are floats.
    skeleton : tuple of str
        Without outer scale and offset, ``C`` for constants.
    family : str
        A name of :data:`FAMILIES_OF_FUNCTIONS`.
    law : str
        What laws that differ in constants, signs and names of variables have in common.
    """

    X: FloatArray
    y: FloatArray
    formula: tuple[str | float, ...]
    skeleton: tuple[str, ...]
    family: str
    law: str

    @property
    def n_variables(self) -> int:
        """Columns of X; the formula has all of them."""
        return int(self.X.shape[1])


def family_tables(
    count: int,
    n_points: int,
    *,
    families: Sequence[str] = ("exp", "log", "trig"),
    sizes: Sequence[int] = (2, 5),
) -> list[FamilyTable]:
    """Return ``count`` tables of every family and number of variables; the same ones every time.

    Parameters
    ----------
    count : int
        Tables of a class; a larger set starts with the smaller one.
    n_points : int
        Rows of a table.
    families : sequence of str
    sizes : sequence of int
        Numbers of variables.

    Returns
    -------
    list of FamilyTable
        By family, then by number of variables.

    Raises
    ------
    UnknownNameError
        If a family is not known.
    InputError
        If a number is below 1.
    """
    if min(count, n_points, *sizes) < 1:
        raise InputError(
            "A set of families needs at least one table a class, one row and one variable. "
            f"Got count={count}, n_points={n_points}, sizes={tuple(sizes)}; give larger numbers."
        )
    for family in families:
        if family not in FAMILIES_OF_FUNCTIONS:
            raise UnknownNameError("family of functions", family, FAMILIES_OF_FUNCTIONS)
    return [
        table
        for family in families
        for n_variables in sizes
        for table in islice(_drawn(family, n_variables, n_points), count)
    ]


def _drawn(family: str, n_variables: int, n_points: int) -> Iterator[FamilyTable]:
    number = sorted(FAMILIES_OF_FUNCTIONS).index(family)
    for block in numbers():
        rng = np.random.default_rng((FAMILY_SEED, number, n_variables, n_points, block))
        choice = random.Random(int(rng.integers(2**62)))
        left = _BLOCK
        while left:
            table = _draw(rng, choice, family, n_variables, n_points)
            if table is not None:
                left -= 1
                yield table


def _draw(
    rng: np.random.Generator, choice: random.Random, family: str, n_variables: int, n_points: int
) -> FamilyTable | None:
    """Return a table, or None where the formula is out of bounds or lacks the family's operators."""
    limits = _limits()
    operators = FAMILIES_OF_FUNCTIONS[family]
    node = normalise(draw_e2e(choice, n_variables, Weighted(operators, [1.0] * len(operators))))
    formula = tuple(flatten(node))
    if len(formula) > limits["max_tokens"]:
        return None
    skeleton = skeleton_of(flatten(strip_affine(node)))
    variables = {token for token in skeleton if token[0] == "x"}
    if (
        len(skeleton) > limits["max_skeleton_tokens"]
        or skeleton.count("C") > limits["max_constants"]
        or len(variables) < n_variables
        or not set(operators) & set(skeleton)
    ):
        return None
    X = draw_points(rng, "clusters", n_points, n_variables)
    y = DrawnFormula(formula, skeleton_of(formula)).evaluate(X)
    if verdict(y, limits["max_abs_y"]):
        return None
    return FamilyTable(X, y, formula, skeleton, family, audit_key(skeleton))


@cache
def _limits() -> dict[str, float]:
    """Return the limits of the shared mixture, read once."""
    return load_mixture().limits
