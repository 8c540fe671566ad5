"""A skeleton prepared for fitting: what does not depend on the constants is taken out.

The largest subtrees without constants become columns that are computed once. When a scale and an offset are
fitted around the skeleton, constants that only scale or shift the whole formula are dropped, since the closed
form finds them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from srbench_ext.expression.core import ARITIES, check_prefix, subtree_end
from srbench_ext.expression.kernels import OP_COLUMN, OP_CONSTANT, OP_INTEGER_POWER, OP_LITERAL
from srbench_ext.expression.operators import CONSTANT, PI
from srbench_ext.expression.program import OPCODES, FloatArray, as_code, is_small

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
    code: IntArray
    literals: FloatArray
    outer_code: IntArray
    outer_literals: FloatArray
    roots: IntArray


@lru_cache(maxsize=4096)
def fit_plan(prefix: Prefix, scale_and_offset: bool) -> FitPlan:
    """Take a skeleton apart for fitting; the last few thousand plans are kept."""
    check_prefix(prefix)
    start, end = _affine_core(prefix) if scale_and_offset else (0, len(prefix))
    core = prefix[start:end]
    first = prefix[:start].count(CONSTANT)
    inner, outer, roots, n_columns = _split(core)
    return FitPlan(
        core=core,
        kept=tuple(range(first, first + core.count(CONSTANT))),
        n_columns=n_columns,
        code=as_code(inner.code),
        literals=np.array(inner.literals, dtype=np.float64),
        outer_code=as_code(outer.code),
        outer_literals=np.array(outer.literals, dtype=np.float64),
        roots=np.array(roots, dtype=np.int64),
    )


def _affine_core(prefix: Prefix) -> tuple[int, int]:
    """Return the span of the subtree that is left when fitted outer scales and offsets are dropped."""
    start, end = 0, len(prefix)
    while True:
        head = prefix[start]
        if head not in ("mul", "add", "sub", "div"):
            return start, end
        middle = subtree_end(prefix, start + 1)
        if head != "div" and _is_free_number(prefix[start + 1 : middle]):
            start = middle
        elif _is_free_number(prefix[middle:end]):
            start, end = start + 1, middle
        else:
            return start, end


def _is_free_number(part: Prefix) -> bool:
    return CONSTANT in part and not any(token[0] == "x" for token in part)


@dataclass(slots=True)
class _Code:
    """Nodes in the making, flat, and their literals."""

    code: list[int] = field(default_factory=list)
    literals: list[float] = field(default_factory=list)

    def add(self, op: int, first: int, second: int, below: int) -> int:
        self.code += (op, first, second, below)
        return len(self.code) // 4 - 1

    def number(self, value: float) -> int:
        self.literals.append(value)
        return self.add(OP_LITERAL, len(self.literals) - 1, 0, 0)


_NUMBER, _STATIC, _FITTED = -1, 0, 1  # the last two say whether a constant is below
_Part = tuple[int, int, float]  # kind, node in the code of its kind, value of a number


def _split(core: Prefix) -> tuple[_Code, _Code, list[int], int]:
    """Return the fitted part, the part without constants, its largest subtrees and the columns needed."""
    inner, outer = _Code(), _Code()
    roots: list[int] = []
    columns: dict[int, int] = {}  # of each subtree in ``outer`` that is a column of ``inner``: its node there
    variables: dict[str, int] = {}
    stack: list[_Part] = []
    seen, n_columns = core.count(CONSTANT), 0

    def fitted(part: _Part) -> int:
        kind, node, value = part
        if kind == _FITTED:
            return node
        if kind == _NUMBER:
            return inner.number(value)
        if node not in columns:
            columns[node] = len(roots)
            roots.append(node)
        return inner.add(OP_COLUMN, columns[node], 0, 0)

    def static(part: _Part) -> int:
        return outer.number(part[2]) if part[0] == _NUMBER else part[1]

    for token in reversed(core):
        arity = ARITIES[token]
        if arity:
            a = stack.pop()
            b = stack.pop() if arity == 2 else a
            kind = _FITTED if a[0] == _FITTED or b[0] == _FITTED else _STATIC
            target, place = (inner, fitted) if kind == _FITTED else (outer, static)
            if token == "pow" and b[0] == _NUMBER and is_small(b[2]):
                node = target.add(OP_INTEGER_POWER, place(a), int(b[2]), kind)
            else:
                first = place(a)
                node = target.add(OPCODES[token], first, place(b) if arity == 2 else first, kind)
            stack.append((kind, node, 0.0))
        elif token == CONSTANT:
            seen -= 1
            stack.append((_FITTED, inner.add(OP_CONSTANT, seen, 0, 1), 0.0))
        elif token[0] == "x":
            if token not in variables:
                variables[token] = outer.add(OP_COLUMN, int(token[1:]), 0, 0)
                n_columns = max(n_columns, int(token[1:]) + 1)
            stack.append((_STATIC, variables[token], 0.0))
        else:
            stack.append((_NUMBER, 0, math.pi if token == PI else float(token)))
    fitted(stack[0])
    return inner, outer, roots, n_columns
