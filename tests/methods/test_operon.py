from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from srbench_ext.errors import ExpressionError
from srbench_ext.registry import create
from srbench_ext.testing import MethodContract

operon = pytest.importorskip("pyoperon")


class TestOperonContract(MethodContract):
    method_name = "operon"
    parameters: ClassVar = {"population_size": 100, "n_generations": 3}
    deadline_parameters: ClassVar = {"population_size": 200, "n_generations": 10**9}


def test_trees_and_formulas_agree():
    from pyoperon.sklearn import SymbolicRegressor

    from srbench_ext.methods.operon.method import _SYMBOLS, to_expression

    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 0.9, size=(200, 3))
    y = np.sin(X[:, 0]) / X[:, 1] - np.exp(X[:, 2]) ** 2
    estimator = SymbolicRegressor(
        allowed_symbols=_SYMBOLS,
        objectives=["r2", "length"],
        population_size=200,
        generations=20,
        max_time=5,
        random_state=1,
    ).fit(X, y)
    columns = {key: index for index, key in enumerate(estimator.variables_)}
    kinds = set()
    for member in estimator.pareto_front_:
        expected = estimator.evaluate_model(member["tree"], X)
        found = to_expression(member["tree"].Nodes, columns).evaluate(X)
        np.testing.assert_allclose(
            found, expected, rtol=2e-4, atol=2e-4
        )  # Operon computes in single precision
        kinds |= {node.Type.name for node in member["tree"].Nodes}
    assert len(estimator.pareto_front_) > 3
    assert {"Variable", "Constant", "Add", "Mul"} <= kinds


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("Sub", ("sub", "C", "x0")), ("Div", ("div", "C", "x0")), ("Add", ("add", "C", "x0"))],
)
def test_the_operand_next_to_the_operator_is_the_first(kind, expected):
    from srbench_ext.methods.operon.method import to_expression

    dataset = operon.Dataset(np.asfortranarray(np.array([[2.0, 1.0], [4.0, 1.0]])))
    variable = min(dataset.Variables, key=lambda v: v.Index)
    leaf = operon.Node.Variable(1.0)
    leaf.HashValue = variable.Hash
    root = operon.Node(getattr(operon.NodeType, kind))
    tree = operon.Tree([leaf, operon.Node.Constant(8.0), root]).UpdateNodes()
    expression = to_expression(tree.Nodes, {variable.Hash: 0})
    assert expression.prefix == expected
    values = operon.Evaluate(operon.DispatchTable(), tree, dataset, operon.Range(0, 2))
    np.testing.assert_allclose(expression.evaluate(np.array([[2.0], [4.0]])), values)


def test_a_node_without_an_operator_is_refused():
    from srbench_ext.methods.operon.method import to_expression

    nodes = [operon.Node.Constant(8.0), operon.Node(operon.NodeType.Cbrt)]
    with pytest.raises(ExpressionError, match="Cbrt"):
        to_expression(nodes, {})


def test_an_easy_product_is_found():
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, size=(80, 2))
    y = X[:, 0] * X[:, 1]
    method = create("operon", max_seconds=10.0, n_generations=20, population_size=200).fit(X, y)
    assert method.score(X, y) > 1 - 1e-6
