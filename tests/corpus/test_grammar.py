from __future__ import annotations

import random

import pytest

from srbench_ext.corpus.grammar import GRAMMARS, MOST_VARIABLES, constant
from srbench_ext.corpus.normal import flatten, skeleton_of
from srbench_ext.expression import compile_prefix

from .trees import n_variables_of


@pytest.mark.parametrize(
    ("grammar", "n_variables"),
    [
        (grammar, n)
        for grammar in sorted(GRAMMARS)
        for n in (1, 2, 3, 5, 10)
        if n <= MOST_VARIABLES.get(grammar, 10)
    ],
)
def test_formula_uses_every_variable_and_no_other(grammar: str, n_variables: int) -> None:
    rng = random.Random(n_variables)
    for _ in range(60):
        sequence = flatten(GRAMMARS[grammar](rng, n_variables))
        used = {token for token in sequence if isinstance(token, str) and token[0] == "x"}
        assert used == {f"x{i}" for i in range(n_variables)}


@pytest.mark.parametrize("grammar", sorted(GRAMMARS))
def test_formula_is_made_of_known_tokens_and_complete(grammar: str) -> None:
    rng = random.Random(0)
    for i in range(60):
        prefix = skeleton_of(flatten(GRAMMARS[grammar](rng, n_variables_of(grammar, i))))
        assert compile_prefix(prefix).prefix == prefix


@pytest.mark.parametrize("grammar", sorted(GRAMMARS))
def test_equal_seeds_draw_equal_formulas(grammar: str) -> None:
    def draw(seed: int) -> list[object]:
        rng = random.Random(seed)
        return [GRAMMARS[grammar](rng, 3) for _ in range(20)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_e2e_constants_have_three_digits_at_most() -> None:
    rng = random.Random(0)
    for _ in range(100):
        for token in flatten(GRAMMARS["e2e"](rng, 3)):
            if isinstance(token, float):
                assert 0 < abs(token) < 100
                assert float(f"{token:.3g}") == pytest.approx(token, rel=1e-12)


def test_constants_are_finite_and_not_zero() -> None:
    rng = random.Random(0)
    drawn = [constant(rng) for _ in range(500)]
    assert all(token == "pi" or 0 < abs(token) < 100 for token in drawn)
    assert any(token == "pi" for token in drawn)
