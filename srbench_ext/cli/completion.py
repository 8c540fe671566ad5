"""What the shell offers on Tab: methods, suites and protocols by name.

Called by the shell's completion, where a traceback would end up on the command line: whatever cannot be read
completes to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from srbench_ext.errors import SrbenchError

__all__ = ["complete_method", "complete_methods", "complete_protocol", "complete_suite", "complete_suites"]


_Completion = Callable[[str], list[str]]


def complete_method(incomplete: str) -> list[str]:
    """Return the methods that begin so; after an ``@`` the presets of the method."""
    from srbench_ext.registry import describe, names

    base, at, _ = incomplete.partition("@")
    try:
        known: Iterable[str] = (
            (f"{base}@{preset}" for preset in sorted(describe(base).presets)) if at else names()
        )
        return [name for name in known if name.startswith(incomplete)]
    except SrbenchError:
        return []


def complete_methods(incomplete: str) -> list[str]:
    """Complete the last of several methods separated by commas."""
    return _last(incomplete, complete_method)


def complete_suite(incomplete: str) -> list[str]:
    """Return the suites that begin so."""
    from srbench_ext.data import suite_names

    return [name for name in suite_names() if name.startswith(incomplete)]


def complete_suites(incomplete: str) -> list[str]:
    """Complete the last of several suites separated by commas."""
    return _last(incomplete, complete_suite)


def complete_protocol(incomplete: str) -> list[str]:
    """Return the protocols that begin so."""
    from srbench_ext.runner.protocol import protocol_names

    return [name for name in protocol_names() if name.startswith(incomplete)]


def _last(incomplete: str, complete: _Completion) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in complete(last)]
