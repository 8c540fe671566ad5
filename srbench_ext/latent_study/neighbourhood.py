"""How smooth a space is: what changes near an encoding, and whether near points are near functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from sklearn.manifold import trustworthiness

from srbench_ext.corpus.families import FamilyTable
from srbench_ext.corpus.normal import skeleton_of
from srbench_ext.corpus.points import draw_points
from srbench_ext.expression import compile_prefix
from srbench_ext.latent_study.ranks import spearman
from srbench_ext.latent_study.spaces import Skeleton, Space
from srbench_ext.latent_study.tree_distance import tree_distance
from srbench_ext.latent_study.values import Fits, is_valid, likenesses

__all__ = [
    "RADII",
    "areas",
    "around",
    "correlation_length",
    "nearness",
    "summarise_radii",
    "typical_distance",
]

FloatArray = NDArray[np.float64]

RADII = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Radii in units of the median distance of two encodings, or of the length of their deviation."""

_NEIGHBOURS = 10
_REFERENCE_ROWS = 200
_HALF = 0.5


def typical_distance(encodings: FloatArray) -> float:
    """Return the median distance of two encodings (R, L)."""
    return float(np.median(pdist(encodings)))


def around(
    space: Space,
    tables: Sequence[FamilyTable],
    encodings: FloatArray,
    deviations: FloatArray | None,
    n_draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return one row a base and radius: how the formula changes at that distance from a table's encoding.

    Parameters
    ----------
    space : Space
        One that decodes.
    tables : sequence of FamilyTable
        The bases.
    encodings : ndarray of shape (R, L)
        Of the bases.
    deviations : ndarray of shape (R, L) or None
        That a variational space gives for them; None for another space.
    n_draws : int
        Directions for each base and radius, uniform on the sphere.
    rng : numpy.random.Generator

    Returns
    -------
    pandas.DataFrame
        ``base``, ``unit`` (``distance`` or ``deviation``), ``radius`` (of :data:`RADII`), and means over the
        draws: ``valid``, ``changed``, ``edit`` (tree distance), ``unlike`` (see
        :func:`~srbench_ext.latent_study.values.unlikeness`; constants fitted to the base). Bases that decode
        to no formula are left out.
    """
    units = {"distance": np.full(len(tables), typical_distance(encodings))}
    if deviations is not None:
        units["deviation"] = np.linalg.norm(deviations, axis=1)
    directions = rng.standard_normal((len(tables), n_draws, encodings.shape[1]))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    rows: list[dict[str, object]] = []
    for n_variables in sorted({table.n_variables for table in tables}):
        bases = [i for i, table in enumerate(tables) if table.n_variables == n_variables]
        centres = space.decode(encodings[bases], n_variables)
        for unit, sizes in units.items():
            for radius in RADII:
                steps = radius * sizes[bases, None, None] * directions[bases]
                points = (encodings[bases, None] + steps).reshape(-1, encodings.shape[1])
                decoded = space.decode(points, n_variables)
                for turn, (base, centre) in enumerate(zip(bases, centres, strict=True)):
                    if centre is not None:
                        near = decoded[turn * n_draws : (turn + 1) * n_draws]
                        about = {"base": base, "unit": unit, "radius": radius}
                        rows.append({**about, **_compared(centre, near, tables[base])})
    return pd.DataFrame(rows, columns=["base", "unit", "radius", "valid", "changed", "edit", "unlike"])


def _compared(centre: Skeleton, near: Sequence[Skeleton | None], table: FamilyTable) -> dict[str, float]:
    X, fits = table.X, Fits((table.X, table.y))
    distinct = list(dict.fromkeys(s for s in near if s is not None))
    values = [fits.values(s, X) for s in (centre, *distinct)]
    alike = likenesses(np.stack(values))[0, 1:]
    unlike: dict[Skeleton | None, float] = dict(zip(distinct, 1.0 - alike, strict=True))
    return {
        "valid": float(np.mean([is_valid(s, X) for s in near])),
        "changed": float(np.mean([s != centre for s in near])),
        "edit": float(np.mean([1.0 if s is None else tree_distance(centre, s) for s in near])),
        "unlike": float(np.mean([0.0 if s == centre else unlike.get(s, 1.0) for s in near])),
    }


def summarise_radii(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the curves over the radius, one row a unit and radius: means over the bases.

    ``unlike_median`` is the median over the bases.
    """
    grouped = rows.groupby(["unit", "radius"], sort=True)
    means = grouped[["valid", "changed", "edit", "unlike"]].mean()
    means["unlike_median"] = grouped["unlike"].median()
    return means.reset_index()


def areas(curves: pd.DataFrame) -> dict[str, float | None]:
    """Return of each unit the mean of every curve over the logarithm of the radius, and the length.

    The length is the radius at which the median unlikeness reaches one half; None where it never does.
    """
    found: dict[str, float | None] = {}
    for unit, curve in curves.groupby("unit"):
        x = np.log10(curve["radius"].to_numpy(float))
        for name in ("valid", "changed", "edit", "unlike"):
            found[f"{unit}_{name}_area"] = float(np.trapezoid(curve[name], x) / np.ptp(x))
        found[f"{unit}_length"] = correlation_length(
            curve["radius"].to_numpy(float), curve["unlike_median"].to_numpy(float)
        )
    return found


def correlation_length(radii: FloatArray, unlike: FloatArray) -> float | None:
    """Return the radius at which a curve first reaches one half, between radii by their logarithm.

    Where it is above one half from the first radius on, that radius is returned; None where it stays below.
    """
    above = np.flatnonzero(unlike >= _HALF)
    if not len(above):
        return None
    i = int(above[0])
    if i == 0:
        return float(radii[0])
    share = (_HALF - unlike[i - 1]) / (unlike[i] - unlike[i - 1])
    return float(np.exp((1 - share) * np.log(radii[i - 1]) + share * np.log(radii[i])))


def nearness(
    tables: Sequence[FamilyTable], encodings: FloatArray, rng: np.random.Generator
) -> dict[str, float | None]:
    """Return whether near encodings are tables of alike laws.

    Laws are compared as functions, up to scale and offset, on one random table of inputs for each number of
    columns; encodings of tables with other numbers of columns are not compared.

    Returns
    -------
    dict
        ``spearman``, ``spearman_inside``, ``spearman_across``: rank correlation of the distance of two
        encodings and the unlikeness of their laws, over all pairs, pairs of one family, and pairs of two;
        ``trustworthiness``: of the ten nearest encodings as neighbours of the laws. None where undefined.
    """
    distances: dict[str, list[FloatArray]] = {"all": [], "inside": [], "across": []}
    unlike: dict[str, list[FloatArray]] = {"all": [], "inside": [], "across": []}
    trusted = []
    for n_variables in sorted({table.n_variables for table in tables}):
        chosen = [i for i, table in enumerate(tables) if table.n_variables == n_variables]
        X = draw_points(rng, "clusters", _REFERENCE_ROWS, n_variables)
        far = 1.0 - likenesses(np.stack([_law_values(tables[i], X) for i in chosen]))
        np.fill_diagonal(far, 0.0)
        apart = squareform(pdist(encodings[chosen]))
        upper = np.triu_indices(len(chosen), 1)
        families = np.array([tables[i].family for i in chosen])
        inside = (families[:, None] == families)[upper]
        for name, part in (("all", slice(None)), ("inside", inside), ("across", ~inside)):
            distances[name].append(apart[upper][part])
            unlike[name].append(far[upper][part])
        neighbours = min(_NEIGHBOURS, (len(chosen) - 1) // 2)
        if neighbours:
            trusted.append(
                trustworthiness(far, encodings[chosen], n_neighbors=neighbours, metric="precomputed")
            )
    found = {
        name: spearman(np.concatenate(distances[name]), np.concatenate(unlike[name])) for name in distances
    }
    return {
        "spearman": found["all"],
        "spearman_inside": found["inside"],
        "spearman_across": found["across"],
        "trustworthiness": float(np.mean(trusted)) if trusted else None,
    }


def _law_values(table: FamilyTable, X: FloatArray) -> FloatArray:
    constants = [token for token in table.formula if isinstance(token, float)]
    return compile_prefix(skeleton_of(table.formula)).evaluate(X, constants)
