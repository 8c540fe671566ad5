from typing import ClassVar

from srbench_ext.testing import MethodContract


class TestKernelRidge(MethodContract):
    method_name = "kernelridge"
    parameters: ClassVar = {"max_rows": 100}
    deadline_parameters: ClassVar = {"max_rows": 10**6}
