"""The contract, with parameters with which a fit on 60 rows ends soon."""

from typing import ClassVar

from srbench_ext.testing import MethodContract

__all__ = ["TestRilsRols"]


class TestRilsRols(MethodContract):
    """The contract of rilsrols."""

    method_name = "rilsrols"
    parameters: ClassVar = {"max_fits": 200}
    deadline_parameters: ClassVar = {"max_fits": 10**9}
