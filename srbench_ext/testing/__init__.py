"""Tests that the author of a method subclasses; they need pytest.

Examples
--------
In the plugin's own test file::

    from srbench_ext.testing import MethodContract

    class TestMyMethod(MethodContract):
        method_name = "my-method"
        parameters = {"n_generations": 3}  # small enough to end by itself within a second or two

``srbench-ext check`` runs them without a test file (:mod:`srbench_ext.testing.check`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srbench_ext.testing.contract import MethodContract

__all__ = ["MethodContract"]


def __getattr__(name: str) -> object:
    """Import the contract when it is asked for: starting a method needs no pytest."""
    if name != "MethodContract":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from srbench_ext.testing.contract import MethodContract

    return MethodContract
