"""A problem of a suite, and the table of rows that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srbench_ext.expression import Expression

__all__ = ["OdeSystem", "Problem", "SourceKind", "Table"]

SourceKind = Literal["cache", "regenerated"]
Solver = Literal["adaptive", "simulink"]


@dataclass(frozen=True, slots=True)
class OdeSystem:
    """An autonomous system of ordinary differential equations and where its trajectories start.

    Attributes
    ----------
    derivatives : tuple of str
        One formula (infix, in the names of the states) per state, in the order of the problem's features.
    initial_states : tuple of tuple of float
        One starting point per trajectory.
    step : float
        Time between two rows.
    n_steps : int
        Rows per trajectory, the starting point included.
    solver : {"adaptive", "simulink"}
        ``adaptive`` follows the equations closely; ``simulink`` repeats the coarse fixed steps that made
        PMLB's Strogatz tables.
    """

    derivatives: tuple[str, ...]
    initial_states: tuple[tuple[float, ...], ...]
    step: float
    n_steps: int
    solver: Solver = "adaptive"


@dataclass(frozen=True, slots=True)
class Problem:
    """One data set: its facts, no rows.

    Attributes
    ----------
    suite : str
        The suite that defines it. A suite that only refers to it leaves this as it is, so that streams of
        randomness and records do not depend on the selection.
    name : str
        Name of the data set in PMLB.
    n_rows, n_features : int
        Size of the table.
    sha256 : str or None
        Hash of PMLB's ``<name>.tsv.gz``.
    n_bytes : int or None
        Size of that file.
    formula : str or None
        The truth in infix, in the names of the columns; None when nobody knows it.
    feature_names : tuple of str
        Names in the order of the columns; empty when only the table says.
    lows, highs : tuple of float or None
        The box of the inputs, one number per feature.
    n_categorical : int or None
        Features PMLB counts as categorical (binary ones not included).
    target_column : str
        Name of the target's column.
    system : OdeSystem or None
        For a derivative along trajectories: the system it belongs to.
    uniform_rows : int or None
        For a formula on uniform inputs: how many rows to draw from the box.
    """

    suite: str
    name: str
    n_rows: int
    n_features: int
    sha256: str | None = None
    n_bytes: int | None = None
    formula: str | None = None
    feature_names: tuple[str, ...] = ()
    lows: tuple[float, ...] | None = None
    highs: tuple[float, ...] | None = None
    n_categorical: int | None = None
    target_column: str = "target"
    system: OdeSystem | None = None
    uniform_rows: int | None = None

    @property
    def can_be_regenerated(self) -> bool:
        """Whether the facts alone give a table."""
        return self.system is not None or self.uniform_rows is not None

    def truth(self) -> Expression | None:
        """Return the formula as an expression in the names of the columns, or None when it is unknown."""
        if self.formula is None:
            return None
        return parse_formula(self.formula, self.feature_names)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The rows of a problem.

    Attributes
    ----------
    X : ndarray of float64, shape (n, d)
        Inputs, C-ordered and read-only.
    y : ndarray of float64, shape (n,)
        Targets, read-only.
    feature_names : tuple of str
        Names of the columns of `X`.
    source : {"cache", "regenerated"}
        Whether the rows were read from a PMLB cache or made from formula and ranges.
    sha256 : str
        Of the file that was read, or of the regenerated numbers (see :func:`srbench_ext.data.regenerate`).
    """

    X: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    feature_names: tuple[str, ...]
    source: SourceKind
    sha256: str


@lru_cache(maxsize=512)
def _parse(formula: str, names: tuple[str, ...]) -> Expression:
    from srbench_ext.expression import (
        parse_infix,  # loads compiled kernels, which listing suites does without
    )

    return parse_infix(formula, names=names)


def parse_formula(formula: str, names: Sequence[str]) -> Expression:
    """Parse a suite's formula once per process (expressions are immutable)."""
    return _parse(formula, tuple(names))
