"""Scale and offset of a whole formula, taken up by the constants it already has."""

from __future__ import annotations

import math

from srbench_ext.expression.core import subtree_end
from srbench_ext.expression.operators import CONSTANT

__all__ = ["absorb_offset", "absorb_scale", "with_affine"]

Prefix = tuple[str, ...]
Constants = tuple[float, ...]

_NEGLIGIBLE = 1e-9  # a scale this near to 1 and an offset this near to 0 are left out
_LONGEST = 500  # tokens; a longer formula could be deeper than Python's stack


def absorb_scale(prefix: Prefix, constants: Constants, scale: float) -> Constants | None:
    """Return constants with which the formula is ``scale`` times as large everywhere, or None.

    For instance ``x0*(C*x1 + C)`` takes any scale, ``C*x0 + x1`` takes none.
    """
    if len(prefix) > _LONGEST:
        return None
    changed = list(constants)
    done = _scale(prefix, 0, 0, scale, changed)
    return tuple(changed) if done and all(map(math.isfinite, changed)) else None


def _scale(prefix: Prefix, start: int, first: int, scale: float, constants: list[float]) -> bool:
    """Scale the subtree at ``start``, whose first constant is number ``first``, if it can be."""
    head = prefix[start]
    if head == CONSTANT:
        constants[first] *= scale
        return True
    if head == "neg":
        return _scale(prefix, start + 1, first, scale, constants)
    if head == "inv":
        return scale != 0.0 and _scale(prefix, start + 1, first, 1.0 / scale, constants)
    if head == "sqrt":
        return scale > 0.0 and _scale(prefix, start + 1, first, scale * scale, constants)
    if head not in ("add", "sub", "mul", "div"):
        return False
    right, second = _right_operand(prefix, start, first)
    if head in ("add", "sub"):
        before = list(constants)
        if _scale(prefix, start + 1, first, scale, constants):
            if _scale(prefix, right, second, scale, constants):
                return True
            constants[:] = before
        return False
    if _scale(prefix, start + 1, first, scale, constants):
        return True
    other = scale if head == "mul" else 1.0 / scale if scale else 0.0
    return other != 0.0 and _scale(prefix, right, second, other, constants)


def absorb_offset(prefix: Prefix, constants: Constants, offset: float) -> Constants | None:
    """Return constants with which the formula is ``offset`` larger everywhere, or None."""
    if len(prefix) > _LONGEST:
        return None
    changed = list(constants)
    done = _shift(prefix, 0, 0, offset, changed)
    return tuple(changed) if done and all(map(math.isfinite, changed)) else None


def _shift(prefix: Prefix, start: int, first: int, offset: float, constants: list[float]) -> bool:
    head = prefix[start]
    if head == CONSTANT:
        constants[first] += offset
        return True
    if head == "neg":
        return _shift(prefix, start + 1, first, -offset, constants)
    if head not in ("add", "sub"):
        return False
    if _shift(prefix, start + 1, first, offset, constants):
        return True
    right, second = _right_operand(prefix, start, first)
    return _shift(prefix, right, second, offset if head == "add" else -offset, constants)


def _right_operand(prefix: Prefix, start: int, first: int) -> tuple[int, int]:
    right = subtree_end(prefix, start + 1)
    return right, first + prefix[start:right].count(CONSTANT)


def with_affine(
    core: Prefix, constants: Constants, scale: float, offset: float, unit: float
) -> tuple[Prefix, Constants]:
    """Put a scale and an offset into a formula's own constants or around it, in the fewest tokens.

    They are left out where they differ from 1, and from 0 in parts of ``unit``, by at most 1e-9.
    """
    prefix = core
    scaled = absorb_scale(core, constants, scale)
    if abs(scale - 1.0) <= _NEGLIGIBLE:
        scale = 1.0
    elif scaled is not None:
        constants, scale = scaled, 1.0
    if abs(offset) <= _NEGLIGIBLE * unit:
        return _with_scale(prefix, constants, scale)
    shifted = absorb_offset(core, constants, offset) if scale == 1.0 else None
    if shifted is not None:
        return prefix, shifted
    if abs(scale + 1.0) <= _NEGLIGIBLE:
        return ("sub", "C", *core), (offset, *constants)
    prefix, constants = _with_scale(prefix, constants, scale)
    return ("add", "C", *prefix), (offset, *constants)


def _with_scale(core: Prefix, constants: Constants, scale: float) -> tuple[Prefix, Constants]:
    if scale == 1.0:
        return core, constants
    if abs(scale + 1.0) <= _NEGLIGIBLE:
        return (core[1:] if core[0] == "neg" else ("neg", *core)), constants
    if core[0] == "inv":
        return ("div", "C", *core[1:]), (scale, *constants)
    if core[0] == "neg":
        return ("mul", "C", *core[1:]), (-scale, *constants)
    return ("mul", "C", *core), (scale, *constants)
