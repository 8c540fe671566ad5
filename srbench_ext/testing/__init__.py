"""Tests that the author of a method subclasses; they need pytest.

Examples
--------
In the plugin's own test file::

    from srbench_ext.testing import MethodContract

    class TestMyMethod(MethodContract):
        method_name = "my-method"
        parameters = {"n_generations": 3}  # small enough to end by itself within a second or two
"""

from srbench_ext.testing.contract import MethodContract

__all__ = ["MethodContract"]
