"""The contract, with parameters with which a fit on 60 rows ends soon."""

from typing import ClassVar

from srbench_ext.testing import MethodContract

__all__ = ["TestPsrn"]


class TestPsrn(MethodContract):
    """The contract of psrn."""

    method_name = "psrn"
    parameters: ClassVar = {"n_rounds": 1, "n_fitted": 1}
    deadline_parameters: ClassVar = {"n_rounds": 10**6, "n_fitted": 30}
    deadline_grace = 10.0  # its first round, which nothing can interrupt; later ones are foreseen
