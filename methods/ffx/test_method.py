"""The contract, with parameters with which a fit on 60 rows ends soon."""

from typing import ClassVar

from srbench_ext.testing import MethodContract

__all__ = ["TestFfx"]


class TestFfx(MethodContract):
    """The contract of ffx."""

    method_name = "ffx"
    parameters: ClassVar = {"max_rows": 40, "n_families": 1}
    deadline_parameters: ClassVar = {"max_rows": 10**6, "n_families": 7}
