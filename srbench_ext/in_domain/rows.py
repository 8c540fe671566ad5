"""The rows of the in-domain table on one problem: the same candidates, refined in different ways.

Rows one to four are those of Table 2 in Kamienny et al., *End-to-end symbolic regression with
transformers* (arXiv 2204.10532): one start, no coefficient in closed form, one cap of iterations. What
differs from the paper is the network and the optimiser (Levenberg-Marquardt in the place of BFGS).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srbench_ext.corpus.held_out import HeldOutExample
from srbench_ext.errors import InputError
from srbench_ext.expression import Expression, fit_constants
from srbench_ext.metrics import accuracy, r2
from srbench_ext.models.foundation import Foundation
from srbench_ext.models.precision import one_thread
from srbench_ext.models.proposals import Proposer, expression_of

__all__ = ["ROWS", "TOLERANCES", "Outcome", "Settings", "solve"]

FloatArray = NDArray[np.float64]

SKELETON = "skeleton + fit"
UNREFINED = "no refinement"
RANDOM = "random initialisation"
MODEL = "model initialisation"
FULL = "full fitter"
ROWS = (SKELETON, UNREFINED, RANDOM, MODEL, FULL)
"""The paper's four rows, in its order, and one with what this package fits constants with."""

TOLERANCES = (0.1, 0.01, 0.001)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the table is made with.

    Attributes
    ----------
    problems : int
        How many of the held-out set, the first ones.
    n_points, n_test_points : int
        Rows to fit on and to test on (the paper: 200 and 200).
    bag_size : int
        Rows that the network is shown, in one bag.
    samples : int
        Formulas sampled from the bag in each mode, at temperature 1 (the paper: 10).
    n_refined : int
        Distinct skeletons refined: the best fitting (the paper: 10), in skeleton mode the most likely.
    max_iterations : int
        Steps of a fit from one start, the same in all rows.
    full_starts : int
        Starts of the full fitter, which also finds scale and offset in closed form.
    max_tokens, max_constants : int
        Largest formula that may be written.
    seed : int
        Of the bag, the samples and the random starts.
    """

    problems: int = 1000
    n_points: int = 200
    n_test_points: int = 200
    bag_size: int = 200
    samples: int = 64
    n_refined: int = 10
    max_iterations: int = 30
    full_starts: int = 3
    max_tokens: int = 40
    max_constants: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = 0 if name in ("seed", "max_constants") else 1
            if value < least:
                raise InputError(
                    f"The {name!r} of an in-domain study must be an integer of at least {least}. "
                    f"Got {value!r} instead."
                )


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row's formula for one problem, scored on clean test points.

    Attributes
    ----------
    problem : int
        Its number in the held-out set.
    row : str
        A member of :data:`ROWS`.
    r2 : float or None
        None when there is no formula or it is not finite on every test point.
    accuracy : tuple of bool
        Whether 95% of the points are within each of :data:`TOLERANCES`.
    complexity : int or None
        Prefix tokens of the formula.
    n_variables : int
    noise : float
        Target noise of the points fitted on, over RMS(y).
    formula : str or None
    truth : str
    """

    problem: int
    row: str
    r2: float | None
    accuracy: tuple[bool, ...]
    complexity: int | None
    n_variables: int
    noise: float
    formula: str | None
    truth: str

    def flat(self) -> dict[str, Any]:
        """Return the fields as a line of a table, the accuracies by name."""
        line = asdict(self)
        accuracies = line.pop("accuracy")
        return line | {f"acc_{t:g}": hit for t, hit in zip(TOLERANCES, accuracies, strict=True)}


def solve(model: Foundation, example: HeldOutExample, number: int, settings: Settings) -> list[Outcome]:
    """Return the outcome of every row on one problem.

    Parameters
    ----------
    model : Foundation
        In evaluation mode.
    example : HeldOutExample
    number : int
        Of the problem; with the settings' seed it seeds the randomness.
    settings : Settings
    """
    rng = np.random.default_rng((settings.seed, number))
    with one_thread():
        chosen = _formulas(model, example, settings, rng)
    return [_outcome(example, number, row, chosen[row]) for row in ROWS]


