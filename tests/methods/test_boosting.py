from typing import ClassVar

from srbench_ext.testing import MethodContract


class TestBoosting(MethodContract):
    method_name = "boosting"
    parameters: ClassVar = {"n_trees": 20}
    deadline_parameters: ClassVar = {"n_trees": 10**6, "learning_rate": 1e-4}
