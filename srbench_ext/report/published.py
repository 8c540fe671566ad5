"""Published figures of other people's papers, to stand beside ours.

They live in ``results/published/*.csv``, shipped as data of the package, one figure a row with its status and
source. Figures of single problems (``problems-*.csv`` there) are those of :mod:`~.published_problems`.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from srbench_ext.errors import DataError
from srbench_ext.report.scores import MEASURES

__all__ = ["load_published", "published_folder", "published_rows"]

_COLUMNS = ["method", "suite", "noise", "metric", "value", "status", "source"]


def load_published() -> pd.DataFrame:
    """Read every published figure that is shipped.

    Returns
    -------
    pandas.DataFrame
        Columns ``method``, ``suite``, ``noise`` (NaN where it has no meaning), ``metric``, ``value``,
        ``status`` (how the figure was obtained) and ``source``.

    Raises
    ------
    DataError
        When a file lacks a column.
    """
    tables = []
    for path in sorted(published_folder().glob("*.csv")):
        if path.name.startswith("problems-"):
            continue
        table = pd.read_csv(path)
        missing = [name for name in _COLUMNS if name not in table.columns]
        if missing:
            raise DataError(
                f"The published figures {path} lack the columns {missing}. A file there has {_COLUMNS}."
            )
        tables.append(table[_COLUMNS])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_COLUMNS)


def published_rows(figures: pd.DataFrame, suite: str, noise: float) -> pd.DataFrame:
    """Arrange the figures of one suite and noise level as rows of a table.

    Parameters
    ----------
    figures : pandas.DataFrame
        As :func:`load_published` returns them.
    suite : str
        Name of the suite.
    noise : float
        Level of target noise.

    Returns
    -------
    pandas.DataFrame
        One row a method and source, with the columns ``method``, ``source`` and :data:`~.scores.MEASURES`
        (NaN where the source gives none). Figures that no column of ours measures are left out.
    """
    chosen = figures[
        (figures["suite"] == suite) & (figures["noise"] == noise) & figures["metric"].isin(MEASURES)
    ]
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for figure in chosen.to_dict("records"):
        row = rows.setdefault((figure["method"], figure["source"]), {})
        row |= {"method": figure["method"], figure["metric"]: figure["value"]}
        row["source"] = _with_status(
            figure["source"], chosen.loc[chosen["source"] == figure["source"], "status"]
        )
    return pd.DataFrame(list(rows.values()), columns=["method", "source", *MEASURES])


def _with_status(source: str, statuses: pd.Series) -> str:
    """Say behind a source how its figures were obtained, leaving out what a longer status says too."""
    known = list(dict.fromkeys(statuses))
    told = [one for one in known if not any(one != other and one in other for other in known)]
    return f"{source} ({', '.join(told)})"


def published_folder() -> Path:
    """Return the folder of the published figures: the installed one, or that of the checkout."""
    spec = find_spec("srbench_ext.published")
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(__file__).resolve().parents[2] / "results" / "published"  # a checkout
