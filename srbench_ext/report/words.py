"""What the paired comparisons of a table say, in sentences that stand under it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from srbench_ext.report.comparisons import RankTest
from srbench_ext.report.statistics import LEVEL

__all__ = ["comparisons_in_words", "p_in_words", "ranks_in_words"]


def p_in_words(p: float) -> str:
    """Write a p value as journals do.

    Examples
    --------
    >>> p_in_words(0.0004), p_in_words(0.0034), p_in_words(0.21), p_in_words(1.0)
    ('p < .001', 'p = .003', 'p = .21', 'p = 1')
    """
    if p < 0.001:
        return "p < .001"
    text = f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
    return f"p = {text.lstrip('0')}" if p < 0.995 else "p = 1"


def comparisons_in_words(comparisons: pd.DataFrame) -> tuple[str, ...]:
    """Write one sentence or two a measure: who is ahead of whom, and what is not established.

    Parameters
    ----------
    comparisons : pandas.DataFrame
        As :func:`~srbench_ext.report.comparisons.compare` returns it.

    Returns
    -------
    tuple of str
        Nothing for a single method. With two methods their difference; with more the best one by the
        measure against each of the others. Pairs that share no problem are left out.
    """
    notes = []
    for measure, family in comparisons[comparisons["problems"] > 0].groupby("measure", sort=False):
        told = _one_pair(family) if len(family) == 1 else _best_against_the_others(str(measure), family)
        notes.append(told + _detectable(family))
    return tuple(notes)


def ranks_in_words(ranks: RankTest) -> str:
    """Say what Friedman's test finds, with mean ranks and the critical difference."""
    listed = ", ".join(
        f"{ranks.methods[i]} {ranks.result.mean_ranks[i]:.2f}" for i in np.argsort(ranks.result.mean_ranks)
    )
    differ = "differ" if ranks.result.p < LEVEL else "are not shown to differ"
    return (
        f"Mean ranks of NMSE over {ranks.result.n_problems} problems {differ} "
        f"(Friedman {p_in_words(ranks.result.p)}): {listed}; two methods differ by more than "
        f"{ranks.result.critical_difference:.2f} (Nemenyi, {LEVEL:g})."
    )


def _one_pair(family: pd.DataFrame) -> str:
    row = family.iloc[0]
    how = f"({row['test']} {p_in_words(row['p_holm'])})"
    where = f"{row['measure']}: at these {row['problems']} problems"
    if row["established"]:
        other = row["b"] if row["established"] == row["a"] else row["a"]
        return f"{where} {row['established']} is ahead of {other} {how}."
    return f"{where} a difference between {row['a']} and {row['b']} is not established {how}."


def _best_against_the_others(measure: str, family: pd.DataFrame) -> str:
    best = _best(family)
    against = family[(family["a"] == best) | (family["b"] == best)].sort_values("p_holm", kind="stable")
    ahead: list[str] = []
    behind: list[str] = []
    open_: list[str] = []
    for row in against.to_dict("records"):
        other = row["b"] if row["a"] == best else row["a"]
        listed = open_ if not row["established"] else ahead if row["established"] == best else behind
        listed.append(f"{other} ({p_in_words(row['p_holm'])})")
    told = [f"{best} is ahead of {', '.join(ahead)}"] if ahead else []
    told += [f"{best} is behind {', '.join(behind)}"] if behind else []
    told += [f"a difference between {best} and {', '.join(open_)} is not established"] if open_ else []
    n = sorted(set(against["problems"]))
    problems = f"{n[0]} problems" if len(n) == 1 else f"{n[0]} to {n[-1]} problems, those of both,"
    return (
        f"{measure}: at these {problems} {'; '.join(told)} ({family['test'].iloc[0]}, Holm over "
        f"{len(family)} pairs, of which {int((family['established'] != '').sum())} differ)."
    )


def _best(family: pd.DataFrame) -> str:
    """Return the method that wins most over the others, problems counted over all pairs."""
    margin: dict[str, int] = {}
    for row in family.to_dict("records"):
        margin[row["a"]] = margin.get(row["a"], 0) + row["wins"] - row["losses"]
        margin[row["b"]] = margin.get(row["b"], 0) + row["losses"] - row["wins"]
    return max(sorted(margin), key=margin.__getitem__)


def _detectable(family: pd.DataFrame) -> str:
    if family["test"].iloc[0] != "McNemar":
        return ""
    known = family["detectable"].dropna()
    if known.empty:
        return f" At {family['problems'].max()} problems no difference could be established."
    whose = "" if len(family) == 1 else " of the median pair"
    return f" Differences{whose} below {known.median():.2f} would mostly go unseen (80% power)."
