from __future__ import annotations

import random

import pytest

from srbench_ext.corpus import Audit, audit_key
from srbench_ext.corpus.audit import LONGEST_COUNTED, skeleton_length
from srbench_ext.corpus.grammar import GRAMMARS
from srbench_ext.corpus.normal import flatten, normalise, strip_affine

from .trees import n_variables_of, rewrite

# a made-up law: x0 exp(-x1 / (2.5 x2)) / sqrt(1 + (x3 - x4)^2)
LAW = "div mul x0 exp neg div x1 mul 2.5 x2 sqrt add 1 pow2 sub x3 x4"
REWRITTEN = {
    "renamed variables": "div mul x4 exp neg div x2 mul C x0 sqrt add 1 pow2 sub x1 x3",
    "other constants": "div mul x0 exp neg div x1 mul 7.25 x2 sqrt add 3 pow2 sub x3 x4",
    "another scale": "mul 0.3 div mul x0 exp neg div x1 mul C x2 sqrt add 1 pow2 sub x3 x4",
    "an offset": "sub div mul x0 exp neg div x1 mul C x2 sqrt add 1 pow2 sub x3 x4 2.5",
    "reordered terms": "div mul exp neg div x1 mul x2 C x0 sqrt add pow2 sub x4 x3 1",
    "a factor moved": "mul x0 div exp div mul C x1 neg x2 sqrt add 1 pow2 sub x3 x4",
    "an inner scale": "div mul x0 exp neg div x1 mul 2.5 x2 sqrt add 1 mul 4 pow2 sub x3 x4",
    "a product for a square": "div mul x0 exp neg div x1 mul C x2 sqrt add 1 mul sub x3 x4 sub x3 x4",
}
DIFFERENT = {
    "another function": "div mul x0 exp neg div x1 mul 2.5 x2 sqrt add 1 pow3 sub x3 x4",
    "one more factor": "div mul x0 exp neg div x1 mul 2.5 x2 sqrt add 1 pow2 mul x5 sub x3 x4",
    "a variable fewer": "div mul x0 exp neg div x1 mul 2.5 x2 sqrt add 1 pow2 sub x3 x3",
    "a variable in two places": "div mul x1 exp neg div x1 mul 2.5 x2 sqrt add 1 pow2 sub x3 x4",
    "no constant term": "div mul x0 exp neg div x1 mul 2.5 x2 sqrt add x5 pow2 sub x3 x4",
}


def read(text: str) -> list[str | float]:
    return [float(token) if "." in token else token for token in text.split()]


PARTS = read(LAW)


@pytest.mark.parametrize("how", sorted(REWRITTEN))
def test_rewritten_truth_is_not_admitted(how: str) -> None:
    audit = Audit([("law", PARTS)])
    assert skeleton_length(PARTS) > LONGEST_COUNTED
    assert not audit.admits(read(REWRITTEN[how]))
    assert audit.refused == {"law": 1}
    assert not audit.hits


@pytest.mark.parametrize("how", sorted(DIFFERENT))
def test_different_formula_is_admitted(how: str) -> None:
    audit = Audit([("law", PARTS)])
    assert audit.admits(read(DIFFERENT[how]))
    assert not audit.hits
    assert not audit.refused


def test_short_truth_is_admitted_and_counted() -> None:
    audit = Audit([("product", ["mul", "x0", "x1"]), ("law", PARTS)])
    assert audit.admits(["mul", "x4", "mul", "x2", 2.5])
    assert audit.admits(["mul", "x0", "x1"])
    assert audit.hits == {"product": 2}


def test_audit_without_truths_admits_everything() -> None:
    audit = Audit([])
    assert audit.admits(PARTS)
    assert not audit.hits


