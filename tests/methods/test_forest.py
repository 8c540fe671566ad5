from typing import ClassVar

from srbench_ext.testing import MethodContract


class TestForest(MethodContract):
    method_name = "forest"
    parameters: ClassVar = {"n_trees": 8}
    deadline_parameters: ClassVar = {"n_trees": 10**6}
