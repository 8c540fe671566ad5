from typing import ClassVar

from srbench_ext.testing import MethodContract


class TestPerceptron(MethodContract):
    method_name = "mlp"
    parameters: ClassVar = {"n_passes": 10, "width": 8}
    deadline_parameters: ClassVar = {"n_passes": 10**6, "width": 200}
