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

from srbench_ext.expression.core import subtree_end
from srbench_ext.expression.kernels import OP_COLUMN, OP_INTEGER_POWER, OP_LITERAL
from srbench_ext.expression.operators import CONSTANT, is_variable
from srbench_ext.expression.program import FloatArray, Program, compile_prefix

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
    has_variables : bool
        Whether the core depends on the table at all.
    inner : Program
        The core with the subtrees that have no constants as columns ``x0`` ... ``x(h-1)``.
    outer : tuple of (m, 4) int64 array and (l,) float64 array
        Code and literals of all those subtrees, behind each other.
    roots : (h,) int64 array
        The node of each such subtree in ``outer``.
    """

    core: Prefix
    kept: tuple[int, ...]
    has_variables: bool
    inner: Program
    outer: tuple[IntArray, FloatArray]
    roots: IntArray


@lru_cache(maxsize=4096)
def fit_plan(prefix: Prefix, scale_and_offset: bool) -> FitPlan:
    """Take a skeleton apart for fitting; the last few thousand plans are kept."""
    start, end = _affine_core(prefix) if scale_and_offset else (0, len(prefix))
    core = prefix[start:end]
    first = prefix[:start].count(CONSTANT)
    inner, subtrees = _hoist(core)
    outer, roots = _concatenate(subtrees)
    return FitPlan(
        core=core,
        kept=tuple(range(first, first + core.count(CONSTANT))),
        has_variables=any(map(is_variable, core)),
        inner=compile_prefix(inner),
        outer=outer,
        roots=roots,
    )


def _affine_core(prefix: Prefix) -> tuple[int, int]:
    """Return the span of the subtree that is left when fitted outer scales and offsets are dropped."""
    start, end = 0, len(prefix)
    while True:
        head = prefix[start]
        if head not in ("mul", "add", "sub", "div"):
            return start, end
        middle = subtree_end(prefix, start + 1)
        if _is_free_number(prefix[start + 1 : middle]) and head != "div":
            start = middle
        elif _is_free_number(prefix[middle:end]):
            start, end = start + 1, middle
        else:
            return start, end


def _is_free_number(part: Prefix) -> bool:
    return CONSTANT in part and not any(map(is_variable, part))


def _hoist(core: Prefix) -> tuple[Prefix, dict[Prefix, int]]:
    """Replace the largest subtrees without constants by columns, equal ones by the same column."""
    tokens: list[str] = []
    columns: dict[Prefix, int] = {}
    position = 0
    while position < len(core):
        end = subtree_end(core, position)
        part = core[position:end]
        if CONSTANT in part:
            tokens.append(core[position])
            position += 1
        elif len(part) == 1 and not is_variable(part[0]):
            tokens.append(part[0])
            position += 1
        else:
            tokens.append(f"x{columns.setdefault(part, len(columns))}")
            position = end
    return tuple(tokens), columns


def _concatenate(subtrees: dict[Prefix, int]) -> tuple[tuple[IntArray, FloatArray], IntArray]:
    codes: list[IntArray] = []
    literals: list[FloatArray] = []
    roots: list[int] = []
    nodes = numbers = 0
    for part in subtrees:
        program = compile_prefix(part)
        code = program.code.copy()
        for row in code:
            if row[0] == OP_LITERAL:
                row[1] += numbers
            elif row[0] != OP_COLUMN:
                row[1] += nodes
                row[2] += 0 if row[0] == OP_INTEGER_POWER else nodes
        codes.append(code)
        literals.append(program.literals)
        nodes += len(code)
        numbers += len(program.literals)
        roots.append(nodes - 1)
    empty = np.empty((0, 4), dtype=np.int64)
    joined = np.concatenate([empty, *codes]), np.concatenate([np.empty(0), *literals])
    return joined, np.array(roots, dtype=np.int64)
