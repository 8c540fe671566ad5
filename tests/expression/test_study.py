from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from srbench_ext.expression import parse_infix
from srbench_ext.expression.evaluation import evaluate
from srbench_ext.expression.rewriting import REWRITINGS, mutants, rewritten_at_random
from srbench_ext.expression.study import Truth, main, read_truths, study

LAWS = [
    ("exp(-(theta - theta1)**2/(2*sigma**2))/(sqrt(2*pi)*sigma)", "theta theta1 sigma"),
    ("a*b**2/(c + d) - sin(a*c)", "a b c d"),
    ("m*sqrt(x**2 + y**2 + z**2)", "m x y z"),
    ("20 - x - x*y/(1 + 0.5*x**2)", "x y"),
]


def _truths() -> list[Truth]:
    truths = []
    for formula, names in LAWS:
        e = parse_infix(formula, names.split())
        truths.append(Truth(formula, e, (1.0,) * len(names.split()), (3.0,) * len(names.split())))
    return truths


@pytest.mark.parametrize("way", REWRITINGS)
def test_a_rewriting_has_the_same_values_and_mostly_other_tokens(way: str) -> None:
    rng = np.random.default_rng(0)
    different = 0
    for truth in _truths():
        X = rng.uniform(1, 3, (50, len(truth.lows)))
        for _ in range(5):
            other = rewritten_at_random(truth.formula, way, rng)
            np.testing.assert_allclose(evaluate(other, X), evaluate(truth.formula, X), rtol=1e-9, atol=1e-12)
            different += other.prefix != truth.formula.prefix
    assert different >= 15


def test_mutants_are_one_change_away() -> None:
    found = list(mutants(parse_infix("2*x**2 + sin(y)", ["x", "y"])))
    texts = {(what, str(e)) for what, e in found}
    assert ("exponent changed", "2*x**3 + sin(y)") in texts
    assert ("term dropped", "sin(y)") in texts
    assert ("constant moved by 1%", "2.02*x**2 + sin(y)") in texts
    assert ("exponent changed", "2*x**2 + sin(y**2)") in texts


def test_every_rewriting_and_no_mutant_is_recovered() -> None:
    outcome = study(_truths(), np.random.default_rng(0))
    for way in REWRITINGS:
        assert outcome.counts[way, "recovered"] == len(LAWS)
    changes = ("exponent changed", "term dropped", "constant moved by 1%")
    assert all(outcome.counts[what, "not recovered"] > 0 for what in changes)
    assert all(outcome.counts[what, "recovered"] == 0 for what in changes)
    assert outcome.counts["constant moved by 1%", "same as the truth"] > 0  # factors in front


def test_tables_of_problems_are_read_and_the_result_is_written(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("name,formula,features,lows,highs\nlaw,a*b + 1,a b,1 1,2 3\n")
    (truth,) = read_truths([tmp_path / "in.csv"])
    assert truth.highs == (2.0, 3.0)
    main([str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.md")])
    assert "| reordered | 1 | 0 | 0 | 0 |" in (tmp_path / "out.md").read_text()
