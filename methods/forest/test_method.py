"""The contract, with parameters with which a fit on 60 rows ends soon."""

from typing import ClassVar

from srbench_ext.testing import MethodContract

__all__ = ["TestForest"]


class TestForest(MethodContract):
    """The contract of forest."""

    method_name = "forest"
    parameters: ClassVar = {"n_trees": 8}
    deadline_parameters: ClassVar = {"n_trees": 10**6}
