"""What a corpus is made of: shares and limits, read from TOML and checked."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

from srbench_ext.corpus.grammar import GRAMMARS, MOST_VARIABLES
from srbench_ext.corpus.points import FAMILIES
from srbench_ext.errors import ConfigError, UnknownNameError

__all__ = ["MIXTURES", "Mixture", "load_mixture", "parse_mixture"]

MIXTURES = {"shared": "mixture.toml", "nesymres": "nesymres.toml"}
"""File of each mixture that is shipped; every method of the controlled track trains on ``shared``."""

_KEYS = {
    "limits": ("max_tokens", "max_skeleton_tokens", "max_constants", "max_abs_y", "draws_of_points"),
    "n_variables": ("weights",),
    "target": ("outer_scale", "outer_offset", "noise_share", "largest_noise"),
}
_OPTIONAL_KEYS = {"limits": ("max_bad_rows",), "n_variables": ("e2e_largest",)}
_FRACTIONS = ("max_bad_rows", "outer_scale", "outer_offset", "noise_share", "largest_noise")


@dataclass(frozen=True, slots=True)
class Mixture:
    """Shares and limits of a corpus.

    Attributes
    ----------
    limits : dict of str to float
        ``max_tokens`` of the whole formula, ``max_skeleton_tokens`` and ``max_constants`` of its
        skeleton, ``max_abs_y``, ``draws_of_points``: tables tried for a formula, and optionally
        ``max_bad_rows``: the share of rows that may be without a value or too large, and are then
        replaced by others of the table (none by default).
    grammars : dict of str to float
        Weights of :data:`~srbench_ext.corpus.grammar.GRAMMARS`.
    n_variables : dict
        ``weights`` of 1, 2, … variables, and optionally ``e2e_largest``: how many variables
        formulas of the grammar ``e2e`` have at most.
    points : dict of str to float
        Weights of :data:`~srbench_ext.corpus.points.FAMILIES`.
    target : dict of str to float
        ``outer_scale`` and ``outer_offset``: shares of laws with one, those of ``e2e`` aside; ``noise_share``
        of examples with target noise, ``largest_noise`` over RMS(y).
    """

    limits: dict[str, float]
    grammars: dict[str, float]
    n_variables: dict[str, Any]
    points: dict[str, float]
    target: dict[str, float]

    @property
    def sha256(self) -> str:
        """Hash of the shares and limits; methods trained on the same one may share a table."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def weights_of_variables(self, grammar: str) -> list[float]:
        """Return the weights of 1, 2, … variables in a grammar."""
        most = MOST_VARIABLES.get(grammar)
        if grammar == "e2e":
            most = self.n_variables.get("e2e_largest")
        weights: list[float] = self.n_variables["weights"]
        return weights[:most]


def load_mixture(name: str = "shared") -> Mixture:
    """Read a mixture that is shipped.

    Parameters
    ----------
    name : str, default "shared"
        A name of :data:`MIXTURES`.

    Raises
    ------
    UnknownNameError
        If there is no such mixture.
    """
    if name not in MIXTURES:
        raise UnknownNameError("mixture", name, MIXTURES)
    return parse_mixture(resources.files("srbench_ext.corpus").joinpath(MIXTURES[name]).read_text("utf8"))


def parse_mixture(text: str) -> Mixture:
    """Read a mixture from TOML text.

    Raises
    ------
    ConfigError
        If the text is no TOML, a table or key is missing or unknown, a grammar or family of points
        is unknown, or a weight or limit is no number of its range.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"A corpus mixture is a TOML file. {error}; correct the text.") from error
    _check_names("A corpus mixture", "tables", tables, Mixture.__dataclass_fields__)
    for table, keys in _KEYS.items():
        _check_names(f"[{table}] of a mixture", "keys", tables[table], keys, _OPTIONAL_KEYS.get(table, ()))
    _check_weights("grammars", tables["grammars"], GRAMMARS)
    _check_weights("points", tables["points"], FAMILIES)
    weights = tables["n_variables"]["weights"]
    if not isinstance(weights, list):
        raise ConfigError(f"'weights' in [n_variables] of a mixture is a list of numbers. Got {weights!r}.")
    _check_weights("n_variables", {str(i): weight for i, weight in enumerate(weights, start=1)})
    for table in ("limits", "target"):
        for key, value in tables[table].items():
            _check_limit(table, key, value)
    largest = tables["n_variables"].get("e2e_largest", 1)
    if type(largest) is not int or largest < 1:
        raise ConfigError(
            f"'e2e_largest' in [n_variables] of a mixture is a whole number from 1. Got {largest!r}."
        )
    mixture = Mixture(**tables)
    for grammar, weight in mixture.grammars.items():
        allowed = mixture.weights_of_variables(grammar)
        if weight and not any(allowed):
            raise ConfigError(
                f"'weights' in [n_variables] of a mixture leaves the grammar {grammar!r} no number of "
                f"variables: it has at most {len(allowed)}. Give one of the first {len(allowed)} a weight."
            )
    return mixture


def _check_names(
    where: str, what: str, table: Any, wanted: Collection[str], optional: Collection[str] = ()
) -> None:
    got = set(table) if isinstance(table, dict) else None
    if got is None or not set(wanted) <= got <= {*wanted, *optional}:
        also = f" and may have {sorted(optional)}" if optional else ""
        raise ConfigError(
            f"{where} has the {what} {sorted(wanted)}{also}; "
            f"got {repr(table) if got is None else sorted(got)}. Add the missing ones and remove the others."
        )


def _check_weights(table: str, weights: Any, allowed: Collection[str] | None = None) -> None:
    """Raise ConfigError unless the weights are non-negative numbers of allowed names, one positive."""
    if not isinstance(weights, Mapping) or not weights:
        raise ConfigError(f"[{table}] of a mixture is a table of weights. Got {weights!r}; add some.")
    for name, weight in weights.items():
        if allowed is not None and name not in allowed:
            raise ConfigError(
                f"[{table}] of a mixture knows the names {sorted(allowed)}; got {name!r}. "
                "Correct or remove it."
            )
        if not _is_number(weight) or weight < 0 or not math.isfinite(weight):
            raise ConfigError(
                f"Weights in [{table}] of a mixture are numbers from 0. Got {weight!r} for {name!r}; "
                f"allowed names are {sorted(weights if allowed is None else allowed)}."
            )
    if not any(weights.values()):
        raise ConfigError(f"[{table}] of a mixture has weights of 0 only. Give one that is larger.")


def _check_limit(table: str, key: str, value: Any) -> None:
    largest = 1.0 if key in _FRACTIONS else math.inf
    if not _is_number(value) or not 0 <= value <= largest:
        raise ConfigError(
            f"{key!r} in [{table}] of a mixture is a number from 0 to {largest:g}. Got {value!r}; correct it."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
