from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from srbench_ext.corpus import Audit, Corpus, Mixture, load_mixture
from srbench_ext.corpus.grammar_nesymres import _draw_prefix, draw_nesymres
from srbench_ext.corpus.normal import flatten
from srbench_ext.errors import InputError

PUBLISHED = {"asin": 2, "cos": 4, "exp": 4, "log": 4, "pow2": 4, "pow3": 2, "pow4": 1, "pow5": 1, "sin": 4}
PUBLISHED |= {"sqrt": 4, "tan": 4}
JOINS = {"add": 10, "mul": 10, "sub": 5, "div": 5}


def drawn(count: int, seed: int = 0) -> list[list[str]]:
    rng = random.Random(seed)
    return [_draw_prefix(rng) for _ in range(count)]


def test_trees_have_three_to_five_operators_equally_often() -> None:
    sizes = Counter(sum(t in PUBLISHED or t in JOINS for t in tokens) for tokens in drawn(3000))
    assert set(sizes) == {3, 4, 5}
    assert min(sizes.values()) > 900


def test_operators_have_the_published_shares() -> None:
    counts = Counter(token for tokens in drawn(4000) for token in tokens)
    for weights in (PUBLISHED, JOINS):
        total = sum(counts[name] for name in weights)
        for name, weight in weights.items():
            assert counts[name] / total == pytest.approx(weight / sum(weights.values()), abs=0.015)


def test_shapes_are_uniform_over_trees_of_a_size() -> None:
    def shape(tokens: list[str]) -> str:
        return "".join("1" if t in PUBLISHED else "2" if t in JOINS else "0" for t in tokens)

    shapes = Counter(s for s in map(shape, drawn(9000, 3)) if sum(c in "12" for c in s) == 3)
    assert len(shapes) == 22  # trees of three operators, unary or binary (large Schroeder number)
    expected = sum(shapes.values()) / 22
    assert np.abs(np.array([*shapes.values()]) / expected - 1).max() < 0.35


def test_variables_are_named_in_order_of_appearance() -> None:
    for tokens in drawn(500):
        names = list(dict.fromkeys(token for token in tokens if token[0] == "x"))
        assert names == [f"x{i}" for i in range(len(names))]
        assert len(names) <= 3


def test_formula_has_at_most_three_constants_in_the_published_ranges() -> None:
    counts: Counter[int] = Counter()
    rng = random.Random(1)
    for i in range(600):
        floats = {t for t in flatten(draw_nesymres(rng, 1 + i % 3)) if isinstance(t, float)}  # x^5 is x^4 x
        counts[len(floats)] += 1
        assert all(-12.0 < value < 5.0 * 30 for value in floats)
    assert set(counts) == {0, 1, 2, 3}
    assert min(counts.values()) > 60


@pytest.mark.parametrize("n_variables", [0, 4])
def test_other_numbers_of_variables_are_an_error(n_variables: int) -> None:
    with pytest.raises(InputError, match="1 to 3"):
        draw_nesymres(random.Random(0), n_variables)


def test_examples_of_its_mixture_have_published_and_positive_ranges() -> None:
    corpus = Corpus(load_mixture("nesymres"), Audit([]))
    examples = corpus.examples((1,), 200, 60)
    for example in examples:
        assert example.X.shape[0] == 60
        assert example.X.shape[1] <= 3
        assert np.abs(example.y).max() <= 5e4
        assert example.noise == 0.0
    positive = sum(example.X.min() > 0 for example in examples)
    published = sum(example.X.min() < 0 and np.abs(example.X).max() <= 10.0 for example in examples)
    assert positive > 70
    assert published > 40


def test_laws_of_its_mixture_have_scales_and_offsets() -> None:
    examples = Corpus(load_mixture("nesymres"), Audit([])).examples((2,), 300, 20)
    longer = sum(len(example.formula) > len(example.skeleton) for example in examples)
    assert 120 < longer < 240


def test_rows_without_a_value_are_replaced_up_to_the_share_allowed() -> None:
    tables = _tables(load_mixture("nesymres")) | {"points": {"support_10": 1.0}}
    limits = load_mixture("nesymres").limits | {"draws_of_points": 1}
    strict, loose = (
        Corpus(Mixture(**{**tables, "limits": limits | {"max_bad_rows": share}}), Audit([]))
        for share in (0.0, 0.04)
    )
    for corpus in (strict, loose):
        corpus.examples((2,), 25, 100)
    assert loose.rejected["too large"] < strict.rejected["too large"]


def _tables(mixture: object) -> dict[str, object]:
    return {
        name: getattr(mixture, name) for name in ("limits", "grammars", "n_variables", "points", "target")
    }
