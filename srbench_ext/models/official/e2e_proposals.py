"""Formulas that E2E's official network proposes for a table: whitening, bags, decoding, and back."""

from __future__ import annotations

import time
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from srbench_ext.errors import InputError
from srbench_ext.expression import Expression
from srbench_ext.expression.operators import CONSTANT, is_variable, variable_index
from srbench_ext.models.official.e2e import OfficialE2E
from srbench_ext.models.official.e2e_decoding import MAX_WORDS, beam_formulas, sample_formulas
from srbench_ext.models.official.e2e_words import MAX_COLUMNS, point_ids

__all__ = ["propose", "unwhiten"]

FloatArray = NDArray[np.float64]


def propose(
    model: OfficialE2E,
    X: FloatArray,
    y: FloatArray,
    rng: np.random.Generator,
    *,
    n_bags: int = 10,
    bag_size: int = 200,
    n_candidates: int = 10,
    decoding: Literal["sampling", "beam"] = "sampling",
    temperature: float = 0.1,
    max_words: int = MAX_WORDS,
    whiten: bool = True,
    deadline: float | None = None,
) -> list[Expression]:
    """Return the distinct formulas that the network proposes, constants included.

    The order of operations is the authors': columns to mean 0 and deviation 1 over all rows, the target as
    it is; bags of rows; for each bag the greedy sequence and ``n_candidates`` samples, or a beam. Ranking
    and refinement are the caller's.

    Parameters
    ----------
    model : OfficialE2E
        In evaluation mode, see :func:`~srbench_ext.models.official.importing.load_e2e`.
    X, y : ndarray of shape (n, d) and (n,)
        At most ten columns, everything finite and below 1e104.
    rng : numpy.random.Generator
        Draws the bags, without replacement, and the samples.
    n_bags, bag_size : int
        At most so many bags of at most so many rows (the authors' evaluation: 10 of 200).
    n_candidates : int
        Samples a bag, or the beam size.
    decoding : {"sampling", "beam"}
    temperature : float
        Of sampling.
    max_words : int
        Longest sequence.
    whiten : bool
        Whether the columns are whitened; if so a variable ``x`` of the network becomes ``b + a * x`` in the
        formulas returned: four more tokens each, which the paper's complexities count as well.
    deadline : float, optional
        A ``time.monotonic()`` after which what is unfinished is dropped.

    Returns
    -------
    list of Expression
        In the caller's columns and units, bag by bag.
    """
    if decoding not in ("sampling", "beam"):
        raise InputError(f"The decoding must be 'sampling' or 'beam'. Got {decoding!r} instead.")
    if not temperature > 0.0:
        raise InputError(f"The temperature must be a number above 0. Got {temperature!r} instead.")
    if X.ndim != 2 or not 0 < X.shape[1] <= MAX_COLUMNS:
        raise InputError(
            f"The official E2E network takes 1 to {MAX_COLUMNS} columns. Got X of shape {X.shape}. "
            "Keep the columns that are most correlated with the target."
        )
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    deviation = np.where(deviation > 0.0, deviation, 1.0)  # a constant column is only shifted
    seen = (X - mean) / deviation if whiten else X
    device = next(model.parameters()).device
    order = rng.permutation(len(y))
    found: list[Expression] = []
    for start in range(0, min(len(y), n_bags * bag_size), bag_size):
        if deadline is not None and time.monotonic() > deadline:
            break
        rows = order[start : start + bag_size]
        ids = torch.from_numpy(point_ids(seen[rows], y[rows])).to(device)
        if decoding == "sampling":
            found += sample_formulas(
                model, ids, X.shape[1], n_candidates, rng,
                temperature=temperature, max_words=max_words, deadline=deadline,
            )  # fmt: skip
        else:
            found += beam_formulas(
                model, ids, X.shape[1], n_candidates, max_words=max_words, deadline=deadline
            )
    distinct = list(dict.fromkeys(found))
    return [unwhiten(expression, mean, deviation) for expression in distinct] if whiten else distinct


def unwhiten(expression: Expression, mean: FloatArray, deviation: FloatArray) -> Expression:
    """Return a formula of whitened columns as one of the columns: ``x`` becomes ``-m/s + x/s``.

    Parameters
    ----------
    expression : Expression
    mean, deviation : ndarray of shape (d,)
        Of the columns; no deviation is zero.
    """
    prefix: list[str] = []
    constants: list[float] = []
    given = iter(expression.constants)
    for token in expression.prefix:
        if is_variable(token):
            j = variable_index(token)
            prefix += ["add", CONSTANT, "mul", CONSTANT, token]
            constants += [-float(mean[j] / deviation[j]), 1.0 / float(deviation[j])]
            continue
        prefix.append(token)
        if token == CONSTANT:
            constants.append(next(given))
    return Expression(tuple(prefix), tuple(constants))
