"""Plan, execute, store: from a protocol to one record a run.

:func:`plan` lists the runs, :func:`execute` runs those that the results folder does not hold yet, each in a
process of its own, and stores a record for every one, whatever became of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srbench_ext.runner.backends import Backend, parse_backend
    from srbench_ext.runner.execution import Summary, execute
    from srbench_ext.runner.planning import parse_settings, plan
    from srbench_ext.runner.protocol import Protocol, RunRules, load_protocol, protocol_names
    from srbench_ext.runner.store import SetAside, Store

__all__ = [
    "Backend",
    "Protocol",
    "RunRules",
    "SetAside",
    "Store",
    "Summary",
    "execute",
    "load_protocol",
    "parse_backend",
    "parse_settings",
    "plan",
    "protocol_names",
]

_HOMES = {
    "Backend": "backends",
    "parse_backend": "backends",
    "Summary": "execution",
    "execute": "execution",
    "parse_settings": "planning",
    "plan": "planning",
    "Protocol": "protocol",
    "RunRules": "protocol",
    "load_protocol": "protocol",
    "protocol_names": "protocol",
    "SetAside": "store",
    "Store": "store",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for: reading a protocol needs nothing of what runs it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
