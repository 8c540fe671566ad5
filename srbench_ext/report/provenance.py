"""The notes under a table, derived from its runs: protocol, rows, commits, failures, sources."""

from __future__ import annotations

import json
from collections import Counter

import pandas as pd

from srbench_ext.data import load_suite
from srbench_ext.errors import UnknownNameError
from srbench_ext.report.failures import FailureRule, rule_in_words

__all__ = ["notes_for"]


def notes_for(runs: pd.DataFrame, published: pd.DataFrame, failures: FailureRule) -> tuple[str, ...]:
    """Write the notes under the table of these runs.

    Parameters
    ----------
    runs : pandas.DataFrame
        The runs of one table (one protocol, suite and noise).
    published : pandas.DataFrame
        The published rows that stand beside them.
    failures : {"miss", "drop", "worst-rank"}
        How failed runs are scored.

    Returns
    -------
    tuple of str
        One sentence or two each; empty ones are left out.
    """
    notes = (
        _protocol(runs),
        _decodes(runs),
        _rows(runs),
        _part_of_suite(runs),
        _coverage(runs),
        rule_in_words(failures),
        _failures(runs),
        _commits(runs),
        _machines(runs),
        *_sources(published),
    )
    return tuple(note for note in notes if note)


def _protocol(runs: pd.DataFrame) -> str:
    first = runs.iloc[0]
    limits = f"{first['max_seconds']:g} s a run" + (
        f", {int(first['n_rows']):,} training rows at most" if pd.notna(first["n_rows"]) else ""
    )
    return f"Protocol `{first['protocol']}` (hash {first['protocol_hash'][:16]}): {limits}."


def _decodes(runs: pd.DataFrame) -> str:
    """Say how many points the searches decoded whose number is bounded, and what ended them."""
    searched = runs.dropna(subset=["decoded"])
    bounded = searched[[json.loads(text).get("max_decodes") is not None for text in searched["parameters"]]]
    if bounded.empty:
        return ""
    shares = [
        f"{method} {group['decoded'].mean():.0f} ({_counted(group['ended'])})"
        for method, group in bounded.groupby("method", sort=True)
    ]
    return f"Decoded points a run, and what ended the searches: {'; '.join(shares)}."


def _counted(values: pd.Series) -> str:
    counts = values.fillna("not known").value_counts()
    return ", ".join(f"{value} {counts[value]}" for value in sorted(counts.index))


def _rows(runs: pd.DataFrame) -> str:
    """Count the problems by where their rows came from: real ones or regenerated ones."""
    counts = runs.groupby("source_kind")["problem"].nunique()
    shown = runs["problem"].nunique()
    cached, regenerated = int(counts.get("cache", 0)), int(counts.get("regenerated", 0))
    both = cached + regenerated - shown
    note = f"Problems on PMLB's own tables: {cached}, on regenerated rows: {regenerated}"
    return f"{note}, on both: {both}." if both else f"{note}."


def _part_of_suite(runs: pd.DataFrame) -> str:
    """Say so when the table is about some problems of its suite only, and not because the report is split."""
    if runs["part"].iloc[0]:
        return ""
    name, shown = str(runs["suite"].iloc[0]), runs["problem"].nunique()
    try:
        whole = len(load_suite(name).problems)
    except UnknownNameError:  # records of a suite that is not installed here
        return ""
    return f"Only {shown} of the {whole} problems of {name} were run." if shown < whole else ""


def _coverage(runs: pd.DataFrame) -> str:
    """Say so when the methods were not run on the same problems and trials."""
    sets = {
        str(method): frozenset(zip(group["problem"], group["trial"], group["source_kind"], strict=True))
        for method, group in runs.groupby("method")
    }
    if len(set(sets.values())) <= 1:
        return ""
    shared = frozenset.intersection(*sets.values())
    return (
        "The methods were not run on the same problems and trials: "
        f"{', '.join(f'{method} {len(keys)}' for method, keys in sorted(sets.items()))}; "
        f"{len(shared)} are common to all."
    )


def _failures(runs: pd.DataFrame) -> str:
    failed = runs[runs["status"] != "ok"]
    counts = Counter(zip(failed["method"], failed["status"], strict=True))
    if not counts:
        return "Failures: none."
    return (
        "Failures: "
        + ", ".join(f"{method} {count} {status}" for (method, status), count in sorted(counts.items()))
        + "."
    )


def _commits(runs: pd.DataFrame) -> str:
    commits = sorted({_commit(*pair) for pair in zip(runs["commit"], runs["dirty"], strict=True)})
    if len(commits) == 1:
        return f"Code: {commits[0]}."
    return f"Code: the records come from several commits: {', '.join(commits)}."


def _commit(commit: object, dirty: object) -> str:
    if not isinstance(commit, str):
        return "no commit recorded"
    return f"commit {commit[:12]}" + (" with local changes" if dirty is True else "")


def _machines(runs: pd.DataFrame) -> str:
    """Name the processors: seconds compare only on one of them."""
    names = sorted({str(name) for name in runs["cpu"].dropna()})
    if not names:
        return ""
    if len(names) == 1:
        return f"Seconds: one thread a run on {names[0]}."
    return f"Seconds do not compare: the runs come from several processors ({', '.join(names)})."


def _sources(published: pd.DataFrame) -> list[str]:
    if published.empty:
        return []
    listed = "; ".join(f"[{n}] {source}" for n, source in enumerate(published["source"].unique(), start=1))
    return [
        "Published figures are not ours: other hardware, often another protocol and another count of "
        f"complexity, over the whole suite. {listed}."
    ]
