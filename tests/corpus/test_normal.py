from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings

from srbench_ext.corpus.grammar import GRAMMARS
from srbench_ext.corpus.normal import Node, flatten, normalise, skeleton_of, strip_affine, unflatten
from srbench_ext.expression import compile_prefix

from .trees import assert_same_values, n_variables_of, trees, values

POINTS = np.random.default_rng(0).uniform(0.2, 3.0, (12, 6))


def drawn(grammar: str, count: int) -> list[Node]:
    rng = random.Random(f"normal:{grammar}")
    return [GRAMMARS[grammar](rng, n_variables_of(grammar, i)) for i in range(count)]


@given(trees())
def test_flattened_tree_is_read_back(node: Node) -> None:
    sequence = flatten(node)
    assert unflatten(sequence) == node
    assert flatten(unflatten(sequence)) == sequence


def test_flattened_tree_is_in_prefix_order() -> None:
    assert flatten(("sub", ("mul", "x1", 2.5), ("sin", "x0"))) == ["sub", "mul", "x1", 2.5, "sin", "x0"]


@pytest.mark.parametrize("broken", [["add", "x0"], ["x0", "x1"], ["sin"]])
def test_broken_prefix_is_not_read(broken: list[str | float]) -> None:
    with pytest.raises((ValueError, IndexError)):
        unflatten(broken)


def test_skeleton_has_a_placeholder_for_each_float_and_keeps_integers() -> None:
    assert skeleton_of(["add", "mul", 2.5, "x0", "2"]) == ("add", "mul", "C", "x0", "2")


@pytest.mark.parametrize("grammar", sorted(GRAMMARS))
def test_normal_form_of_drawn_formulas_keeps_the_values(grammar: str) -> None:
    nodes = drawn(grammar, 300)
    compared = [assert_same_values(node, normalise(node), POINTS) for node in nodes]
    assert sum(count > 3 for count in compared) > 200  # most formulas are finite on most points


@settings(max_examples=150, deadline=None)
@given(trees())
def test_normal_form_of_any_tree_keeps_the_values(node: Node) -> None:
    assert_same_values(node, normalise(node), POINTS)


def test_factor_that_starts_with_an_integer_factor_is_kept() -> None:
    node = ("mul", 2.5, ("mul", "2", ("sub", "2", "x0")))
    assert_same_values(node, normalise(node), POINTS)


@pytest.mark.parametrize("grammar", sorted(GRAMMARS))
def test_package_evaluates_normal_forms_as_numpy_does(grammar: str) -> None:
    for node in drawn(grammar, 40):
        sequence = flatten(normalise(node))
        found = compile_prefix(skeleton_of(sequence)).evaluate(
            POINTS, [token for token in sequence if isinstance(token, float)]
        )
        expected = values(unflatten(sequence), POINTS)
        spread = np.abs(values(unflatten(sequence), POINTS, 1e-12) - expected)
        rows = np.isfinite(found) & np.isfinite(expected) & np.isfinite(spread)
        assert (np.abs(found - expected) <= 30 * spread + 1e-13 * np.abs(expected))[rows].all()


@pytest.mark.parametrize(
    ("writings", "normal"),
    [
        ([["add", "x1", "x0"], ["add", "x0", "x1"], ["sub", "x0", "neg", "x1"]], ["add", "x0", "x1"]),
        (
            [["div", "x0", "div", "x1", "x2"], ["mul", "x2", "div", "x0", "x1"]],
            ["div", "mul", "x0", "x2", "x1"],
        ),
        ([["mul", "x0", "x0"], ["pow2", "x0"], ["pow", "x0", "2"]], ["pow2", "x0"]),
        ([["pow2", "sqrt", "x0"], ["pow", "sqrt", "x0", "2"]], ["x0"]),
        ([["inv", "inv", "x0"], ["div", "pow2", "x0", "x0"]], ["x0"]),
        ([["add", "x0", "x0"], ["sub", "mul", "3", "x0", "x0"]], ["mul", "x0", "2"]),
        ([["sub", "x0", "x0"], ["add", "neg", "x0", "x0"]], ["0"]),
        ([["neg", "neg", "x0"], ["sub", "x1", "add", "x1", "neg", "x0"]], ["x0"]),
    ],
)
def test_writings_of_one_formula_have_one_normal_form(
    writings: list[list[str | float]], normal: list[str]
) -> None:
    for writing in writings:
        assert flatten(normalise(unflatten(writing))) == normal


def test_product_of_equal_roots_is_what_stands_under_them() -> None:
    assert normalise(("mul", ("sqrt", "x0"), ("sqrt", "x0"))) == "x0"


@pytest.mark.parametrize("grammar", sorted(GRAMMARS))
def test_order_of_commuting_operands_does_not_matter(grammar: str) -> None:
    def mirrored(node: Node) -> Node:
        if not isinstance(node, tuple):
            return node
        children = [mirrored(child) for child in node[1:]]
        return (node[0], *(reversed(children) if node[0] in ("add", "mul") else children))

    for node in drawn(grammar, 100):
        a = skeleton_of(flatten(normalise(node)))
        assert skeleton_of(flatten(normalise(mirrored(node)))) == a


