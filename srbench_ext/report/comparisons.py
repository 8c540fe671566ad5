"""Paired comparisons of all methods of a table, and what they say in words.

Two methods are compared on the problems that both were planned for, whatever became of the runs. A problem is
one pair: with several trials it counts by their median, so that repetitions do not pass for evidence. Three
measures: ``R²>0.99`` and ``recovered`` (SRBench's verdict) by McNemar's exact test, ``NMSE`` by Wilcoxon's
signed ranks. By the project's definition a method is *ahead* when its p is below 0.05, and *not behind* when
the other is not ahead; over all pairs of a table p is corrected after Holm, and only then called established.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from srbench_ext.report.failures import FailureRule, apply_rule
from srbench_ext.report.statistics import (
    LEVEL,
    Friedman,
    bootstrap_mean,
    detectable_difference,
    friedman,
    holm,
    mcnemar,
    wilcoxon,
)

__all__ = ["COMPARISON_COLUMNS", "NMSE_FLOOR", "RankTest", "compare", "rank_methods"]

COMPARISON_COLUMNS = (
    "measure",
    "test",
    "a",
    "b",
    "problems",
    "value_a",
    "value_b",
    "difference",
    "difference_low",
    "difference_high",
    "wins",
    "ties",
    "losses",
    "p",
    "p_holm",
    "ahead",
    "established",
    "detectable",
)
"""The columns of :func:`compare`."""

NMSE_FLOOR = 1e-12
"""Smaller errors are rounding of the target, and tie."""

_DIRECTION = "direction"  # above 0: a is better by what the test sums
_PAIR = ["problem", "source_kind"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RankTest:
    """The ranks of methods by test NMSE on the problems that all were planned for."""

    methods: tuple[str, ...]
    losses: FloatArray  # (n_problems, n_methods)
    result: Friedman


def compare(runs: pd.DataFrame, failures: FailureRule, rng: np.random.Generator) -> pd.DataFrame:
    """Compare every pair of methods of one table.

    Parameters
    ----------
    runs : pandas.DataFrame
        The runs of one protocol, suite and noise, as :func:`srbench_ext.report.load_records` returns them.
    failures : {"miss", "drop", "worst-rank"}
        How failed runs are scored; ``drop`` leaves out the problems where one of the two failed.
    rng : numpy.random.Generator
        For the bootstrap of the differences.

    Returns
    -------
    pandas.DataFrame
        One row a measure and pair with :data:`COMPARISON_COLUMNS`. ``difference`` is that of the rates, a
        minus b, with its bootstrap interval; for NMSE the median of log10(NMSE of a / NMSE of b), infinite
        where failures are in the middle, without an interval. ``wins`` are problems where ``a`` is better.
        ``ahead`` is ``a``, ``b`` or empty by ``p``, ``established`` by ``p_holm`` (of all pairs of the
        measure). ``detectable`` is the least difference of rates that would be detected with 80% power.
    """
    scored = apply_rule(runs, failures)
    methods = sorted(runs["method"].unique())
    measures = ["R²>0.99", *(["recovered"] if runs["has_truth"].any() else []), "NMSE"]
    rows = []
    for measure in measures:
        figures = _by_problem(scored, measure)
        for a, b in itertools.combinations(methods, 2):
            pairs = _shared(scored, figures, a, b)
            rows.append(_rated(measure, a, b, pairs, rng) if measure != "NMSE" else _ranked(a, b, pairs))
    table = pd.DataFrame(rows, columns=[*COMPARISON_COLUMNS, _DIRECTION])
    for _, family in table.groupby("measure", sort=False):
        table.loc[family.index, "p_holm"] = holm(family["p"].to_numpy(np.float64))
    table["ahead"] = _winner(table, "p")
    table["established"] = _winner(table, "p_holm")
    return table[list(COMPARISON_COLUMNS)]


def rank_methods(runs: pd.DataFrame, failures: FailureRule) -> RankTest | None:
    """Rank the methods of one table by test NMSE; None for fewer than three methods or two shared problems.

    Methods that share no problem with the others cannot be ranked; then nothing is.
    """
    figures = _by_problem(apply_rule(runs, failures), "NMSE")
    wide = figures.unstack("method").dropna()
    losses = wide.to_numpy(np.float64)
    result = friedman(losses) if wide.shape[1] == runs["method"].nunique() else None
    return None if result is None else RankTest(tuple(wide.columns), losses, result)


def _by_problem(scored: pd.DataFrame, measure: str) -> pd.Series:
    """Return one figure a method and problem: the median of its trials, for a rate whether most hit."""
    if measure == "NMSE":
        values = scored["nmse_test"].where(scored["nmse_test"] > NMSE_FLOOR, 0.0)
    elif measure == "recovered":
        values = (scored["recovered_srbench"].eq(True) & scored["ok"]).astype(np.float64)
    else:
        values = (scored["r2_test"] > 0.99).astype(np.float64)
    by_problem = values.groupby([scored[name] for name in ["method", *_PAIR]])
    return by_problem.median() if measure == "NMSE" else (by_problem.mean() > 0.5).astype(np.float64)


def _shared(scored: pd.DataFrame, figures: pd.Series, a: str, b: str) -> FloatArray:
    """Return the figures of two methods on the problems of both, (n, 2)."""
    present = set(scored["method"])
    if not {a, b} <= present:
        return np.empty((0, 2))  # all runs of one of them were dropped
    shared: FloatArray = pd.concat([figures[a], figures[b]], axis=1, join="inner").to_numpy(np.float64)
    return shared


def _rated(measure: str, a: str, b: str, pairs: FloatArray, rng: np.random.Generator) -> dict[str, object]:
    hits = pairs > 0.5
    wins, losses = int(np.sum(hits[:, 0] & ~hits[:, 1])), int(np.sum(~hits[:, 0] & hits[:, 1]))
    n = len(pairs)
    low, high = bootstrap_mean(list(pairs[:, :1] - pairs[:, 1:]), rng, lowest=-1.0)
    values = pairs.mean(axis=0) if n else np.full(2, np.nan)
    return {
        "measure": measure,
        "test": "McNemar",
        "a": a,
        "b": b,
        "problems": n,
        "value_a": values[0],
        "value_b": values[1],
        "difference": values[0] - values[1],
        "difference_low": low,
        "difference_high": high,
        "wins": wins,
        "ties": n - wins - losses,
        "losses": losses,
        "p": mcnemar(hits[:, 0], hits[:, 1]) if n else np.nan,
        "detectable": detectable_difference(n, (wins + losses) / n) if n else np.nan,
        _DIRECTION: wins - losses,
    }


def _ranked(a: str, b: str, pairs: FloatArray) -> dict[str, object]:
    same = pairs[:, 0] == pairs[:, 1]
    with np.errstate(invalid="ignore"):  # infinity less infinity, which `same` knows
        differences = np.where(same, 0.0, pairs[:, 0] - pairs[:, 1])
    wins, losses = int(np.sum(differences < 0)), int(np.sum(differences > 0))
    known = len(pairs) > 0
    floored = np.log10(np.maximum(pairs, NMSE_FLOOR))
    with np.errstate(invalid="ignore"):
        ratios = np.where(same, 0.0, floored[:, 0] - floored[:, 1])
    return {
        "measure": "NMSE",
        "test": "Wilcoxon",
        "a": a,
        "b": b,
        "problems": len(pairs),
        "value_a": float(np.median(pairs[:, 0])) if known else np.nan,
        "value_b": float(np.median(pairs[:, 1])) if known else np.nan,
        "difference": _median(ratios) if known else np.nan,
        "difference_low": np.nan,
        "difference_high": np.nan,
        "wins": wins,
        "ties": len(pairs) - wins - losses,
        "losses": losses,
        "p": wilcoxon(differences) if known else np.nan,
        "detectable": np.nan,
        _DIRECTION: -float(np.sum(np.sign(differences) * stats.rankdata(np.abs(differences)))),
    }


def _median(values: FloatArray) -> float:
    """Return the upper of the two middle values, because minus and plus infinity have no mean."""
    return float(np.sort(values)[len(values) // 2])


def _winner(table: pd.DataFrame, column: str) -> list[str]:
    """Name the better one of each pair where the p of this column establishes it, otherwise nobody."""
    return [
        (row["a"] if row[_DIRECTION] > 0 else row["b"]) if row[column] < LEVEL else ""
        for row in table.to_dict("records")
    ]
