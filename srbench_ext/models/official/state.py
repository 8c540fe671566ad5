"""From records to tensors by name: what a module's or a state dict's pickle holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srbench_ext.models.official.archive import TorchArchive
from srbench_ext.models.official.errors import LayoutError
from srbench_ext.models.official.records import Record, TensorRef

__all__ = ["compare_shapes", "float32_numbers", "module_tensors", "plain", "state_dict_tensors"]

_MOST_MODULES = 2_000
_FIX = "The file holds another object; give the checkpoint that its authors released."


def plain(value: object, what: str) -> dict[Any, Any]:
    """Return a value that has to be a mapping.

    Raises
    ------
    LayoutError
        If it is none.
    """
    if not isinstance(value, dict):
        raise LayoutError(what, got=value, allowed="a mapping", fix=_FIX)
    return value


def module_tensors(module: object, name: str) -> dict[str, TensorRef]:
    """Return the parameters and buffers of a pickled torch module, by their dotted names.

    Parameters
    ----------
    module : object
        The record of the module.
    name : str
        What stands before every name.

    Raises
    ------
    LayoutError
        If it is no module, or holds what a module cannot hold.
    """
    found: dict[str, TensorRef] = {}
    waiting: list[tuple[object, str]] = [(module, name)]
    visited = 0
    while waiting:
        visited += 1
        if visited > _MOST_MODULES:  # a module may hold itself
            raise LayoutError("The modules", got="more", allowed=f"up to {_MOST_MODULES}", fix=_FIX)
        waiting += _read_module(*waiting.pop(), found)
    return found


def _read_module(module: object, name: str, found: dict[str, TensorRef]) -> list[tuple[object, str]]:
    """Add the tensors of one module and return the modules in it with their names."""
    if not isinstance(module, Record) or not isinstance(module.state, dict):
        raise LayoutError(f"The module {name}", got=module, allowed="a pickled torch module", fix=_FIX)
    for kind in ("_parameters", "_buffers"):
        for key, value in plain(module.attribute(kind), f"{name}.{kind}").items():
            if value is not None:  # a layer without bias
                _add(found, f"{name}.{_text(key)}", value)
    inner = plain(module.attribute("_modules"), f"{name}._modules")
    return [(value, f"{name}.{_text(key)}") for key, value in inner.items() if value is not None]


def state_dict_tensors(state: object, name: str = "") -> dict[str, TensorRef]:
    """Return the tensors of a state dict; ``module.`` in front, of parallel training, is taken away.

    Parameters
    ----------
    state : object
        The mapping.
    name : str
        What stands before every name, a point between; empty: nothing.

    Raises
    ------
    LayoutError
        If it is no mapping of names to tensors.
    """
    found: dict[str, TensorRef] = {}
    prefix = f"{name}." if name else ""
    for key, value in plain(state, f"The state of {name or 'the network'}").items():
        _add(found, f"{prefix}{_text(key).removeprefix('module.')}", value)
    return found


def compare_shapes(
    tensors: Mapping[str, TensorRef],
    wanted: Mapping[str, tuple[int, ...]],
    *,
    unused: Collection[str] = (),
    fix: str,
) -> None:
    """Raise unless a file has just the parameters of a network.

    Parameters
    ----------
    tensors : mapping of str to TensorRef
        What the file has.
    wanted : mapping of str to tuple of int
        The shapes of the network's parameters.
    unused : collection of str
        Names that the file may have beside them.
    fix : str
        What to do then.

    Raises
    ------
    LayoutError
        It names up to three parameters that lack, are too many, or are of another shape.
    """
    missing = sorted(wanted.keys() - tensors.keys())
    surplus = sorted(tensors.keys() - wanted.keys() - set(unused))
    differing = sorted(k for k in wanted.keys() & tensors.keys() if wanted[k] != tensors[k].shape)
    for fault, names in (("lacks", missing), ("has more", surplus), ("has other shapes", differing)):
        if names:
            pairs = (
                [f"{k} {tensors[k].shape} for {wanted[k]}" for k in names] if names is differing else names
            )
            raise LayoutError(
                f"The file {fault}",
                got=f"{len(names)}: {', '.join(pairs[:3])}",
                allowed=f"the {len(wanted)} parameters of the network",
                fix=fix,
            )


def float32_numbers(archive: TorchArchive, name: str, reference: TensorRef, fix: str) -> NDArray[np.float32]:
    """Return the numbers of a parameter.

    Raises
    ------
    LayoutError
        If they are not float32, or not all finite.
    """
    numbers = archive.tensor(reference)
    if numbers.dtype != np.float32:
        raise LayoutError(name, got=str(numbers.dtype), allowed="float32", fix=fix)
    if not np.isfinite(numbers).all():
        raise LayoutError(
            name,
            got="numbers that are not finite",
            allowed="finite numbers",
            fix="The file is damaged; get it again.",
        )
    return numbers


def _text(key: object) -> str:
    if not isinstance(key, str) or len(key) > 200:
        raise LayoutError("The name of a parameter", got=key, allowed="a short text", fix=_FIX)
    return key


def _add(found: dict[str, TensorRef], name: str, value: object) -> None:
    if not isinstance(value, TensorRef):
        raise LayoutError(f"The parameter {name}", got=value, allowed="a tensor", fix=_FIX)
    if name in found:
        raise LayoutError(f"The parameter {name}", got="two of them", allowed="one", fix=_FIX)
    found[name] = value
