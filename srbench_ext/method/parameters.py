"""Checking a method's parameters against what its class says of them."""

from __future__ import annotations

import math
import numbers
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from srbench_ext.errors import InputError

__all__ = ["Limits", "check_parameters"]

Limits = Mapping[str, tuple[float | None, float | None]]
"""Least and largest value by parameter; None for no limit on that side."""


def check_parameters(method: object, limits: Limits) -> None:
    """Check the named choices and the numbers among a method's parameters.

    A choice is a parameter that the constructor annotates as ``Literal[...]``. A number with limits is an
    integer where the annotation has ``int`` and no ``float``; None passes where the annotation has None.

    Parameters
    ----------
    method : object
        Its constructor stores every parameter under its name.
    limits : mapping of str to (least, largest)

    Raises
    ------
    InputError
        Naming parameter, owner, what is allowed and what was got.
    """
    owner = type(method).__name__
    hints = get_type_hints(type(method).__init__)
    for name, hint in hints.items():
        choices = _choices(hint)
        if choices and name != "return":
            value = getattr(method, name)
            if not any(value == choice and type(value) is type(choice) for choice in choices):
                listed = ", ".join(map(repr, choices))
                raise InputError(
                    f"The {name!r} parameter of {owner} must be one of {listed}. Got {value!r} instead."
                )
    for name, (least, largest) in limits.items():
        value, kinds = getattr(method, name), _members(hints.get(name, float))
        if value is None and type(None) in kinds:
            continue
        whole = int in kinds and float not in kinds
        if not _is_number(value, whole) or not _within(value, least, largest):
            raise InputError(
                f"The {name!r} parameter of {owner} must be {_wanted(whole, least, largest)}. "
                f"Got {value!r} instead."
            )


def _members(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the one type."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _choices(hint: Any) -> tuple[Any, ...]:
    """Return the allowed values when all members of a hint are literals or None."""
    found: list[Any] = []
    for member in _members(hint):
        if get_origin(member) is Literal:
            found += get_args(member)
        elif member is type(None):
            found.append(None)
        else:
            return ()
    return tuple(found) if any(choice is not None for choice in found) else ()


def _is_number(value: object, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral if whole else numbers.Real):
        return False
    return math.isfinite(value)


def _within(value: float, least: float | None, largest: float | None) -> bool:
    return (least is None or value >= least) and (largest is None or value <= largest)


def _wanted(whole: bool, least: float | None, largest: float | None) -> str:
    kind = "an integer" if whole else "a number"
    limits: Iterable[str] = filter(
        None,
        (
            f"of at least {least:g}" if least is not None else "",
            f"at most {largest:g}" if largest is not None else "",
        ),
    )
    return " ".join((kind, " and ".join(limits))).strip()
