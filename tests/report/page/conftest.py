from __future__ import annotations

from pathlib import Path

import pytest

from srbench_ext.data import load_suite
from srbench_ext.expression import parse_infix
from srbench_ext.record import FormulaText, FrontPoint

PROBLEM = "strogatz_vdp2"  # -1/10*x


@pytest.fixture
def law():
    """The problem of the records below, whose rows can be made again."""
    return next(p for p in load_suite("strogatz").problems if p.name == PROBLEM)


@pytest.fixture
def found(make_record, law):
    """A record of the truth on that problem, with a front and a curve; keywords replace fields."""
    formula = FormulaText.of(law.truth())
    simpler = FormulaText.of(parse_infix("0.5", names=law.feature_names))
    front = (
        FrontPoint(simpler, 2.0, 1, 0.1, "constant", 0.0),
        FrontPoint(formula, 0.0, formula.prefix.count(" ") + 1, 1.5, "search", 1.0),
    )

    def make(**changes):
        fields = {
            "problem": PROBLEM,
            "source_kind": "regenerated",
            "n_rows": None,
            "truth": law.formula,
            "expression": formula,
            "front": front,
            "curve": front,
            "complexity": front[-1].complexity,
        }
        return make_record(**(fields | changes))

    return make


@pytest.fixture
def folder(found, make_record, save_records) -> Path:
    """Two methods on two problems; one of the four runs failed."""
    return save_records(
        [
            found(),
            found(method="beta", r2=0.5, expression=None, complexity=None, front=()),
            make_record(problem="p2", r2=0.75, recovered=False, seconds=4.0),
            make_record(
                method="beta", problem="p2", status="error", error="Traceback\nValueError: <b>no</b> formula"
            ),
        ]
    )
