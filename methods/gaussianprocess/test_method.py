"""The contract, with parameters with which a fit on 60 rows ends soon."""

from typing import ClassVar

from srbench_ext.testing import MethodContract

__all__ = ["TestGaussianProcess"]


class TestGaussianProcess(MethodContract):
    """The contract of gaussianprocess."""

    method_name = "gaussianprocess"
    parameters: ClassVar = {"max_rows": 40}
    deadline_parameters: ClassVar = {"max_rows": 10**6}
