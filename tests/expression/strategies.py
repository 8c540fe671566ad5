"""Random formulas for the property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from srbench_ext.expression import Expression
from srbench_ext.expression.operators import BINARY, UNARY

N_COLUMNS = 3

_numbers = st.floats(-8, 8, allow_nan=False).map(lambda v: round(v, 6))


def _leaves() -> st.SearchStrategy[list[object]]:
    return st.one_of(
        st.integers(0, N_COLUMNS - 1).map(lambda i: [f"x{i}"]),
        st.integers(-4, 9).map(lambda i: [str(i)]),
        st.just(["pi"]),
        _numbers.map(lambda v: [v]),
    )


def _grow(children: st.SearchStrategy[list[object]]) -> st.SearchStrategy[list[object]]:
    return st.one_of(
        st.tuples(st.sampled_from(UNARY), children).map(lambda p: [p[0], *p[1]]),
        st.tuples(st.sampled_from(BINARY), children, children).map(lambda p: [p[0], *p[1], *p[2]]),
    )


def _build(tokens: list[object]) -> Expression:
    constants = tuple(t for t in tokens if isinstance(t, float))
    return Expression(tuple("C" if isinstance(t, float) else str(t) for t in tokens), constants)


def expressions(max_leaves: int = 12) -> st.SearchStrategy[Expression]:
    """Formulas over ``N_COLUMNS`` columns with every operator, integers, pi and constants."""
    return st.recursive(_leaves(), _grow, max_leaves=max_leaves).map(_build)
