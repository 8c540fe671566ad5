from typing import ClassVar

from srbench_ext.testing import MethodContract


class TestGaussianProcess(MethodContract):
    method_name = "gaussianprocess"
    parameters: ClassVar = {"max_rows": 40}
    deadline_parameters: ClassVar = {"max_rows": 10**6}
