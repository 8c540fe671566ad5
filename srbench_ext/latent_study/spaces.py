"""The spaces of a study: opened from the methods, asked in batches, told apart by what they can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from srbench_ext.corpus.families import FamilyTable
from srbench_ext.errors import ConfigError, UnknownNameError, WeightsError
from srbench_ext.latent import HasSpace, LatentSpace, TableEncoder
from srbench_ext.registry import create, track_of
from srbench_ext.search.form import skeleton_of

__all__ = ["Absent", "DecodesFreely", "HasHealth", "Skeleton", "Space", "Table", "open_spaces"]

FloatArray = NDArray[np.float64]
Table = tuple[FloatArray, FloatArray]
"""X (n, d) and y (n,)."""

Skeleton = tuple[str, ...]
"""Prefix tokens, ``C`` for constants."""

_BATCH = 256  # tables or points given to a network at once


@runtime_checkable
class DecodesFreely(Protocol):
    """A space whose decoder can be asked without the grammar."""

    def decode_freely(self, z: FloatArray) -> list[Skeleton | None]:
        """Return the most likely tokens of each point (R, L) where they are one formula, and else None."""


@runtime_checkable
class HasHealth(Protocol):
    """A method whose space is that of a variational autoencoder."""

    def health(self, n_examples: int) -> dict[str, Any]:
        """Return figures of the autoencoder on examples that training never draws, by name."""


@dataclass(frozen=True, slots=True)
class Absent:
    """A method without a space to study.

    Attributes
    ----------
    method, reason : str
    """

    method: str
    reason: str


class Space:
    """The latent space of a method.

    Parameters
    ----------
    name : str
        The method, or ``method@preset``.
    method : HasSpace
    sizes : sequence of int
        Numbers of columns of the tables to come.
    seed : int

    Raises
    ------
    WeightsError
        If the method's weights are missing or do not fit.
    """

    def __init__(self, name: str, method: HasSpace, sizes: Sequence[int], seed: int) -> None:
        self.name, self.method = name, method
        self._opened: dict[int, TableEncoder] = {
            size: method.open_space(size, np.random.default_rng((seed, size))) for size in sizes
        }

    @property
    def any_opened(self) -> TableEncoder:
        """The space for one of the numbers of columns; the points are the same ones in all of them."""
        return next(iter(self._opened.values()))

    @property
    def decodes(self) -> bool:
        """Whether its points decode to formulas."""
        return isinstance(self.any_opened, LatentSpace)

    @property
    def facts(self) -> dict[str, Any]:
        """Method, track, sha256 of the weights, dimensions, and whether its points decode."""
        return {
            "method": self.name,
            "track": track_of(self.name, {"weights": getattr(self.method, "weights", None)}),
            "weights": getattr(self.method, "weights_sha256", None),
            "dimensions": self.any_opened.dimension,
            "decodes": self.decodes,
        }

    def encode(self, tables: Sequence[FamilyTable]) -> tuple[FloatArray, FloatArray]:
        """Return means and standard deviations (R, L) of tables with equally many rows."""
        means, deviations = [], []
        for start in range(0, len(tables), _BATCH):
            part = [(table.X, table.y) for table in tables[start : start + _BATCH]]
            mean, log_variance = self.any_opened.encode(part)
            means.append(mean)
            deviations.append(np.exp(0.5 * log_variance))
        return np.vstack(means), np.vstack(deviations)

    def decode(self, points: FloatArray, n_variables: int) -> list[Skeleton | None]:
        """Return the most likely formula of each point (R, L), None where the decoder finds none."""
        space = self._opened[n_variables]
        assert isinstance(space, LatentSpace)
        found: list[Skeleton | None] = []
        for start in range(0, len(points), _BATCH):
            decoded = space.decode(points[start : start + _BATCH])
            found += [skeleton_of(formulas[0]) if formulas else None for formulas in decoded]
        return found

    def decode_freely(self, points: FloatArray, n_variables: int) -> list[Skeleton | None] | None:
        """Return the same without the help of a grammar; None for a space that cannot do without."""
        space = self._opened[n_variables]
        if not isinstance(space, DecodesFreely):
            return None
        found: list[Skeleton | None] = []
        for start in range(0, len(points), _BATCH):
            found += space.decode_freely(points[start : start + _BATCH])
        return found


def open_spaces(
    methods: Sequence[str],
    sizes: Sequence[int],
    seed: int = 0,
    parameters: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> tuple[list[Space], list[Absent]]:
    """Return the spaces of methods, and the methods that have none with the reason.

    Parameters
    ----------
    methods : sequence of str
        Names, or ``name@preset``.
    sizes : sequence of int
        Numbers of columns of the tables to come.
    seed : int
    parameters : mapping
        What differs from the defaults, by method as it is named in ``methods``.

    Raises
    ------
    UnknownNameError
        If there is no such method, preset or parameter, or parameters are of a method that is not studied.
    ConfigError
        If no method has a space, or one is named twice.
    """
    for name in parameters:
        if name not in methods:
            raise UnknownNameError("method of this study", name, methods)
    repeated = sorted({name for name in methods if list(methods).count(name) > 1})
    if repeated:
        raise ConfigError(f"A space is studied once. Got {', '.join(repeated)} several times; name it once.")
    spaces: list[Space] = []
    absent: list[Absent] = []
    for name in methods:
        method = create(name, **parameters.get(name, {}))
        if not isinstance(method, HasSpace):
            absent.append(Absent(name, "it has no latent space (no open_space)"))
            continue
        try:
            spaces.append(Space(name, method, sizes, seed))
        except WeightsError as error:
            absent.append(Absent(name, str(error)))
    if not spaces:
        raise ConfigError(
            "None of the methods has a latent space to study: "
            + "; ".join(f"{each.method}: {each.reason}" for each in absent)
            + ". Name one that has."
        )
    return spaces, absent
