"""Published figures problem by problem, paired with ours on the problems that both have.

They live in ``results/published/problems-*.csv``; what a ``source`` there means stands in ``problems.toml``.
A pair says which problems the two solve, not which method is better: hardware, limits, splits and trials of
the other side are its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import numpy as np
import pandas as pd

from srbench_ext.errors import DataError
from srbench_ext.report.published import published_folder
from srbench_ext.report.statistics import holm, mcnemar

__all__ = ["CAVEAT", "PAIRED", "PROBLEM_COLUMNS", "compare_published", "load_published_problems", "sources"]

PROBLEM_COLUMNS = (
    "method", "suite", "problem", "noise", "r2_test", "rate_symbolic", "complexity", "seconds", "source",
)  # fmt: skip
"""The columns of ``problems-*.csv``: medians over trials; ``rate_symbolic`` is the share of trials."""

PAIRED = (
    "protocol", "suite", "noise", "measure", "method", "published", "source", "problems", "ours", "theirs",
    "wins", "ties", "losses", "p", "p_holm",
)  # fmt: skip
"""The columns of :func:`compare_published`."""

CAVEAT = (
    "Published figures are not ours: other hardware, other limits, other splits and trials. A pair counts "
    "the problems that one side solves and the other does not; it ranks nobody."
)
"""What has to be said wherever they stand beside ours."""

_TABLE = ["protocol", "suite", "noise"]


def load_published_problems() -> pd.DataFrame:
    """Read the published figures of single problems.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`PROBLEM_COLUMNS`; NaN where the source gives none.

    Raises
    ------
    DataError
        When a file lacks a column or names a source that ``problems.toml`` does not describe.
    """
    tables = []
    known = sources()
    for path in sorted(published_folder().glob("problems-*.csv")):
        table = pd.read_csv(path)
        missing = [name for name in PROBLEM_COLUMNS if name not in table.columns]
        unknown = [] if missing else sorted(set(table["source"]) - set(known))
        if missing or unknown:
            raise DataError(
                f"The published figures {path} lack the columns {missing} and name the sources {unknown}, "
                "which problems.toml does not describe. Correct the file."
            )
        tables.append(table[list(PROBLEM_COLUMNS)])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(PROBLEM_COLUMNS))


def sources() -> dict[str, dict[str, str]]:
    """Return what ``problems.toml`` says of each source: ``title``, ``source`` and ``status``."""
    path = published_folder() / "problems.toml"
    return dict(tomllib.loads(path.read_text("utf-8"))) if path.is_file() else {}


def compare_published(runs: pd.DataFrame, figures: pd.DataFrame) -> pd.DataFrame:
    """Pair every method of ours with every published one, on the problems that both have.

    Parameters
    ----------
    runs : pandas.DataFrame
        As :func:`srbench_ext.report.load_records` returns them.
    figures : pandas.DataFrame
        As :func:`load_published_problems` returns them.

    Returns
    -------
    pandas.DataFrame
        One row a protocol, suite, noise, measure (``R²>0.99``, ``recovered``) and pair, with :data:`PAIRED`.
        ``ours`` and ``theirs`` are shares of the shared problems, ``wins`` the problems that only we solve.
        A problem is solved when most trials are; a failed run of ours solves nothing. ``p`` is McNemar's,
        ``p_holm`` corrected over the pairs of a measure and table.
    """
    rows = [row for _, group in runs.groupby(_TABLE, sort=True) for row in _pairs(group, figures)]
    table = pd.DataFrame(rows, columns=list(PAIRED))
    for _, family in table.groupby([*_TABLE, "measure"], sort=False):
        table.loc[family.index, "p_holm"] = holm(family["p"].to_numpy(np.float64))
    return table


def _pairs(runs: pd.DataFrame, figures: pd.DataFrame) -> Iterator[dict[str, object]]:
    protocol, suite, noise = (runs[name].iloc[0] for name in _TABLE)
    theirs = figures[(figures["suite"] == suite) & np.isclose(figures["noise"].astype(float), noise)]
    ok = runs["status"] == "ok"
    ours = {
        "R²>0.99": _solved(runs, (runs["r2_test"] > 0.99) & ok),
        "recovered": _solved(runs, runs["recovered_srbench"].eq(True) & ok),
    }
    for measure, mine in ours.items():
        column, least = ("r2_test", 0.99) if measure == "R²>0.99" else ("rate_symbolic", 0.5)
        known = theirs[theirs[column].notna()]
        for (published, source), rows in known.groupby(["method", "source"], sort=True):
            solved = pd.Series(rows[column].to_numpy() > least, index=rows["problem"])
            for method in sorted(runs["method"].unique()):
                both = pd.concat([mine[method], solved], axis=1, join="inner").to_numpy(bool)
                if len(both):
                    yield {
                        "protocol": protocol,
                        "suite": suite,
                        "noise": noise,
                        "measure": measure,
                        "method": method,
                        "published": published,
                        "source": source,
                        **_counts(both),
                    }


def _solved(runs: pd.DataFrame, hits: pd.Series) -> pd.Series:
    """Return whether most trials hit, by method and problem."""
    return hits.astype(float).groupby([runs["method"], runs["problem"]]).mean() > 0.5


def _counts(both: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> dict[str, object]:
    wins, losses = int(np.sum(both[:, 0] & ~both[:, 1])), int(np.sum(~both[:, 0] & both[:, 1]))
    return {
        "problems": len(both),
        "ours": float(both[:, 0].mean()),
        "theirs": float(both[:, 1].mean()),
        "wins": wins,
        "ties": len(both) - wins - losses,
        "losses": losses,
        "p": mcnemar(both[:, 0], both[:, 1]),
        "p_holm": np.nan,
    }
