"""A skeleton prepared for fitting: what does not depend on the constants is taken out.

The largest subtrees without constants become columns that are computed once. When a scale and an offset are
fitted around the skeleton, constants that only scale or shift the whole formula are dropped, since the closed
form finds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from srbench_ext.expression.compilation import linear_kernel, split_kernel, token_codes
from srbench_ext.expression.core import check_prefix
from srbench_ext.expression.kernels import LINEAR, OP_CONSTANT
from srbench_ext.expression.operators import CONSTANT
from srbench_ext.expression.program import FloatArray

__all__ = ["FitPlan", "fit_plan"]

Prefix = tuple[str, ...]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FitPlan:
    """A skeleton taken apart.

    Attributes
    ----------
    core : tuple of str
        The skeleton without its outer scale and offset.
    kept : tuple of int
        Which of the skeleton's constants the core has.
    n_columns : int
        Number of columns a table must have at least; 0 if the core does not depend on the table.
    n_linear : int
        How many of those are solved in closed form.
    code, literals : (m, 4) int64 array and (l,) float64 array
        The core, the subtrees that have no constants being columns 0 ... h-1.
    outer_code, outer_literals : (o, 4) int64 array and (p,) float64 array
        All those subtrees, behind each other.
    roots : (h,) int64 array
        The node of each such subtree in ``outer_code``.
    """

    core: Prefix
    kept: tuple[int, ...]
    n_columns: int
    n_linear: int
    code: IntArray
    literals: FloatArray
    outer_code: IntArray
    outer_literals: FloatArray
    roots: IntArray

    @property
    def linear(self) -> tuple[int, ...]:
        """Which of the skeleton's constants are solved in closed form, given the others, in order."""
        taken = (self.code[:, 0] == OP_CONSTANT) & (self.code[:, 3] & LINEAR > 0)
        return tuple(sorted(self.kept[number] for number in self.code[taken, 1].tolist()))


@lru_cache(maxsize=4096)
def fit_plan(prefix: Prefix, scale_and_offset: bool, variable_projection: bool = True) -> FitPlan:
    """Take a skeleton apart for fitting; the last few thousand plans are kept.

    Parameters
    ----------
    prefix : tuple of str
    scale_and_offset : bool
        Whether a scale and an offset are fitted around it.
    variable_projection : bool
        Whether constants that enter linearly are solved rather than searched for.
    """
    check_prefix(prefix)
    m = len(prefix)
    inner, outer = np.empty((2 * m, 4), dtype=np.int64), np.empty((2 * m, 4), dtype=np.int64)
    inner_literals, outer_literals = np.empty(m), np.empty(m)
    roots, sizes = np.empty(m, dtype=np.int64), np.empty(8, dtype=np.int64)
    split_kernel(
        token_codes(prefix), scale_and_offset, inner, inner_literals, outer, outer_literals, roots, sizes
    )
    start, end, n_inner, n_inner_literals, n_outer, n_outer_literals, n_roots, n_columns = sizes.tolist()
    core = prefix[start:end]
    first = prefix[:start].count(CONSTANT)
    return FitPlan(
        core=core,
        kept=tuple(range(first, first + core.count(CONSTANT))),
        n_columns=n_columns,
        n_linear=linear_kernel(inner[:n_inner]) if variable_projection else 0,
        code=inner[:n_inner],
        literals=inner_literals[:n_inner_literals],
        outer_code=outer[:n_outer],
        outer_literals=outer_literals[:n_outer_literals],
        roots=roots[:n_roots],
    )
