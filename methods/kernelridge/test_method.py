"""The contract, with parameters with which a fit on 60 rows ends soon."""

from typing import ClassVar

from srbench_ext.testing import MethodContract

__all__ = ["TestKernelRidge"]


class TestKernelRidge(MethodContract):
    """The contract of kernelridge."""

    method_name = "kernelridge"
    parameters: ClassVar = {"max_rows": 100}
    deadline_parameters: ClassVar = {"max_rows": 10**6}
