"""Fuzzing of parsing and evaluation, for as long as asked: ``python tests/expression/fuzz.py --minutes 60``.

Every text must be read or refused by an ExpressionError, and what was read must survive being written and
read again, evaluated, keyed, simplified and fitted, each within seconds.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srbench_ext.errors import ExpressionError, InputError
from srbench_ext.expression import (
    Expression,
    canonical_key,
    evaluate,
    fit_constants,
    format_infix,
    format_prefix,
    parse_infix,
    parse_prefix,
    simplify,
    warm_up,
    why_not_finite,
)
from srbench_ext.expression.operators import OPERATORS

sys.path.insert(0, str(Path(__file__).parent))
from strategies import expressions

NAMES = ["x", "y", "I", "E", "beta", "lambda", "a b", "pi", "x1"]
SLOWEST = 5.0  # seconds of CPU time for one example

_NUMBERS = (
    "0",
    "1",
    "-1",
    "2.5",
    "1e5",
    ".5",
    "5.",
    "1e",
    "e",
    "nan",
    "inf",
    "0x1",
    "1_000",
    "1e308",
    "1e-400",
    "³",
)
_ODD = ("**", "//", "__", "lambda:0", "import os", "()()", "\x00", "é", "`a b`", '"y"')
_WORDS = ("x0", "x2", "x99", "C", "ln", "log10", "arcsin", "sqrt")
_SIGNS = tuple("+-*/^()[]{},.;:=<>!@#$%&|~'\"`\\ \n\t")
_pieces = st.sampled_from([*OPERATORS, *NAMES, *_NUMBERS, *_ODD, *_WORDS, *_SIGNS])


def _damaged(text: str, position: float, piece: str, length: int) -> str:
    start = int(position * len(text))
    return text[:start] + piece + text[start + length :]


_formulas = st.one_of(expressions(20).map(format_infix), expressions(20).map(format_prefix))
_texts = st.one_of(
    _formulas,
    st.builds(_damaged, _formulas, st.floats(0, 1), _pieces, st.integers(0, 3)),
    st.lists(_pieces, max_size=30).map("".join),
    st.lists(_pieces, max_size=30).map(" ".join),
    st.text(max_size=60),
    st.builds(
        lambda n, a, b: a * n + "x" + b * n,
        st.integers(0, 3000),
        st.sampled_from("(-["),
        st.sampled_from(")]"),
    ),
)
_doubles = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, 1e308, 5e-324]))

counts: Counter[str] = Counter()
slowest = 0.0


def _survives(e: Expression, X: np.ndarray) -> None:
    assert evaluate(e, X).shape == (len(X),)
    assert sum(why_not_finite(e, X).values()) == np.sum(~np.isfinite(evaluate(e, X)))
    again = parse_infix(format_infix(e), e.names)
    assert np.array_equal(evaluate(again, X), evaluate(e, X), equal_nan=True), format_infix(e)
    assert parse_prefix(format_prefix(e)).complexity == e.complexity
    assert len(canonical_key(e.prefix)) == 16
    assert simplify(e).complexity <= e.complexity
    fit = fit_constants(e, np.nan_to_num(X), np.arange(len(X), dtype=float), n_starts=1, max_iterations=5)
    assert fit.loss >= 0.0


def _one(text: str, values: list[float], infix: bool) -> None:
    global slowest
    begin = time.process_time()
    X = np.resize(np.array(values), (5, 100))
    try:
        e = parse_infix(text, NAMES) if infix else parse_prefix(text)
    except ExpressionError:
        counts["refused"] += 1
        return
    finally:
        counts["texts"] += 1
    counts["read"] += 1
    if e.variables and e.variables[-1] >= X.shape[1]:
        with pytest.raises(InputError, match="uses column"):
            evaluate(e, X)
        return
    _survives(e, X)
    spent = time.process_time() - begin
    slowest = max(slowest, spent)
    assert spent < SLOWEST, (spent, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    minutes = parser.parse_args().minutes
    warm_up()
    end = time.monotonic() + 60.0 * minutes
    while time.monotonic() < end:
        run = given(_texts, st.lists(_doubles, min_size=1, max_size=20), st.booleans())(_one)
        settings(max_examples=2000, deadline=None, database=None, suppress_health_check=list(HealthCheck))(
            run
        )()
        print(f"{dict(counts)}, slowest {slowest:.2f} s, {end - time.monotonic():.0f} s left", flush=True)


if __name__ == "__main__":
    main()
