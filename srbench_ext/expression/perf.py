"""How fast formulas are evaluated, fitted and told apart, side by side with other ways of doing it.

``python -m srbench_ext.expression.perf --into README.md`` measures everything in one run on one thread,
prints one table and puts it between the markers of a text; times are CPU times, so that other work on the
machine disturbs them little. A fit is one start at ones and at most 30 iterations for everyone, of one
formula with its own constants on 200 rows, and nobody's caches are warm. The 300 formulas in
``perf_formulas.csv``, 60 with each of 1 to 5 constants, were drawn once from the corpus, with the box of
their rows.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from srbench_ext.expression.canonical import canonical_key
from srbench_ext.expression.constants import fit_constants, warm_up
from srbench_ext.expression.core import Expression, check_prefix
from srbench_ext.expression.evaluation import evaluate
from srbench_ext.expression.formatting import format_infix
from srbench_ext.expression.operators import CONSTANT, OPERATORS, PI, is_variable, variable_index
from srbench_ext.expression.parsing import parse_prefix
from srbench_ext.expression.perf_table import Row, insert_table, table
from srbench_ext.expression.plan import fit_plan
from srbench_ext.expression.program import FloatArray, _compile, as_columns, compile_prefix

__all__ = ["Problem", "main", "measure", "problems"]

_ROWS = 200
_LONG_ROWS = 10_000
_LONG_NODES = 30
_ITERATIONS = 30
_FOUND = 1e-9  # largest 1 - R² that counts as the true constants
_PASSES = 3

Function = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One formula with data: ``truth``, a table ``X`` (n, d) and its values ``y`` (n,)."""

    truth: Expression
    X: FloatArray
    y: FloatArray


def problems(n_rows: int = _ROWS) -> list[Problem]:
    """Return the 300 formulas on rows drawn uniformly from their boxes, always the same ones."""
    text = resources.files("srbench_ext.expression").joinpath("perf_formulas.csv").read_text("utf8")
    rng = np.random.default_rng(0)
    found = []
    for row in csv.DictReader(text.splitlines()):
        low, high = (np.array(row[key].split(), dtype=np.float64) for key in ("lows", "highs"))
        X = rng.uniform(low, high, (n_rows, len(low)))
        truth = parse_prefix(row["formula"])
        found.append(Problem(truth, X, evaluate(truth, X)))
    return found


def measure(count: int = 300) -> list[Row]:
    """Measure everything on the first ``count`` formulas and return the lines of the table."""
    warm_up()
    chosen = problems()[:count]
    return [*_fits(chosen), _evaluation(chosen), _keys(chosen)]


def _fits(chosen: Sequence[Problem]) -> Iterator[Row]:
    speed, share = _median([_timed_pass(chosen, _fit_ours) for _ in range(_PASSES)])
    others = {
        "scipy BFGS, numpy lambda": (_timed_pass(chosen, _fit_bfgs), 30.0),
        "scipy least_squares, LM": (_timed_pass(chosen, _fit_least_squares), 8.0),
        "pyoperon LM, as shipped": (_median([_operon_pass(chosen) for _ in range(_PASSES)]), 1.0),
    }
    for name, ((other, _), target) in others.items():
        yield Row("fits a second", name, f"{speed:,.0f}", f"{other:,.0f}", speed / other, target)
    yield Row("fits a second", "absolute", f"{speed:,.0f}", "", speed, 2000.0)
    for name, ((_, other), _) in others.items():
        yield Row("true constants found", name, f"{share:.1%}", f"{other:.1%}", share / max(other, 1e-9), 1.0)


