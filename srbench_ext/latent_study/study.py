"""All analyses of all spaces on the same tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from srbench_ext.corpus.families import FamilyTable, family_tables
from srbench_ext.expression import warm_up
from srbench_ext.latent_study.analyses import BASES, Analyses, Frames, draw_tables
from srbench_ext.latent_study.classification import (
    classify,
    compactness,
    majority,
    raw_features,
    statistics_of,
)
from srbench_ext.latent_study.maps import SpaceMap, map_of
from srbench_ext.latent_study.settings import SIZES, Settings
from srbench_ext.latent_study.spaces import Absent, Space
from srbench_ext.latent_study.values import control
from srbench_ext.models.precision import one_thread

__all__ = ["BASELINES", "Study", "run_study"]

FloatArray = NDArray[np.float64]

BASELINES = ("y alone", "y and number of columns", "table statistics", "nothing")
"""Rows of the classification that need no network."""


@dataclass(frozen=True, slots=True)
class Study:
    """What a study found; every frame has the column ``method``, and no rows where nothing was looked at.

    Attributes
    ----------
    settings : Settings
    spaces : list of dict
        Facts of each space; see :attr:`srbench_ext.latent_study.spaces.Space.facts`.
    absent : list of Absent
    n_laws : int
        Different laws among the tables.
    control : pandas.DataFrame
        See :func:`srbench_ext.latent_study.values.control`; of the tables that neighbourhoods are drawn from.
    classification, paths, points, radii, smoothness, landscape, health : pandas.DataFrame
        See the functions of :mod:`classification`, :mod:`interpolation`, :mod:`neighbourhood` and
        :mod:`landscape`; ``points`` has one row a point of every interpolation.
    maps : list of SpaceMap
    """

    settings: Settings
    spaces: list[dict[str, Any]]
    absent: list[Absent]
    n_laws: int
    control: pd.DataFrame
    classification: pd.DataFrame
    paths: pd.DataFrame
    points: pd.DataFrame
    radii: pd.DataFrame
    smoothness: pd.DataFrame
    landscape: pd.DataFrame
    health: pd.DataFrame
    maps: list[SpaceMap]


def run_study(
    spaces: Sequence[Space],
    settings: Settings,
    *,
    absent: Sequence[Absent] = (),
    progress: Callable[[str], None] | None = None,
) -> Study:
    """Make every analysis of every space, on the same tables, pairs, bases and directions.

    Equal spaces and settings give equal results: no clock is involved.

    Parameters
    ----------
    spaces : sequence of Space
        Opened for tables of :data:`SIZES` columns.
    settings : Settings
    absent : sequence of Absent
        Methods without a space; kept with the study.
    progress : callable, optional
        Called with what is begun.
    """
    tell = progress if progress is not None else _silent
    warm_up()
    frames, maps = Frames(), []
    tell("tables")
    tables = family_tables(settings.tables, settings.n_points, sizes=SIZES)
    with one_thread():
        for space in spaces:
            tell(f"{space.name}: encoding")
            means, deviations = space.encode(tables)
            tell(f"{space.name}: classification")
            scores = classify(means, tables, settings.seed)
            facts = compactness(means, tables, settings.seed)
            frames.add("classification", space.name, scores.assign(**facts))
            if settings.mapped:
                tell(f"{space.name}: map")
                maps.append(map_of(space.name, means, tables, settings.mapped, settings.seed))
            Analyses(space, tables, means, deviations, settings, frames, tell).make()
    for name, features in _baselines(tables).items():
        scores = (
            majority(tables, settings.seed) if features is None else classify(features, tables, settings.seed)
        )
        frames.add("classification", name, scores)
    return Study(
        settings,
        [space.facts for space in spaces],
        list(absent),
        len({table.law for table in tables}),
        control=_control(tables, settings),
        classification=frames.whole("classification"),
        paths=frames.whole("paths"),
        points=frames.whole("points"),
        radii=frames.whole("radii"),
        smoothness=frames.whole("smoothness"),
        landscape=frames.whole("landscape"),
        health=frames.whole("health"),
        maps=maps,
    )


def _silent(_: str) -> None:
    return


def _control(tables: Sequence[FamilyTable], settings: Settings) -> pd.DataFrame:
    chosen, _ = draw_tables(len(tables), settings.bases, settings.seed, BASES)
    return control([tables[i] for i in chosen]) if len(chosen) else pd.DataFrame()


def _baselines(tables: Sequence[FamilyTable]) -> dict[str, FloatArray | None]:
    alone, with_columns, statistics, nothing = BASELINES
    return {
        alone: raw_features(tables, variables=False),
        with_columns: raw_features(tables, variables=True),
        statistics: statistics_of(tables),
        nothing: None,
    }