def _formulas(
    model: Foundation, example: HeldOutExample, settings: Settings, rng: np.random.Generator
) -> dict[str, Expression | None]:
    """Return each row's formula: of its candidates the one with the least error on the points fitted on."""
    X, y = example.X, example.y
    proposer = Proposer(
        model,
        X,
        y,
        rng,
        n_bags=1,
        bag_size=settings.bag_size,
        max_tokens=settings.max_tokens,
        max_constants=settings.max_constants,
    )
    skeletons = _ranked_skeletons(model, proposer, settings)
    numeric = _ranked_numeric(model, proposer, X, y, settings)

    def fitted(starts: Sequence[Expression], *, full: bool = False) -> Expression | None:
        fits = [
            fit_constants(
                start,
                X,
                y,
                scale_and_offset=full,
                n_starts=settings.full_starts if full else 1,
                max_iterations=settings.max_iterations,
                rng=rng,
            )
            for start in starts
        ]
        best = min(fits, key=lambda fit: fit.loss, default=None)
        return best.expression if best is not None and np.isfinite(best.loss) else None

    return {
        SKELETON: fitted(_random_starts(skeletons, rng)),
        UNREFINED: numeric[0] if numeric else None,
        RANDOM: fitted(_random_starts(numeric, rng)),
        MODEL: fitted(numeric),
        FULL: fitted(numeric, full=True),
    }


def _ranked_skeletons(model: Foundation, proposer: Proposer, settings: Settings) -> list[Expression]:
    """Return the most likely distinct skeletons; without constants there is no fit to rank them by.

    The network writes skeletons without outer scale and offset. They get both here, as constants to fit
    like any other.
    """
    decoded = proposer.sample("<skeleton>", settings.samples)
    ranked = sorted(decoded, key=lambda d: -d.log_probability)
    found = [expression_of(model, d) for d in ranked][: settings.n_refined]
    return [
        Expression(("add", "C", "mul", "C", *e.prefix), (0.0, 1.0, *e.constants))
        for e in found
        if e is not None
    ]


def _ranked_numeric(
    model: Foundation, proposer: Proposer, X: FloatArray, y: FloatArray, settings: Settings
) -> list[Expression]:
    """Return the formulas that fit best as written, one of each skeleton."""
    found = [expression_of(model, d) for d in proposer.sample("<numeric>", settings.samples)]
    ranked = sorted((_mean_squared_error(e, X, y), i) for i, e in enumerate(found) if e is not None)
    distinct: dict[tuple[str, ...], Expression] = {}
    for error, i in ranked:
        expression = found[i]
        if expression is not None and np.isfinite(error):
            distinct.setdefault(expression.prefix, expression)
    return list(distinct.values())[: settings.n_refined]


def _random_starts(expressions: Sequence[Expression], rng: np.random.Generator) -> list[Expression]:
    """Replace the constants by standard normal ones, as the paper starts its skeletons."""
    return [e.with_constants(tuple(rng.normal(size=e.n_constants).tolist())) for e in expressions]


def _mean_squared_error(expression: Expression, X: FloatArray, y: FloatArray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.mean((expression.evaluate(X) - y) ** 2))


def _outcome(example: HeldOutExample, number: int, row: str, formula: Expression | None) -> Outcome:
    score, hits = None, (False,) * len(TOLERANCES)
    if formula is not None:
        predictions = formula.evaluate(example.X_test)
        if np.isfinite(predictions).all() and np.ptp(example.y_test) > 0:
            score = r2(example.y_test, predictions)
            hits = tuple(accuracy(example.y_test, predictions, t) for t in TOLERANCES)
    constants = tuple(token for token in example.formula if isinstance(token, float))
    prefix = tuple("C" if isinstance(token, float) else token for token in example.formula)
    return Outcome(
        number,
        row,
        score if score is not None and np.isfinite(score) else None,
        hits,
        formula.complexity if formula is not None else None,
        example.X.shape[1],
        example.noise,
        str(formula) if formula is not None else None,
        str(Expression(prefix, constants)),
    )
