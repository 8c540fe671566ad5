"""Tables of results, one a protocol, suite and noise level, with published figures beside ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

import pandas as pd

from srbench_ext.report.provenance import notes_for
from srbench_ext.report.published import published_rows
from srbench_ext.report.scores import score

__all__ = ["ResultTable", "build_tables"]


@dataclass(frozen=True, slots=True, eq=False)
class ResultTable:
    """One table.

    Attributes
    ----------
    protocol, protocol_hash : str
        What was run; the hash tells protocols of one name apart.
    suite : str
        Name of the suite.
    noise : float
        Level of target noise.
    slug : str
        The table's name in file names and labels.
    measured : pandas.DataFrame
        Our rows, as :func:`~.scores.score` returns them.
    published : pandas.DataFrame
        Rows of other people's papers, as :func:`~.published.published_rows` returns them; in no rate of ours.
    notes : tuple of str
        What has to be known to read the table: protocol, source of the rows, commits, failures, sources.
    """

    protocol: str
    protocol_hash: str
    suite: str
    noise: float
    slug: str
    measured: pd.DataFrame
    published: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """What stands above the table."""
        return f"{self.suite}, noise {self.noise:g}, protocol {self.protocol}"


def build_tables(runs: pd.DataFrame, figures: pd.DataFrame) -> tuple[ResultTable, ...]:
    """Build every table that the runs fill.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row a run, as :func:`srbench_ext.report.load_records` returns it.
    figures : pandas.DataFrame
        Published figures, as :func:`srbench_ext.report.load_published` returns them.

    Returns
    -------
    tuple of ResultTable
        Sorted by protocol, suite and noise.
    """
    tables = []
    keys = ["protocol", "protocol_hash", "suite", "noise"]
    scores = score(runs)
    names = runs[["protocol", "protocol_hash"]].drop_duplicates()["protocol"]
    ambiguous = set(names[names.duplicated()])
    for key, group in runs.groupby(keys, sort=True):
        protocol, protocol_hash, suite, noise = cast("tuple[str, str, str, float]", key)
        measured = scores[(scores[keys] == [protocol, protocol_hash, suite, noise]).all(axis=1)].reset_index(
            drop=True
        )
        published = published_rows(figures, suite, noise)
        tables.append(
            ResultTable(
                protocol=protocol,
                protocol_hash=protocol_hash,
                suite=suite,
                noise=float(noise),
                slug=_slug(
                    protocol, protocol_hash if protocol in ambiguous else "", suite, f"noise-{noise:g}"
                ),
                measured=measured,
                published=published,
                notes=notes_for(group, published),
            )
        )
    return tuple(tables)


def _slug(protocol: str, protocol_hash: str, *rest: str) -> str:
    parts = [protocol, protocol_hash[:8], *rest]
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", "-".join(part for part in parts if part))