def _median(passes: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the pass of median speed; a short one alone is at the mercy of what else runs."""
    return sorted(passes)[len(passes) // 2]


def _timed_pass(chosen: Sequence[Problem], fit: Callable[[Problem], Any]) -> tuple[float, float]:
    """Return fits a second of CPU time and the share found; ``fit`` returns seconds and the formula."""
    for cache in (_compile, fit_plan, check_prefix):
        cache.cache_clear()
    spent, found = 0.0, 0
    for problem in chosen:
        seconds, fitted = fit(problem)
        spent += seconds
        found += _is_found(problem, fitted)
    return len(chosen) / spent, found / len(chosen)


def _is_found(problem: Problem, fitted: Expression | None) -> bool:
    if fitted is None:
        return False
    with np.errstate(all="ignore"):
        error = np.sum((evaluate(fitted, problem.X) - problem.y) ** 2)
        return bool(error <= _FOUND * np.sum((problem.y - problem.y.mean()) ** 2))


def _fit_ours(problem: Problem) -> tuple[float, Expression]:
    begin = time.process_time()
    fit = fit_constants(problem.truth.prefix, problem.X, problem.y, n_starts=1, max_iterations=_ITERATIONS)
    return time.process_time() - begin, fit.expression


def _residuals(problem: Problem) -> tuple[Function, Callable[[FloatArray], FloatArray]]:
    """Return the formula as a numpy function and its residuals over the spread of y."""
    function = numpy_function(problem.truth.prefix)
    spread = problem.y.std()

    def residuals(c: FloatArray) -> FloatArray:
        r = (function(problem.X.T, c) - problem.y) / spread
        return r if np.isfinite(r).all() else np.full(len(r), 1e6)

    return function, residuals


def _fit_bfgs(problem: Problem) -> tuple[float, Expression | None]:
    from scipy.optimize import minimize

    _, residuals = _residuals(problem)

    def loss(c: FloatArray) -> float:
        return float(np.mean(residuals(c) ** 2))

    with np.errstate(all="ignore"):
        begin = time.process_time()
        result = minimize(
            loss, np.ones(problem.truth.n_constants), method="BFGS", options={"maxiter": _ITERATIONS}
        )
        seconds = time.process_time() - begin
    return seconds, _with(problem.truth, result.x)


def _fit_least_squares(problem: Problem) -> tuple[float, Expression | None]:
    from scipy.optimize import least_squares

    _, residuals = _residuals(problem)
    k = problem.truth.n_constants
    with np.errstate(all="ignore"):
        begin = time.process_time()
        result = least_squares(residuals, np.ones(k), method="lm", max_nfev=_ITERATIONS * (k + 1))
        seconds = time.process_time() - begin
    return seconds, _with(problem.truth, result.x)


def _with(truth: Expression, constants: Iterable[float]) -> Expression | None:
    values = tuple(constants)
    return truth.with_constants(values) if np.isfinite(values).all() else None


def numpy_function(prefix: Sequence[str]) -> Function:
    """Return the formula as one numpy expression of columns (d, n) and constants (k,)."""
    stack: list[str] = []
    seen = list(prefix).count(CONSTANT)
    for token in reversed(prefix):
        if token in OPERATORS:
            operands = [stack.pop() for _ in range(OPERATORS[token].arity)]
            stack.append(_NUMPY[token].format(*operands))
        elif token == CONSTANT:
            seen -= 1
            stack.append(f"c[{seen}]")
        elif is_variable(token):
            stack.append(f"X[{variable_index(token)}]")
        else:
            stack.append("np.pi" if token == PI else f"{token}.0")
    function: Function = eval(f"lambda X, c: {stack[0]} + 0.0 * X[0]", {"np": np})
    return function


_NUMPY = {name: f"np.{name}({{0}})" for name in OPERATORS} | {
    "add": "({0} + {1})",
    "sub": "({0} - {1})",
    "mul": "({0} * {1})",
    "div": "({0} / {1})",
    "pow": "({0} ** {1})",
    "max": "np.maximum({0}, {1})",
    "min": "np.minimum({0}, {1})",
    "neg": "(-{0})",
    "inv": "(1.0 / {0})",
    "pow2": "np.square({0})",
    "pow3": "({0} ** 3)",
    "asin": "np.arcsin({0})",
    "acos": "np.arccos({0})",
    "atan": "np.arctan({0})",
}


def _operon_pass(chosen: Sequence[Problem]) -> tuple[float, float]:
    """Run pyoperon in children, since it may take the process with it; a formula it dies on is not found."""
    answers: list[Any] = []
    while len(answers) < len(chosen):
        command = [sys.executable, "-m", __spec__.name, "--operon", str(len(answers)), str(len(chosen))]
        child = subprocess.run(command, capture_output=True, text=True, check=False)
        answers += [json.loads(line) for line in child.stdout.splitlines()]
        if len(answers) < len(chosen):
            answers.append(None)
    done = [(p, a) for p, a in zip(chosen, answers, strict=True) if a is not None]
    found = sum(_is_found(p, _with(p.truth, a["constants"])) for p, a in done)
    return len(done) / sum(a["seconds"] for _, a in done), found / len(chosen)


def _operon_child(begin: int, end: int) -> None:
    """Print one line a formula; a formula without an Operon form is fitted by nobody and found by nobody."""
    import pyoperon

    table, random = pyoperon.DispatchTable(), pyoperon.RandomGenerator(1)
    for problem in problems()[begin:end]:
        data = pyoperon.Dataset(np.asfortranarray(np.column_stack([problem.X, problem.y])))
        variables = list(data.Variables)
        task = pyoperon.Problem(data)
        task.Target = variables[-1]
        task.TrainingRange = task.TestRange = pyoperon.Range(0, len(problem.y))
        tree, places = _operon_tree(problem.truth.prefix, [v.Hash for v in variables])
        begin_time = time.process_time()
        optimizer = pyoperon.LMOptimizer(table, task, _ITERATIONS)
        fitted, _ = pyoperon.CoefficientOptimizer(optimizer)(random, tree)
        seconds = time.process_time() - begin_time
        values = [float(fitted.Nodes[place].Value) for place in places]
        print(json.dumps({"seconds": seconds, "constants": values}), flush=True)


def _operon_tree(prefix: Sequence[str], hashes: Sequence[int]) -> tuple[Any, list[int]]:
    """Return the tree and the node of each constant; only the constants are free."""
    import pyoperon

    stack: list[list[Any]] = []  # nodes in postfix order, the first operand right before its operator
    seen = list(prefix).count(CONSTANT)
    for token in reversed(prefix):
        if token in OPERATORS:
            stack.append(_operon_operator(token, [stack.pop() for _ in range(OPERATORS[token].arity)]))
        elif token == CONSTANT:
            seen -= 1
            stack.append([_operon_number(1.0, free=True), seen])
        elif is_variable(token):
            node = pyoperon.Node(pyoperon.NodeType.Variable, hashes[variable_index(token)])
            node.Value, node.Optimize = 1.0, False
            stack.append([node])
        else:
            stack.append([_operon_number(np.pi if token == PI else float(token))])
    marks = stack[0]
    nodes = [node for node in marks if not isinstance(node, int)]
    places = {
        mark: sum(not isinstance(n, int) for n in marks[:i]) - 1
        for i, mark in enumerate(marks)
        if isinstance(mark, int)
    }
    return pyoperon.Tree(nodes).UpdateNodes(), [places[i] for i in range(len(places))]


def _operon_number(value: float, free: bool = False) -> Any:
    import pyoperon

    node = pyoperon.Node(pyoperon.NodeType.Constant)
    node.Value, node.Optimize = value, free
    return node


def _operon_operator(token: str, operands: list[list[Any]]) -> list[Any]:
    """Return postfix nodes; a constant's node is followed by its number."""
    import pyoperon

    if token in ("neg", "inv", "pow3"):
        first = [_operon_number({"neg": -1.0, "inv": 1.0, "pow3": 3.0}[token])]
        operands = [*operands, first] if token == "pow3" else [first, *operands]
    name = {"pow2": "Square", "pow3": "Pow", "neg": "Mul", "inv": "Div", "max": "Fmax", "min": "Fmin"}.get(
        token
    )
    operator = pyoperon.Node(getattr(pyoperon.NodeType, name or token.capitalize()))
    return [*(node for operand in reversed(operands) for node in operand), operator]


def _evaluation(chosen: Sequence[Problem]) -> Row:
    """Evaluate sums of two formulas, 30 nodes in all, on 10,000 rows."""
    rng = np.random.default_rng(1)
    ours = theirs = 0.0
    used = 0
    by_length: dict[int, list[Expression]] = {}
    for p in chosen:
        by_length.setdefault(p.truth.complexity, []).append(p.truth)
    for p in chosen:
        mates = by_length.get(_LONG_NODES - 1 - p.truth.complexity, [])
        if not mates:
            continue
        mate = mates[int(rng.integers(len(mates)))]
        prefix = ("add", *p.truth.prefix, *mate.prefix)
        constants = np.array([*p.truth.constants, *mate.constants])
        X = rng.uniform(0.5, 2.0, (_LONG_ROWS, max(check_prefix(prefix)[1]) + 1))
        columns, program, function = as_columns(X), compile_prefix(prefix), numpy_function(prefix)
        with np.errstate(all="ignore"):
            ours += _seconds(lambda: program.evaluate_columns(columns, constants))  # noqa: B023 - run at once
            theirs += _seconds(lambda: function(columns, constants))  # noqa: B023
        used += 1
    return Row(
        f"evaluation, {_LONG_ROWS:,} rows, {_LONG_NODES} nodes",
        "numpy, node by node",
        f"{ours / used * 1e6:.0f} µs",
        f"{theirs / used * 1e6:.0f} µs",
        theirs / ours,
        2.0,
    )


def _keys(chosen: Sequence[Problem]) -> Row:
    """Keys of all formulas, against sympy's on the first 60."""
    import sympy

    texts = [format_infix(p.truth) for p in chosen[:60]]
    begin = time.process_time()
    for text in texts:
        sympy.srepr(sympy.sympify(text))
    theirs = (time.process_time() - begin) / len(texts)
    canonical_key(("x0",))
    check_prefix.cache_clear()
    begin = time.process_time()
    for _ in range(20):
        for p in chosen[:60]:
            canonical_key(p.truth.prefix)
    ours = (time.process_time() - begin) / len(texts) / 20
    return Row(
        "canonical hash",
        "sympy.sympify and srepr",
        f"{ours * 1e6:.1f} µs",
        f"{theirs * 1e6:,.0f} µs",
        theirs / ours,
        200.0,
    )


def _seconds(call: Callable[[], Any], repeats: int = 20) -> float:
    """Return the least CPU time of a call over some repeats, each long enough for the clock."""
    call()
    best = np.inf
    for _ in range(3):
        begin = time.process_time()
        for _ in range(repeats):
            call()
        best = min(best, (time.process_time() - begin) / repeats)
    return float(best)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and, where asked, write the table; InputError, before, for a text without markers."""
    parser = argparse.ArgumentParser(prog="python -m srbench_ext.expression.perf", description=__doc__)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument(
        "--into",
        type=Path,
        action="append",
        default=[],
        help="text with the markers of the table; repeatable",
    )
    parser.add_argument("--count", type=int, default=300, help="how many of the 300 formulas")
    parser.add_argument("--operon", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.operon:
        _operon_child(*options.operon)
        return
    for path in options.into:
        insert_table(path.read_text("utf8"), "")  # a fault shows before the minutes of measuring
    text = table(measure(options.count))
    print(text, end="")
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    for path in options.into:
        path.write_text(insert_table(path.read_text("utf8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
