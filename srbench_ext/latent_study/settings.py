"""How large a study is."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from srbench_ext.errors import InputError
from srbench_ext.latent_study.classification import N_FOLDS

__all__ = ["SIZES", "Settings"]

SIZES = (2, 5)
"""Numbers of columns of the tables (those of GenSR's figures)."""


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
