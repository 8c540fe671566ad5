"""The in-domain set: synthetic problems that training never draws, each with clean test points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count as numbers

import numpy as np
from numpy.typing import NDArray

from srbench_ext.corpus.audit import Audit, audit_key
from srbench_ext.corpus.mixture import Mixture, load_mixture
from srbench_ext.corpus.normal import skeleton_of
from srbench_ext.corpus.stream import Corpus, Example
from srbench_ext.corpus.truths import benchmark_audit
from srbench_ext.errors import InputError
from srbench_ext.expression import compile_prefix

__all__ = ["HELD_OUT_SEED", "HeldOutExample", "held_out"]

FloatArray = NDArray[np.float64]

HELD_OUT_SEED = 990_002
"""First entry of every seed of the set. Training starts its seeds with a small number, validation
with 990,001; numpy's seed sequences of different entries are independent."""

_BLOCK = 256  # problems drawn from one seed, so that a longer set starts with the shorter one


@dataclass(frozen=True, slots=True)
class HeldOutExample(Example):
    """A synthetic problem with points to test on.

    Attributes
    ----------
    X_test : ndarray of shape (n_test_points, n_variables)
        Points of the same draw as ``X``: same family, same ranges or clusters.
    y_test : ndarray of shape (n_test_points,)
        Values of the formula there, without noise.
    """

    X_test: FloatArray
    y_test: FloatArray


def held_out(
    count: int,
    n_points: int,
    *,
    n_test_points: int = 200,
    mixture: Mixture | None = None,
    audit: Audit | None = None,
) -> list[HeldOutExample]:
    """Return the first problems of the held-out in-domain set.

    The set is fixed: a longer one starts with the shorter one of the same points, mixture and audit.
    No two of its problems are the same law, names of variables, constants and signs apart. A law may
    well occur in training, with other constants and points, as it may in E2E's in-domain test
    (arXiv 2204.10532, section 4.1).

    Parameters
    ----------
    count : int
        How many problems.
    n_points : int
        Rows to fit on; a quarter of the problems has target noise there.
    n_test_points : int, default 200
        Rows to test on.
    mixture : Mixture, optional
        The shared one by default.
    audit : Audit, optional
        The benchmark truths by default, as in training. Its counts are left as they were.

    Raises
    ------
    InputError
        If a number of rows is below 1 or ``count`` is negative.
    """
    if count < 0 or min(n_points, n_test_points) < 1:
        raise InputError(
            "A held-out set needs at least 0 problems and 1 row each to fit and to test on. "
            f"Got count={count}, n_points={n_points}, n_test_points={n_test_points}; give larger numbers."
        )
    audit = benchmark_audit() if audit is None else audit
    corpus = Corpus(load_mixture() if mixture is None else mixture, audit)
    hits, refused = audit.hits.copy(), audit.refused.copy()
    found: dict[str, HeldOutExample] = {}
    for example, rng in _drawn(corpus, n_points + n_test_points):
        if len(found) >= count:
            break
        key = audit_key(example.skeleton)
        if key not in found:
            found[key] = _split(example, rng, n_points)
    audit.hits, audit.refused = hits, refused
    return list(found.values())


def _drawn(corpus: Corpus, n_points: int) -> Iterator[tuple[Example, np.random.Generator]]:
    """Yield examples without end, each with its own randomness for what is still to be drawn."""
    for block in numbers():
        examples = corpus.examples((HELD_OUT_SEED, block), _BLOCK, n_points)
        for i, example in enumerate(examples):
            yield example, np.random.default_rng((HELD_OUT_SEED, block, i + 1))


def _split(example: Example, rng: np.random.Generator, n_points: int) -> HeldOutExample:
    """Part the rows at random; targets are computed anew, with noise on the first part only."""
    X = example.X[rng.permutation(len(example.X))]
    constants = [token for token in example.formula if isinstance(token, float)]
    y = compile_prefix(skeleton_of(example.formula)).evaluate(X, constants)
    X, X_test, y, y_test = X[:n_points], X[n_points:], y[:n_points], y[n_points:]
    if example.noise:
        y = y + example.noise * np.sqrt(np.mean(y**2)) * rng.standard_normal(n_points)
    return HeldOutExample(X, y, example.formula, example.skeleton, example.noise, X_test, y_test)
