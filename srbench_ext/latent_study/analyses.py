"""The analyses of one space, on tables that are the same for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from srbench_ext.corpus.families import FamilyTable
from srbench_ext.latent_study.interpolation import draw_pairs, interpolate, summarise_paths
from srbench_ext.latent_study.landscape import landscape, summarise_landscape
from srbench_ext.latent_study.neighbourhood import areas, around, nearness, summarise_radii
from srbench_ext.latent_study.settings import Settings
from srbench_ext.latent_study.spaces import HasHealth, Space

__all__ = ["BASES", "Analyses", "Frames", "draw_tables"]

FloatArray = NDArray[np.float64]

BASES = 3
"""The stream that draws the tables of the neighbourhood, which the control looks at too."""
_BETWEEN = 1000  # tables that the width of the landscape's ball is measured on


class Frames:
    """Rows of every analysis, by name, with the method in front."""

    def __init__(self) -> None:
        self._parts: dict[str, list[pd.DataFrame]] = {}

    def add(self, name: str, method: str, rows: pd.DataFrame | dict[str, Any]) -> None:
        """Add rows, or one row, of a method to an analysis."""
        frame = pd.DataFrame([rows]) if isinstance(rows, dict) else rows.copy()
        frame.insert(0, "method", method)
        self._parts.setdefault(name, []).append(frame.astype(object))

    def whole(self, name: str) -> pd.DataFrame:
        """Return all rows of an analysis; a frame without rows where there was none."""
        parts = self._parts.get(name, [])
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["method"])


def draw_tables(
    n_tables: int, count: int, seed: int, stream: int
) -> tuple[NDArray[np.intp], np.random.Generator]:
    """Return the numbers of ``count`` drawn tables, the same ones for every space, and the generator."""
    rng = np.random.default_rng((seed, stream))
    return np.sort(rng.permutation(n_tables)[:count]), rng


@dataclass(frozen=True, slots=True)
class Analyses:
    """The analyses of one space but for classification and map; each draws from a stream of its own.

    Attributes
    ----------
    space : Space
    tables : sequence of FamilyTable
    means, deviations : ndarray of shape (R, L)
        Of the space's encodings of the tables.
    settings : Settings
    frames : Frames
        Receives what is found.
    tell : callable
        Called with what is begun.
    """

    space: Space
    tables: Sequence[FamilyTable]
    means: FloatArray
    deviations: FloatArray
    settings: Settings
    frames: Frames
    tell: Callable[[str], None]

    def make(self) -> None:
        """Make what the space allows and the settings ask for."""
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
            health = _numbers(self.space.method.health(self.settings.health_examples))
            if health:
                self.frames.add("health", self.space.name, health)

    def _chosen(self, count: int, stream: int) -> tuple[NDArray[np.intp], np.random.Generator]:
        return draw_tables(len(self.tables), count, self.settings.seed, stream)

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
        chosen, rng = self._chosen(self.settings.bases, BASES)
        bases = [self.tables[i] for i in chosen]
        variational = isinstance(self.space.method, HasHealth)
        deviations = self.deviations[chosen] if variational else None
        rows = around(self.space, bases, self.means[chosen], deviations, self.settings.draws, rng)
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
            self.means[self._chosen(_BETWEEN, 5)[0]],
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
