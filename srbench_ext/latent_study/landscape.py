"""What a search meets in a space: whether it is drawn to the best, how rough the way is, what decodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from srbench_ext.corpus.families import FamilyTable
from srbench_ext.latent_study.neighbourhood import typical_distance
from srbench_ext.latent_study.ranks import autocorrelation, correlation
from srbench_ext.latent_study.spaces import Skeleton, Space
from srbench_ext.latent_study.values import Fits

__all__ = ["STEP", "landscape", "summarise_landscape"]

FloatArray = NDArray[np.float64]

STEP = 0.1
"""Length of a step of the random walk, in median distances of two encodings."""


def landscape(
    space: Space,
    tables: Sequence[FamilyTable],
    encodings: FloatArray,
    between: FloatArray,
    n_points: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return one row a table: the fitness of points around its encoding, and along a random walk.

    The fitness of a point is R² of its formula with the constants fitted to the table, at least 0; a point
    without a formula, or with one that is not finite on all rows, has 0 and is *dead*.

    Parameters
    ----------
    space : Space
        One that decodes.
    tables : sequence of FamilyTable
    encodings : ndarray of shape (R, L)
        Of these tables.
    between : ndarray of shape (S, L)
        Encodings of many tables: their deviation by dimension is that of the normal ball of points around
        each encoding, their median distance the unit of the walk.
    n_points : int
        Points of the ball, and steps of the walk.
    rng : numpy.random.Generator

    Returns
    -------
    pandas.DataFrame
        ``table``, ``encoded`` and ``best`` (fitness of the encoding, and the best in the ball), ``dead``
        (share), ``better`` (share of the ball that beats the encoding), ``distinct`` (formulas over points),
        ``fitness_distance`` (correlation of 1 - fitness and the distance to the best point, over the others
        but the encoding; a search wants it near 1), ``autocorrelation`` (of the walk's fitness at lag one).
    """
    deviation = between.std(axis=0)
    step = STEP * typical_distance(between)
    rows: list[dict[str, object]] = []
    for number, (table, centre) in enumerate(zip(tables, encodings, strict=True)):
        ball = np.vstack([centre, centre + deviation * rng.standard_normal((n_points, len(centre)))])
        turns = rng.standard_normal((n_points, len(centre)))
        turns *= step / np.linalg.norm(turns, axis=1, keepdims=True)
        walk = centre + np.cumsum(turns, axis=0)
        decoded = space.decode(np.vstack([ball, walk]), table.n_variables)
        fits = Fits((table.X, table.y))
        scores = [fits.r2(skeleton) for skeleton in decoded]
        rows.append(
            {
                "table": number,
                **_of_ball(ball, scores[: len(ball)], decoded[: len(ball)]),
                "autocorrelation": autocorrelation(_fitness(scores[len(ball) :])),
            }
        )
    return pd.DataFrame(rows)


def _fitness(scores: Sequence[float | None]) -> FloatArray:
    return np.array([0.0 if score is None else max(0.0, score) for score in scores])


def _of_ball(
    ball: FloatArray, scores: Sequence[float | None], decoded: Sequence[Skeleton | None]
) -> dict[str, object]:
    """Judge a ball whose first point is the encoding itself."""
    fitness = _fitness(scores)
    best = int(np.argmax(fitness))
    others = np.setdiff1d(np.arange(len(ball)), [0, best])
    far = np.linalg.norm(ball[others] - ball[best], axis=1)
    return {
        "encoded": float(fitness[0]),
        "best": float(fitness.max()),
        "dead": float(np.mean([score is None for score in scores[1:]])),
        "better": float(np.mean(fitness[1:] > fitness[0])),
        "distinct": len(set(decoded)) / len(decoded),
        "fitness_distance": correlation(1.0 - fitness[others], far),
    }


def summarise_landscape(rows: pd.DataFrame) -> dict[str, float | None]:
    """Return the means over the tables, where defined, and the walk's correlation length in steps.

    Beside each stand its standard error (``…_error``) and, of the two correlations, the number of tables
    where they are defined (``…_of``). The length is ``-1 / ln`` of the mean autocorrelation, None where that
    is not between 0 and 1.
    """
    means: dict[str, float | None] = {}
    for name in rows.columns.drop("table"):
        known = rows[name].dropna()
        values = known.astype(float).to_numpy()
        means[name] = float(values.mean()) if len(values) else None
        means[f"{name}_error"] = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
        if name in ("fitness_distance", "autocorrelation"):
            means[f"{name}_of"] = float(len(values))
    kept = means["autocorrelation"]
    means["walk_length"] = float(-1.0 / np.log(kept)) if kept is not None and 0.0 < kept < 1.0 else None
    return means
