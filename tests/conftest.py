"""One thread a test process, as a run has, and the same drawn examples in every run of the tests.

Several threads on few cores wait for each other. ``tests/expression/fuzz.py`` draws new examples for as long
as asked.
"""

from __future__ import annotations

import os

from hypothesis import settings

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

settings.register_profile("same", derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
