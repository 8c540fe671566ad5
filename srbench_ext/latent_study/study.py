"""All analyses of all spaces on the same tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from srbench_ext.corpus.families import FamilyTable, family_tables
from srbench_ext.errors import InputError
from srbench_ext.expression import warm_up
from srbench_ext.latent_study.classification import (
    N_FOLDS,
    classify,
    compactness,
    majority,
    raw_features,
)
from srbench_ext.latent_study.interpolation import draw_pairs, interpolate, summarise_paths
from srbench_ext.latent_study.landscape import landscape, summarise_landscape
from srbench_ext.latent_study.maps import SpaceMap, map_of
from srbench_ext.latent_study.neighbourhood import areas, around, nearness, summarise_radii
from srbench_ext.latent_study.spaces import Absent, HasHealth, Space
from srbench_ext.models.precision import one_thread

__all__ = ["BASELINES", "SIZES", "Settings", "Study", "run_study"]

FloatArray = NDArray[np.float64]

SIZES = (2, 5)
"""Numbers of columns of the tables (those of GenSR's figures)."""

BASELINES = ("y alone", "y and number of columns", "nothing")
"""Rows of the classification that need no network."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How large a study is; 0 leaves an analysis out.

    Attributes
    ----------
    tables : int
        Of each class: family of functions and number of columns.
    n_points : int
        Rows of a table.
    pairs : int
        Interpolated.
    bases, draws : int
        Encodings whose neighbourhood is looked at, and directions at every radius.
    nearness : int
        Encodings compared in pairs.
    landscapes, landscape_points : int
        Tables whose landscape is looked at, and points of each ball and walk.
    health_examples : int
        Of the corpus, for variational spaces.
    mapped : int
        Tables on the map.
    seed : int
    """

    tables: int = 1000
    n_points: int = 200
    pairs: int = 500
    bases: int = 200
    draws: int = 16
    nearness: int = 600
    landscapes: int = 20
    landscape_points: int = 200
    health_examples: int = 1024
    mapped: int = 1500
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"tables": 2 * N_FOLDS, "n_points": 2, "draws": 1, "landscape_points": 3}
        for name, value in asdict(self).items():
            allowed = least.get(name, 0)
            if value < allowed:
                raise InputError(
                    f"The {name!r} of a latent study must be an integer of at least {allowed}. "
                    f"Got {value!r} instead."
                )


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
    classification, paths, points, radii, smoothness, landscape, health : pandas.DataFrame
        See the functions of :mod:`classification`, :mod:`interpolation`, :mod:`neighbourhood` and
        :mod:`landscape`; ``points`` has one row a point of every interpolation.
    maps : list of SpaceMap
    """

    settings: Settings
    spaces: list[dict[str, Any]]
    absent: list[Absent]
    n_laws: int
    classification: pd.DataFrame
    paths: pd.DataFrame
    points: pd.DataFrame
    radii: pd.DataFrame
    smoothness: pd.DataFrame
    landscape: pd.DataFrame
    health: pd.DataFrame
    maps: list[SpaceMap]


class _Frames:
    """Rows of every analysis, by name, with the method in front."""

    def __init__(self) -> None:
        self._parts: dict[str, list[pd.DataFrame]] = {}

    def add(self, name: str, method: str, rows: pd.DataFrame | dict[str, Any]) -> None:
        frame = pd.DataFrame([rows]) if isinstance(rows, dict) else rows.copy()
        frame.insert(0, "method", method)
        self._parts.setdefault(name, []).append(frame.astype(object))

    def whole(self, name: str) -> pd.DataFrame:
        parts = self._parts.get(name, [])
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["method"])


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
    frames, maps = _Frames(), []
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
            _Analyses(space, tables, means, deviations, settings, frames, tell).make()
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


def _baselines(tables: Sequence[FamilyTable]) -> dict[str, FloatArray | None]:
    alone, with_columns, nothing = BASELINES
    return {
        alone: raw_features(tables, variables=False),
        with_columns: raw_features(tables, variables=True),
        nothing: None,
    }


@dataclass(frozen=True, slots=True)
class _Analyses:
    """The analyses of one space but for the classification; each draws from a stream of its own."""

    space: Space
    tables: Sequence[FamilyTable]
    means: FloatArray
    deviations: FloatArray
    settings: Settings
    frames: _Frames
    tell: Callable[[str], None]

    def make(self) -> None:
        if self.space.decodes and self.settings.pairs:
            self._interpolation()
        smoothness: dict[str, Any] = {}
        if self.settings.nearness:
            chosen, rng = self._chosen(self.settings.nearness, 2)
            smoothness |= nearness([self.tables[i] for i in chosen], self.means[chosen], rng)
        if self.space.decodes and self.settings.bases:
            smoothness |= self._neighbourhood()
        if smoothness:
            self.frames.add("smoothness", self.space.name, smoothness)
        if self.space.decodes and self.settings.landscapes:
            self._landscape()
        if isinstance(self.space.method, HasHealth) and self.settings.health_examples:
            self.tell(f"{self.space.name}: health")
            self.frames.add(
                "health", self.space.name, _numbers(self.space.method.health(self.settings.health_examples))
            )

    def _chosen(self, count: int, stream: int) -> tuple[NDArray[np.intp], np.random.Generator]:
        """Draw tables, the same ones for every space."""
        rng = np.random.default_rng((self.settings.seed, stream))
        return np.sort(rng.permutation(len(self.tables))[:count]), rng

    def _interpolation(self) -> None:
        self.tell(f"{self.space.name}: interpolation")
        rng = np.random.default_rng((self.settings.seed, 1))
        points = interpolate(
            self.space, self.tables, self.means, draw_pairs(self.tables, self.settings.pairs, rng)
        )
        self.frames.add("points", self.space.name, points)
        self.frames.add("paths", self.space.name, summarise_paths(points))

    def _neighbourhood(self) -> dict[str, Any]:
        self.tell(f"{self.space.name}: neighbourhood")
        chosen, rng = self._chosen(self.settings.bases, 3)
        bases = [self.tables[i] for i in chosen]
        rows = around(
            self.space, bases, self.means[chosen], self.deviations[chosen], self.settings.draws, rng
        )
        curves = summarise_radii(rows)
        self.frames.add("radii", self.space.name, curves)
        return {"bases": int(rows["base"].nunique()), **areas(curves)}

    def _landscape(self) -> None:
        self.tell(f"{self.space.name}: landscape")
        chosen, rng = self._chosen(self.settings.landscapes, 4)
        rows = landscape(
            self.space,
            [self.tables[i] for i in chosen],
            self.means[chosen],
            self.means[self._chosen(1000, 5)[0]],
            self.settings.landscape_points,
            rng,
        )
        self.frames.add("landscape", self.space.name, {"tables": len(rows), **summarise_landscape(rows)})


def _numbers(health: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that are one number; a list becomes its least, middle and largest."""
    found: dict[str, Any] = {}
    for name, value in health.items():
        if isinstance(value, list):
            found |= {
                f"{name}_least": min(value),
                f"{name}_median": float(np.median(value)),
                f"{name}_largest": max(value),
            }
        else:
            found[name] = value
    return found
