"""The contract, with parameters with which a fit on 60 rows ends soon."""

from typing import ClassVar

from srbench_ext.testing import MethodContract

__all__ = ["TestBoosting"]


class TestBoosting(MethodContract):
    """The contract of boosting."""

    method_name = "boosting"
    parameters: ClassVar = {"n_trees": 20}
    deadline_parameters: ClassVar = {"n_trees": 10**6, "learning_rate": 1e-4}
