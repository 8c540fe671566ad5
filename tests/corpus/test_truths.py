from __future__ import annotations

import random

import pytest

from srbench_ext.corpus import Corpus, audit_key, benchmark_audit, load_mixture, seen_problems
from srbench_ext.corpus.audit import LONGEST_COUNTED, skeleton_length
from srbench_ext.corpus.normal import flatten, unflatten
from srbench_ext.data import suites
from srbench_ext.errors import WeightsError

from .trees import rewrite

TRUTHS = {
    problem.name: problem.truth()
    for suite in suites().values()
    for problem in suite.problems
    if problem.truth() is not None
}


def rewritten(prefix: tuple[str, ...], rng: random.Random) -> list[str | float]:
    """Return a truth with random constants, other names of variables and another scale and offset."""
    node = unflatten([rng.uniform(0.5, 2.0) if token == "C" else token for token in prefix])
    names = [f"x{i}" for i in range(12)]
    other = rewrite(node, rng, dict(zip(names, rng.sample(names, 12), strict=True)))
    return flatten(("add", ("mul", rng.uniform(0.5, 2.0), other), rng.uniform(0.5, 2.0)))


def test_every_benchmark_truth_is_known_in_other_words() -> None:
    audit = benchmark_audit()
    rng = random.Random(0)
    assert len(TRUTHS) == 133
    for name, truth in TRUTHS.items():
        audit.forget_counts()
        admitted = audit.admits(rewritten(truth.prefix, rng))
        assert name in (audit.hits if admitted else audit.refused)
        assert not admitted or skeleton_length(truth.prefix) <= LONGEST_COUNTED


def test_long_truths_are_never_drawn() -> None:
    audit = benchmark_audit()
    examples = Corpus(load_mixture(), audit).examples((5,), 300, 20)
    assert not {audit_key(example.skeleton) for example in examples} & set(audit.forbidden)
    assert audit.hits


def test_problems_seen_are_told_from_a_card() -> None:
    seen = seen_problems({"benchmark_truths_met": {"feynman_I_12_5": 3}})
    assert {"feynman_I_12_5", "feynman_I_25_13"} - seen == {"feynman_I_25_13"}  # a product, not a ratio
    products = {name for name, truth in TRUTHS.items() if sorted(truth.prefix) == ["mul", "x0", "x1"]}
    assert len(products) > 1
    assert products <= seen
    assert seen_problems({"benchmark_truths_met": {}}) == frozenset()


def test_card_without_counts_is_an_error_that_names_the_key() -> None:
    with pytest.raises(WeightsError, match="benchmark_truths_met"):
        seen_problems({"examples": 3})
