"""What lies between two tables: formulas on the way from one encoding to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from srbench_ext.corpus import audit_key
from srbench_ext.corpus.families import FamilyTable
from srbench_ext.latent_study.ranks import spearman
from srbench_ext.latent_study.spaces import Skeleton, Space
from srbench_ext.latent_study.tree_distance import tree_distance
from srbench_ext.latent_study.values import WELL_FITTED, Fits, is_valid, unlikeness

__all__ = ["FRACTIONS", "PATHS", "Pair", "draw_pairs", "interpolate", "path_between", "summarise_paths"]

FloatArray = NDArray[np.float64]

FRACTIONS = np.linspace(0.0, 1.0, 11)
"""Where a path is decoded: 0 at the first table, 1 at the second."""

PATHS = ("straight", "arc")
"""Straight, and along the arc with the length going evenly from one to the other."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two tables of equally many columns, by their numbers."""

    first: int
    second: int
    same_family: bool


def draw_pairs(tables: Sequence[FamilyTable], count: int, rng: np.random.Generator) -> list[Pair]:
    """Draw pairs of different tables, in turn of one family and of two, evenly over numbers of columns."""
    by_size: dict[int, list[int]] = {}
    for number, table in enumerate(tables):
        by_size.setdefault(table.n_variables, []).append(number)
    sizes = sorted(by_size)
    several = len({table.family for table in tables}) > 1
    pairs = []
    for turn in range(count):
        pool = by_size[sizes[turn // 2 % len(sizes)]]
        same = turn % 2 == 0 or not several
        first = int(rng.choice(pool))
        mates = [
            other
            for other in pool
            if other != first and (tables[other].family == tables[first].family) == same
        ]
        pairs.append(Pair(first, int(rng.choice(mates)), same))
    return pairs


def path_between(a: FloatArray, b: FloatArray, path: str) -> FloatArray:
    """Return the points (11, L) of a path from a (L,) to b (L,); of :data:`PATHS`.

    On an arc the direction turns evenly from one to the other (Shoemake, SIGGRAPH 1985) and the length goes
    linearly, so that it is never below that of the shorter end.
    """
    t = FRACTIONS[:, None]
    straight: FloatArray = (1.0 - t) * a + t * b
    if path == "straight":
        return straight
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if min(lengths) == 0.0:
        return straight
    u, v = a / lengths[0], b / lengths[1]
    angle = float(np.arccos(np.clip(u @ v, -1.0, 1.0)))
    if np.sin(angle) < 1e-6:  # one direction, or opposite ones, between which there is no one arc
        return straight
    turned = (np.sin((1.0 - t) * angle) * u + np.sin(t * angle) * v) / np.sin(angle)
    points: FloatArray = turned * ((1.0 - t) * lengths[0] + t * lengths[1])
    points[[0, -1]] = a, b
    return points


def interpolate(
    space: Space, tables: Sequence[FamilyTable], encodings: FloatArray, pairs: Sequence[Pair]
) -> pd.DataFrame:
    """Return one row a point of every path, with what it decodes to.

    Columns: ``pair``, ``same_family``, ``variables``, ``path``, ``fraction``, ``formula``, ``valid`` (finite
    on 95% of the rows of both ends for some constants), ``parses`` (a formula without the grammar; None where
    the space cannot do without), ``same_law`` (at the ends: the table's own), ``r2`` (constants fitted to the
    nearer end; None where not finite), ``step_edit`` and ``step_unlike`` (tree distance and unlikeness to
    the point before, constants fitted to the nearer end; 1 where one of both has no formula), ``changed``,
    ``from_first`` and ``from_second`` (tree distances to the ends).
    """
    rows: list[dict[str, object]] = []
    for n_variables in sorted({tables[pair.first].n_variables for pair in pairs}):
        chosen = [(i, p) for i, p in enumerate(pairs) if tables[p.first].n_variables == n_variables]
        for path in PATHS:
            points = np.vstack(
                [path_between(encodings[p.first], encodings[p.second], path) for _, p in chosen]
            )
            decoded = space.decode(points, n_variables)
            freely = space.decode_freely(points, n_variables)
            for turn, (number, pair) in enumerate(chosen):
                part = slice(turn * len(FRACTIONS), (turn + 1) * len(FRACTIONS))
                about = {
                    "pair": number,
                    "same_family": pair.same_family,
                    "variables": n_variables,
                    "path": path,
                }
                free = None if freely is None else freely[part]
                ends = tables[pair.first], tables[pair.second]
                rows += [{**about, **row} for row in _along(decoded[part], free, ends)]
    return pd.DataFrame(rows)


def _along(
    skeletons: Sequence[Skeleton | None],
    freely: Sequence[Skeleton | None] | None,
    ends: tuple[FamilyTable, FamilyTable],
) -> list[dict[str, object]]:
    X = np.vstack([table.X for table in ends])
    fits = [Fits((table.X, table.y)) for table in ends]
    rows: list[dict[str, object]] = []
    for i, skeleton in enumerate(skeletons):
        nearer = int(FRACTIONS[i] > 0.5)
        at_end = i in (0, len(skeletons) - 1)
        rows.append(
            {
                "fraction": float(FRACTIONS[i]),
                "formula": None if skeleton is None else " ".join(skeleton),
                "valid": is_valid(skeleton, X),
                "parses": None if freely is None else freely[i] is not None,
                "same_law": _is_law(skeleton, ends[nearer]) if at_end else None,
                "r2": fits[nearer].r2(skeleton),
                "step_edit": _step(skeletons[i - 1], skeleton) if i else None,
                "step_unlike": _apart(skeletons[i - 1], skeleton, fits[nearer], X) if i else None,
                "changed": skeletons[i - 1] != skeleton if i else None,
                "from_first": _edit(skeletons[0], skeleton),
                "from_second": _edit(skeletons[-1], skeleton),
            }
        )
    return rows


def _apart(a: Skeleton | None, b: Skeleton | None, fits: Fits, X: FloatArray) -> float:
    """Return how unlike two formulas are, both fitted to one end; 1 where there is none."""
    if a is not None and a == b:
        return 0.0
    return unlikeness(fits.values(a, X), fits.values(b, X))


def _step(a: Skeleton | None, b: Skeleton | None) -> float:
    """Return the tree distance of two formulas, 1 where there is none."""
    distance = _edit(a, b)
    return 1.0 if distance is None else distance


def _edit(a: Skeleton | None, b: Skeleton | None) -> float | None:
    return None if a is None or b is None else tree_distance(a, b)


def _is_law(skeleton: Skeleton | None, table: FamilyTable) -> bool:
    return skeleton is not None and audit_key(skeleton) == table.law


def summarise_paths(points: pd.DataFrame) -> pd.DataFrame:
    """Return one row a path and stratum (``all``, ``same family``, ``two families``).

    Columns: ``pairs``; of the points between the ends ``valid``, ``parses``, ``fitted`` (share that is finite
    with constants fitted to the nearer end) and ``mean_r2`` of that fit (at least 0, not finite 0); of the
    ends ``ends_same_law`` and ``ends_r2`` (share above 0.99); ``distinct`` formulas on a path, mean
    ``step_edit`` and ``step_unlike``; ``monotonicity``: mean rank correlation of the fraction with the
    tree distance to the first end, and with that to the second one less than with 1, over the paths on
    which the formula changes; their number is ``changing``.
    """
    strata = {
        "all": np.ones(len(points), bool),
        "same family": points["same_family"].to_numpy(bool),
        "two families": ~points["same_family"].to_numpy(bool),
    }
    rows = []
    for path in PATHS:
        for stratum, chosen in strata.items():
            part = points[chosen & (points["path"] == path).to_numpy()]
            if len(part):
                rows.append({"path": path, "pairs_of": stratum, **_summary(part)})
    return pd.DataFrame(rows)


def _summary(part: pd.DataFrame) -> dict[str, float | None]:
    inside = part[(part["fraction"] > 0.0) & (part["fraction"] < 1.0)]
    ends = part[(part["fraction"] == 0.0) | (part["fraction"] == 1.0)]
    paths = [path for _, path in part.groupby("pair")]
    monotone = [value for path in paths if (value := _monotonicity(path)) is not None]
    parses = inside["parses"].dropna()
    return {
        "pairs": len(paths),
        "valid": float(inside["valid"].mean()),
        "parses": float(parses.astype(float).mean()) if len(parses) else None,
        "fitted": float(inside["r2"].notna().mean()),
        "mean_r2": float(inside["r2"].astype(float).clip(lower=0.0).fillna(0.0).mean()),
        "ends_same_law": float(ends["same_law"].astype(float).mean()),
        "ends_r2": float((ends["r2"].astype(float) > WELL_FITTED).mean()),
        "distinct": float(np.mean([path["formula"].nunique() for path in paths])),
        "step_edit": float(part["step_edit"].astype(float).mean()),
        "step_unlike": float(part["step_unlike"].astype(float).mean()),
        "monotonicity": float(np.mean(monotone)) if monotone else None,
        "changing": len(monotone),
    }


def _monotonicity(path: pd.DataFrame) -> float | None:
    """Return the mean rank correlation with the way gone of one distance and of the other's opposite."""
    known = path.dropna(subset=["from_first", "from_second"])
    t = known["fraction"].to_numpy(float)
    found = [
        spearman(t, known["from_first"].to_numpy(float)),
        spearman(t, -known["from_second"].to_numpy(float)),
    ]
    defined = [value for value in found if value is not None]
    return float(np.mean(defined)) if defined else None
