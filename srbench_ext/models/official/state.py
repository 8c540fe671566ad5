"""From records to tensors by name: what a module's or a state dict's pickle holds."""

from __future__ import annotations

from typing import Any

from srbench_ext.models.official.errors import LayoutError
from srbench_ext.models.official.records import Record, TensorRef

__all__ = ["module_tensors", "plain", "state_dict_tensors"]

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


def state_dict_tensors(state: object, name: str) -> dict[str, TensorRef]:
    """Return the tensors of a state dict; ``module.`` in front, of parallel training, is taken away.

    Parameters
    ----------
    state : object
        The mapping.
    name : str
        What stands before every name.

    Raises
    ------
    LayoutError
        If it is no mapping of names to tensors.
    """
    found: dict[str, TensorRef] = {}
    for key, value in plain(state, f"The state of {name}").items():
        _add(found, f"{name}.{_text(key).removeprefix('module.')}", value)
    return found


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
