"""A space in two dimensions: t-SNE of the encodings, as points and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

from srbench_ext.corpus.families import FamilyTable
from srbench_ext.latent_study.classification import labels_of
from srbench_ext.report.figures import COLOURS, MARKERS

__all__ = ["SpaceMap", "map_figure", "map_of"]

FloatArray = NDArray[np.float64]

_COMPONENTS = 50  # that t-SNE sees, as is usual
_PERPLEXITY = 30.0


@dataclass(frozen=True, slots=True)
class SpaceMap:
    """The encodings of tables in two dimensions.

    Attributes
    ----------
    method : str
    points : ndarray of shape (R, 2)
    numbers, families, variables : ndarray of shape (R,)
        Number in the study, family, and number of columns of each table.
    level : ndarray of shape (R,)
        Mean of y, brought to 0 … 1 by its least and largest value.
    """

    method: str
    points: FloatArray
    numbers: NDArray[np.intp]
    families: NDArray[np.str_]
    variables: NDArray[np.str_]
    level: FloatArray


def map_of(
    method: str, encodings: FloatArray, tables: Sequence[FamilyTable], count: int, seed: int
) -> SpaceMap:
    """Lay encodings (R, L) out in the plane: standardised, the main components, then t-SNE.

    Parameters
    ----------
    method : str
        Name of the space.
    encodings : ndarray of shape (R, L)
    tables : sequence of FamilyTable
    count : int
        How many of them, drawn at random but the same ones for every space.
    seed : int
    """
    chosen = np.sort(np.random.default_rng((seed, 6)).permutation(len(tables))[:count])
    scaled = StandardScaler().fit_transform(encodings[chosen])
    components = min(_COMPONENTS, *scaled.shape)
    reduced = PCA(components, random_state=seed).fit_transform(scaled)
    perplexity = min(_PERPLEXITY, max(1.0, (len(chosen) - 1) / 4))
    points = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(reduced)
    part = [tables[i] for i in chosen]
    labels = labels_of(part)
    level = np.array([(t.y.mean() - t.y.min()) / np.ptp(t.y) for t in part])
    return SpaceMap(
        method, np.asarray(points, np.float64), chosen, labels["family"], labels["variables"], level
    )


def map_figure(space: SpaceMap) -> Figure:
    """Draw a map twice: by family (colour) and number of columns (marker), and by the level of y."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_classes(left, space)
    x, y = space.points.T
    shaded = right.scatter(x, y, c=space.level, s=10, cmap="viridis", vmin=0.0, vmax=1.0)
    figure.colorbar(shaded, ax=right, label="mean of y between its least and largest value")
    left.set_title("family of functions and number of variables", fontsize="medium")
    right.set_title("level of y", fontsize="medium")
    for axes in (left, right):
        axes.set_xticks([])
        axes.set_yticks([])
    left.legend(fontsize="small", markerscale=2.0, loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=3)
    figure.suptitle(f"Encodings of {len(space.points)} tables by {space.method}, t-SNE")
    return figure


def _draw_classes(axes: Axes, space: SpaceMap) -> None:
    for i, family in enumerate(sorted(set(space.families))):
        for k, size in enumerate(sorted(set(space.variables))):
            chosen = (space.families == family) & (space.variables == size)
            x, y = space.points[chosen].T
            colour, marker = COLOURS[i % len(COLOURS)], MARKERS[k % len(MARKERS)]
            axes.scatter(x, y, s=10, label=f"{family}, {size}", color=colour, marker=marker)