@pytest.mark.parametrize("grammar", sorted(GRAMMARS))
def test_stripped_formula_is_the_formula_up_to_scale_and_offset(grammar: str) -> None:
    fitted = 0
    for node in drawn(grammar, 200):
        normal = normalise(node)
        stripped = strip_affine(normal)
        u, y = values(stripped, POINTS), values(normal, POINTS)
        noise = np.abs(values(stripped, POINTS, 1e-12) - u)
        rows = np.isfinite(u) & np.isfinite(y) & np.isfinite(noise)
        if (
            rows.sum() < 6
            or np.ptp(u[rows]) <= 1e-6 * np.abs(u[rows]).max()
            or noise[rows].max() > 1e-9 * np.ptp(u[rows])
        ):
            continue  # badly conditioned on these points
        A = np.column_stack([u[rows] / np.abs(u[rows]).max(), np.ones(rows.sum())])
        solution, *_ = np.linalg.lstsq(A, y[rows], rcond=None)
        np.testing.assert_allclose(A @ solution, y[rows], rtol=1e-6, atol=1e-7 * np.abs(y[rows]).max())
        fitted += 1
    assert fitted > 100


@pytest.mark.parametrize(
    ("formula", "stripped"),
    [
        (["add", "mul", "x0", 2.5, 1.5], ["x0"]),
        (["neg", "mul", "sin", "x0", "2"], ["sin", "x0"]),
        (["sub", 2.0, "exp", "x0"], ["exp", "x0"]),
        (["div", "mul", "x0", 3.0, "mul", "x1", "pi"], ["div", "x0", "x1"]),
        (["div", 3.0, "x1"], ["inv", "x1"]),
        (["mul", "x0", "add", "x1", 2.5], ["mul", "x0", "add", "x1", 2.5]),
        (["sin", "mul", "x0", 2.5], ["sin", "mul", "x0", 2.5]),
    ],
)
def test_outer_scale_and_offset_are_dropped_and_inner_ones_kept(
    formula: list[str | float], stripped: list[str | float]
) -> None:
    assert flatten(strip_affine(unflatten(formula))) == stripped


@pytest.mark.parametrize(
    ("formula", "stripped"),
    [
        (["mul", "x0", "mul", "x1", 2.5], ["mul", "x0", "x1"]),
        (["add", "x0", "add", "x1", 2.5], ["add", "x0", "x1"]),
        (["sub", "x0", "add", "x1", 2.5], ["sub", "x0", "x1"]),
    ],
)
def test_scale_and_offset_at_the_end_of_a_chain_are_dropped(
    formula: list[str | float], stripped: list[str | float]
) -> None:
    assert flatten(strip_affine(normalise(unflatten(formula)))) == stripped


@pytest.mark.parametrize("grammar", sorted(GRAMMARS))
def test_normal_form_is_its_own_normal_form_with_or_without_scale_and_offset(grammar: str) -> None:
    for node in drawn(grammar, 800):
        normal = normalise(node)
        assert flatten(normalise(normal)) == flatten(normal)
        stripped = strip_affine(normal)
        assert skeleton_of(flatten(strip_affine(normalise(stripped)))) == skeleton_of(flatten(stripped))


@pytest.mark.parametrize(
    ("writing", "normal"),
    [
        (["sin", "add", "x0", "x0"], ["sin", "mul", "x0", "2"]),
        (["add", "x1", "add", "x0", "x0"], ["add", "mul", "2", "x0", "x1"]),
        (["add", "inv", "x0", "inv", "x0"], ["div", "2", "x0"]),
        (["add", "1", "mul", "1", "sub", "1", "x0"], ["sub", "2", "x0"]),
        (["sub", "x2", "pow2", "sqrt", "sub", "x1", "x0"], ["sub", "add", "x0", "x2", "x1"]),
    ],
)
def test_sum_within_a_sum_and_a_multiple_alone_are_written_as_everywhere(
    writing: list[str | float], normal: list[str]
) -> None:
    assert flatten(normalise(unflatten(writing))) == normal


def test_order_of_factors_that_differ_in_constants_stays() -> None:
    node = ("mul", ("add", "x0", 1.5), ("mul", ("add", "x0", 2.5), ("add", "x0", 0.5)))
    assert [token for token in flatten(normalise(node)) if isinstance(token, float)] == [1.5, 2.5, 0.5]


def test_a_constant_without_a_value_comes_to_an_end() -> None:
    overflow = ("pow2", ("pow2", ("exp", ("pow2", ("mul", ("div", "x1", math.nan), 1.2345)))))
    for node in (
        ("sub", ("mul", ("exp", ("mul", overflow, 1.2345)), 1.2345), "pi"),
        ("pow3", ("pow3", ("mul", float("nan"), "x0"))),
        ("add", ("mul", math.inf, "x0"), ("neg", ("mul", math.inf, "x0"))),
    ):
        once = normalise(node)
        assert flatten(normalise(once)) == flatten(once)