@pytest.mark.parametrize("grammar", sorted(GRAMMARS))
def test_key_forgets_names_order_constants_scale_and_offset(grammar: str) -> None:
    rng = random.Random(f"audit:{grammar}")
    for i in range(150):
        n_variables = n_variables_of(grammar, i)
        node = normalise(GRAMMARS[grammar](rng, n_variables))
        order = rng.sample(range(n_variables), n_variables)
        other = rewrite(node, rng, {f"x{a}": f"x{b}" for a, b in enumerate(order)})
        other = ("add", ("mul", rng.uniform(-3.0, 3.0), other), 1.25)
        assert audit_key(flatten(other)) == audit_key(flatten(node)), (node, other)


@pytest.mark.parametrize("grammar", sorted(GRAMMARS))
def test_keys_tell_drawn_formulas_apart(grammar: str) -> None:
    rng = random.Random(0)
    keys = {audit_key(flatten(GRAMMARS[grammar](rng, 3))) for _ in range(200)}
    assert len(keys) > 150


def test_variables_that_play_different_parts_are_told_apart() -> None:
    assert audit_key(["sub", "pow2", "x0", "sin", "x1"]) == audit_key(["sub", "pow2", "x1", "sin", "x0"])
    assert audit_key(["mul", "x0", "sin", "x1"]) != audit_key(["mul", "x0", "sin", "x0"])


def test_formula_without_variables_is_constant() -> None:
    assert audit_key(["add", "mul", 2.5, "pi", "3"]) == "constant"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("pow x0 2", "pow2 x0"),
        ("pow x0 0.5", "sqrt x0"),
        ("pow x0 div 1 2", "sqrt x0"),
        ("pow x0 div 3 2", "pow3 sqrt x0"),
        ("pow x0 neg 1.5", "inv pow3 sqrt x0"),
        ("div x1 pow add x0 x2 1.5", "div x1 pow3 sqrt add x0 x2"),
    ],
)
def test_powers_of_halves_have_the_key_of_roots(a: str, b: str) -> None:
    assert audit_key(read(a)) == audit_key(read(b))


def test_powers_with_other_exponents_differ_from_roots() -> None:
    assert audit_key(read("mul x1 pow x0 0.7")) != audit_key(read("mul x1 sqrt x0"))


def test_skeleton_length_leaves_out_scale_and_offset() -> None:
    assert skeleton_length(["add", 2.5, "mul", 3.5, "sin", "x0"]) == 2


@pytest.mark.parametrize("grammar", ["e2e", "science"])
def test_quick_look_at_a_normal_form_finds_what_the_key_finds(grammar: str) -> None:
    rng = random.Random(f"quick:{grammar}")
    formulas = [strip_affine(normalise(GRAMMARS[grammar](rng, 1 + i % 3))) for i in range(600)]
    known = {audit_key(flatten(node)) for node in formulas[::3]}
    audit = Audit([(f"law {i}", flatten(node)) for i, node in enumerate(formulas[::3])])
    for node in formulas:
        audit.forget_counts()
        admitted = audit.admits_core(node)
        assert bool(audit.hits or audit.refused) == (audit_key(flatten(node)) in known)
        assert admitted == (audit_key(flatten(node)) not in audit.forbidden)
    assert sum(audit_key(flatten(node)) in known for node in formulas) in range(200, 600)


def test_hit_counts_for_every_problem_of_the_law() -> None:
    audit = Audit(
        [("area", ["mul", "x0", "x1"]), ("force", ["mul", 9.81, "mul", "x1", "x0"]), ("law", PARTS)]
    )
    audit.admits(["mul", "x3", "x1"])
    assert audit.hits == {"area": 1, "force": 1}
    audit.admits(PARTS)
    assert audit.refused == {"law": 1}
    audit.forget_counts()
    assert not audit.hits
    assert not audit.refused


def test_problems_seen_are_those_that_share_a_law_with_a_counted_one() -> None:
    audit = Audit(
        [("area", ["mul", "x0", "x1"]), ("force", ["mul", 9.81, "mul", "x1", "x0"]), ("law", PARTS)]
    )
    assert audit.seen_problems({"area": 2}) == {"area", "force"}
    assert audit.seen_problems({"law": 5, "force": 0, "elsewhere": 1}) == {"elsewhere"}
    assert audit.seen_problems({}) == frozenset()
