from __future__ import annotations

import numpy as np
import pytest

from srbench_ext.expression import evaluate, parse_infix
from srbench_ext.expression.phases import reduced_phases


@pytest.mark.parametrize(
    ("written", "reduced"),
    [
        ("sin(x0 + 20.420352248333657)*x1", "cos(x0)*x1"),
        ("cos(4.71238898038469 - 2*x0)", "-sin(2*x0)"),
        ("sin(pi - x0)", "sin(x0)"),
        ("cos(x0 - x1 + 3.141592653589793)", "-cos(x0 - x1)"),
        ("cos(-x0 - x1 + pi)", "-cos(x0 + x1)"),
        ("x1 + cos(sin(x0 + 6.283185307179586) - 1.5707963267948966)", "x1 + sin(sin(x0))"),
    ],
)
def test_quarter_turns_are_taken_out(written: str, reduced: str) -> None:
    assert reduced_phases(parse_infix(written)) == parse_infix(reduced)


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize("quarters", [*range(-5, 6), 0.3, 7.9])
@pytest.mark.parametrize("body", ["x0 + {}", "{} - x0", "-x0 + {}"])
def test_values_stay(name: str, quarters: float, body: str) -> None:
    phase = quarters * np.pi / 2
    e = parse_infix(f"{name}({body.format(f'({float(phase)!r})')})")
    X = np.random.default_rng(0).normal(size=(20, 1))
    reduced = reduced_phases(e)
    assert reduced.complexity <= e.complexity
    assert all(abs(c) <= np.pi for c in reduced.constants)
    np.testing.assert_allclose(evaluate(reduced, X), evaluate(e, X), atol=1e-13)


@pytest.mark.parametrize("text", ["sin(x0)", "sin(x0 + 0.5)", "cos(2.0*x0)", "sin(3.0)", "x0 + 7.0"])
def test_without_a_phase_to_reduce_the_formula_is_the_same(text: str) -> None:
    e = parse_infix(text)
    assert reduced_phases(e) is e
