"""Tables of results, one a protocol, suite and noise level, with published figures beside ours."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from srbench_ext.report.comparisons import RankTest, compare, rank_methods
from srbench_ext.report.failures import FailureRule
from srbench_ext.report.provenance import notes_for
from srbench_ext.report.published import published_rows
from srbench_ext.report.scores import TABLE, add_intervals, score
from srbench_ext.report.words import comparisons_in_words, ranks_in_words

__all__ = ["ResultTable", "build_tables"]

_SLUGS = re.compile(r"[^A-Za-z0-9.+-]+")


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
    part : str
        Which part of the suite's problems, where the report is split; else empty.
    failures : {"miss", "drop", "worst-rank"}
        How failed runs are scored.
    slug : str
        The table's name in file names and labels.
    runs : pandas.DataFrame
        What the table is made of, one row a run.
    measured : pandas.DataFrame
        Our rows, as :func:`~.scores.add_intervals` returns them.
    published : pandas.DataFrame
        Rows of other people's papers, as :func:`~.published.published_rows` returns them; in no rate of ours.
    comparisons : pandas.DataFrame
        All pairs of our methods, as :func:`~.comparisons.compare` returns them.
    ranks : RankTest or None
        The methods by rank, where there are three or more on the same problems.
    notes : tuple of str
        What has to be known to read the table: what the differences are worth, protocol, source of the rows,
        commits, failures, sources.
    """

    protocol: str
    protocol_hash: str
    suite: str
    noise: float
    part: str
    failures: FailureRule
    slug: str
    runs: pd.DataFrame
    measured: pd.DataFrame
    published: pd.DataFrame
    comparisons: pd.DataFrame
    ranks: RankTest | None
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """What stands above the table."""
        part = f", {self.part} problems" if self.part else ""
        return f"{self.suite}{part}, noise {self.noise:g}, protocol {self.protocol}"


def build_tables(
    runs: pd.DataFrame,
    figures: pd.DataFrame,
    *,
    failures: FailureRule = "miss",
    part_notes: Mapping[str, str] | None = None,
) -> tuple[ResultTable, ...]:
    """Build every table that the runs fill.

    Parameters
    ----------
    runs : pandas.DataFrame
        One row a run, as :func:`srbench_ext.report.load_records` returns it.
    figures : pandas.DataFrame
        Published figures, as :func:`srbench_ext.report.load_published` returns them. They are over whole
        suites, so a table of a part of one has none.
    failures : {"miss", "drop", "worst-rank"}
        How failed runs are scored.
    part_notes : mapping, optional
        What is said under the tables of each part.

    Returns
    -------
    tuple of ResultTable
        Sorted by protocol, suite, noise and part. The bootstrap of a table is seeded by its name, so that
        the same records give the same table, whatever else is in the folder.
    """
    names = runs[["protocol", "protocol_hash"]].drop_duplicates()["protocol"]
    ambiguous = set(names[names.duplicated()])
    tables = []
    for key, group in runs.groupby(list(TABLE), sort=True):
        protocol, protocol_hash, suite, noise, part = cast("tuple[str, str, str, float, str]", key)
        hash_part = protocol_hash[:8] if protocol in ambiguous else ""
        slug = _slug(protocol, hash_part, suite, f"noise-{noise:g}", part)
        rng = np.random.default_rng(zlib.crc32(slug.encode()))
        published = published_rows(figures if not part else figures.iloc[:0], suite, noise)
        comparisons, ranks = compare(group, failures, rng), rank_methods(group, failures)
        notes = (
            *comparisons_in_words(comparisons),
            *([ranks_in_words(ranks)] if ranks else []),
            *([part_notes[part]] if part_notes and part in part_notes else []),
            *notes_for(group, published, failures),
        )
        tables.append(
            ResultTable(
                protocol=protocol,
                protocol_hash=protocol_hash,
                suite=suite,
                noise=float(noise),
                part=part,
                failures=failures,
                slug=slug,
                runs=group,
                measured=add_intervals(score(group, failures), group, failures, rng),
                published=published,
                comparisons=comparisons,
                ranks=ranks,
                notes=notes,
            )
        )
    return tuple(tables)


def _slug(*parts: str) -> str:
    return _SLUGS.sub("-", "-".join(part for part in parts if part))
