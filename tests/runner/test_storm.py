from __future__ import annotations

from collections import Counter

from srbench_ext.runner import execute

from .chaos import alive, wait_until
from .storm import STATUSES, storm_plan, wrong


def test_a_storm_of_failures_leaves_every_record_with_the_right_status(tmp_path):
    specs = storm_plan(10, tmp_path)
    summary = execute(specs, tmp_path / "out", jobs=2, progress=False)
    assert wrong(specs, tmp_path / "out") == []
    wanted = Counter(STATUSES[str(spec.parameters["behaviour"])] for spec in specs)
    assert Counter(summary.counts) == wanted
    assert wait_until(lambda: not alive(tmp_path))
