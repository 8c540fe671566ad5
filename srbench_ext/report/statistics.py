"""Tests and intervals on arrays: what a difference between two methods is worth.

Everything here takes one figure a problem, so that problems are the independent units; how runs become such
figures is :mod:`~srbench_ext.report.comparisons`'s business.

References
----------
McNemar, Psychometrika 12, 1947 (its exact form is the binomial test of the discordant pairs); Wilcoxon,
Biometrics Bulletin 1, 1945; Holm, Scandinavian Journal of Statistics 6, 1979; Friedman, JASA 32, 1937;
Demšar, JMLR 7, 2006 (critical difference); Connor, Biometrics 43, 1987 (power of McNemar's test).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

__all__ = [
    "LEVEL",
    "POWER",
    "RESAMPLES",
    "Friedman",
    "bootstrap_mean",
    "detectable_difference",
    "friedman",
    "holm",
    "mcnemar",
    "wilcoxon",
]

LEVEL = 0.05
"""Significance level of every test; intervals cover 1 - LEVEL."""

POWER = 0.8
"""Power at which a difference counts as detectable."""

RESAMPLES = 2000
"""Draws of a bootstrap."""

_BLOCK = 250  # resamples drawn at a time: bounds memory

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Friedman:
    """Friedman's test of several methods, and Nemenyi's critical difference of their mean ranks.

    Attributes
    ----------
    mean_ranks : ndarray of shape (n_methods,)
        1 is best.
    p : float
        Of the hypothesis that all methods rank alike.
    critical_difference : float
        Two methods differ at :data:`LEVEL` when their mean ranks differ by more.
    n_problems : int
        Blocks.
    """

    mean_ranks: FloatArray
    p: float
    critical_difference: float
    n_problems: int


def bootstrap_mean(
    values: Sequence[FloatArray], rng: np.random.Generator, *, lowest: float = 0.0, highest: float = 1.0
) -> tuple[float, float]:
    """Return a percentile interval of the mean over problems, resampling problems and then their trials.

    Parameters
    ----------
    values : sequence of ndarray
        The figures of each problem's trials, finite; problems weigh alike.
    rng : numpy.random.Generator
        Where the resamples come from.
    lowest, highest : float
        What a figure may be.

    Returns
    -------
    low, high : float
        NaN without problems. Where all figures are equal, resamples cannot differ; then a share of problems
        that none of n has shown (Clopper and Pearson, two-sided) may lie at either bound.
    """
    if not values:
        return math.nan, math.nan
    flat = np.concatenate(values)
    if np.all(flat == flat[0]):
        unseen, value = 1 - (LEVEL / 2) ** (1 / len(values)), float(flat[0])
        return value - unseen * (value - lowest), value + unseen * (highest - value)
    counts = np.array([len(trials) for trials in values])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    most = int(counts.max())
    means = np.empty(RESAMPLES)
    for begin in range(0, RESAMPLES, _BLOCK):
        size = min(_BLOCK, RESAMPLES - begin)
        problems = rng.integers(len(values), size=(size, len(values), 1))
        trials = (rng.random((size, len(values), most)) * counts[problems]).astype(np.int64)
        means[begin : begin + size] = flat[starts[problems] + trials].mean(axis=(1, 2))
    low, high = np.quantile(means, [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def mcnemar(hits_a: BoolArray, hits_b: BoolArray) -> float:
    """Return the two-sided p of McNemar's test, exact at every count; 1 where no problem tells them apart."""
    only_a = int(np.sum(hits_a & ~hits_b))
    only_b = int(np.sum(~hits_a & hits_b))
    if only_a + only_b == 0:
        return 1.0
    return float(stats.binomtest(only_a, only_a + only_b).pvalue)


def wilcoxon(differences: FloatArray) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test; ties are left out, infinities rank last.

    Parameters
    ----------
    differences : ndarray of shape (n_problems,)
        0 for a tie, also where both figures are infinite; not NaN.
    """
    nonzero = differences[differences != 0]
    if nonzero.size == 0:
        return 1.0
    # ranks, which the test would form itself, cannot overflow and put all infinities on one rank
    ranks = np.sign(nonzero) * stats.rankdata(np.abs(nonzero))
    return float(stats.wilcoxon(ranks).pvalue)


def holm(p_values: FloatArray) -> FloatArray:
    """Return Holm's adjusted p values of a family of tests, in the order given; NaN stays outside."""
    adjusted = np.full(len(p_values), np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted


def detectable_difference(n_problems: int, discordant: float) -> float:
    """Return the smallest difference of two rates that McNemar's test would detect with :data:`POWER`.

    Parameters
    ----------
    n_problems : int
        Pairs.
    discordant : float
        Share of problems that one of the two solves and the other does not.

    Returns
    -------
    float
        A difference of rates in (0, 1]; NaN where not even 1 would be detected. For one comparison,
        uncorrected for others. The normal approximation of Connor (1987); never below what the exact test
        needs, six problems all won by one side.
    """
    fewest = math.ceil(1 - math.log2(LEVEL))  # discordant pairs, all one way, with p = 2 * 0.5**k < LEVEL
    if n_problems < fewest:
        return math.nan
    alpha, beta = stats.norm.ppf(1 - LEVEL / 2), stats.norm.ppf(POWER)

    def excess(difference: float) -> float:
        share = max(discordant, difference)
        needed = alpha * math.sqrt(share) + beta * math.sqrt(max(share - difference**2, 0.0))
        return float(difference * math.sqrt(n_problems) - needed)

    if excess(1.0) < 0:
        return math.nan
    found = float(optimize.brentq(excess, 1e-9, 1.0))
    return max(found, fewest / n_problems)


def friedman(losses: FloatArray) -> Friedman | None:
    """Rank methods by loss on every problem and test whether they rank alike.

    Parameters
    ----------
    losses : ndarray of shape (n_problems, n_methods)
        Smaller is better, infinite for a failure; equal losses share a rank.

    Returns
    -------
    Friedman or None
        None for fewer than three methods or two problems.
    """
    n_problems, n_methods = losses.shape
    if n_methods < 3 or n_problems < 2:
        return None
    ranks = stats.rankdata(losses, axis=1)
    mean_ranks = ranks.mean(axis=0)
    tied = np.all(ranks == ranks[:, :1])  # every problem is a tie of all, which the test divides by
    p = 1.0 if tied else float(stats.friedmanchisquare(*ranks.T).pvalue)
    spread = stats.studentized_range.ppf(1 - LEVEL, n_methods, np.inf) / math.sqrt(2)
    critical = float(spread * math.sqrt(n_methods * (n_methods + 1) / (6 * n_problems)))
    return Friedman(mean_ranks, p, critical, n_problems)
