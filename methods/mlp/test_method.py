"""The contract, with parameters with which a fit on 60 rows ends soon."""

from typing import ClassVar

from srbench_ext.testing import MethodContract

__all__ = ["TestPerceptron"]


class TestPerceptron(MethodContract):
    """The contract of mlp."""

    method_name = "mlp"
    parameters: ClassVar = {"n_passes": 10, "width": 8}
    deadline_parameters: ClassVar = {"n_passes": 10**6, "width": 200}
