"""The interface of a method: what a plugin writes, and what it is given.

A plugin subclasses :class:`Method` and writes one generator, :meth:`Method.search`, that yields
:class:`Candidate` objects. Everything else is done here, once for all methods: checking the input, the clock
and the deadline, the loss, duplicates, the Pareto front, the choice of one formula, and prediction.
"""

from srbench_ext.method.base import Method
from srbench_ext.method.candidate import Candidate, FitResult, OpaqueModel
from srbench_ext.method.choice import EXACT_NMSE, one_se
from srbench_ext.method.inputs import read_table, read_target
from srbench_ext.method.parameters import Limits
from srbench_ext.method.run import LOAD_ALLOWANCE, SearchRun

__all__ = [
    "EXACT_NMSE",
    "LOAD_ALLOWANCE",
    "Candidate",
    "FitResult",
    "Limits",
    "Method",
    "OpaqueModel",
    "SearchRun",
    "one_se",
    "read_table",
    "read_target",
]
