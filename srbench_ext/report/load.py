"""Read the records of a run into one table, one row a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

from srbench_ext.errors import DataError, RecordError, UnknownNameError
from srbench_ext.record import Record
from srbench_ext.registry import describe, track_of
from srbench_ext.report.index import read_records, read_rows
from srbench_ext.report.rows import RAW_COLUMNS

__all__ = ["COLUMNS", "load_full_records", "load_records", "variant_labels"]

COLUMNS = (*RAW_COLUMNS, "track", "part")
"""The columns of :func:`load_records`; None and NaN mean not known.

``r2_test`` is that of the formula that the method chose, ``r2_test_one_se`` of the one that the shared
default rule takes from the same front. ``curve`` is JSON text: seconds and test R² of every incumbent.
``part`` is empty until a report is split (:mod:`~.split`).
"""

_VARIANT = ["method", "method_version", "parameters", "weights_sha256"]
_ORDER = ["method", "suite", "problem", "noise", "trial", "run_id"]


def load_records(folder: Path, *, on_unreadable: Callable[[RecordError], None] | None = None) -> pd.DataFrame:
    """Read every record below a folder.

    Parameters
    ----------
    folder : pathlib.Path
        A folder that a run has written; its records are ``folder/records/*.json``, and shards of packed ones.
    on_unreadable : callable, optional
        Called with the error of each record that cannot be read, which is then left out. Without it, the
        first such record raises.

    Returns
    -------
    pandas.DataFrame
        One row a run with :data:`COLUMNS`, sorted by method, suite, problem, noise and trial. Where the
        folder holds several versions, parameters or weights of one method, ``method`` tells them apart, as in
        ``e2e (beam=10)``: they are never averaged together.

    Raises
    ------
    DataError
        When the folder holds no records.
    RecordError
        When a record cannot be read and ``on_unreadable`` is not given.
    """
    complaints: list[RecordError] = []
    rows = read_rows(folder, complaints.append if on_unreadable else _raise)
    if not rows and not complaints:
        raise DataError(
            f"{folder} holds no records (looked for {folder / 'records' / '*.json'}). "
            "Run: srbench-ext run --method METHOD --suite SUITE --protocol quick --out DIR"
        )
    if on_unreadable is not None:
        for complaint in complaints:
            on_unreadable(complaint)
    runs = pd.DataFrame(rows, columns=list(RAW_COLUMNS))
    runs["track"] = [_track(*key) for key in zip(runs["method"], runs["parameters"], strict=True)]
    runs["part"] = ""
    runs["method"] = variant_labels(runs)
    return runs.sort_values(_ORDER, ignore_index=True)[list(COLUMNS)]


def load_full_records(folder: Path, run_ids: Collection[str]) -> dict[str, Record]:
    """Read whole records, with their fronts and errors; those that cannot be read are left out.

    Parameters
    ----------
    folder : pathlib.Path
        As for :func:`load_records`.
    run_ids : collection of str
        Which ones.

    Returns
    -------
    dict
        By run id.
    """
    return {record.run_id: record for record in read_records(folder, run_ids)}


def _raise(error: RecordError) -> NoReturn:
    raise error


@cache
def _track(method: str, parameters: str) -> str | None:
    try:
        return track_of(method, json.loads(parameters))
    except UnknownNameError:
        return None  # records of a method that is not installed here


_Variant = tuple[str, str, str, str]


def variant_labels(runs: pd.DataFrame) -> pd.Series:
    """Name every variant of a method by what tells it from the others.

    Parameters
    ----------
    runs : pandas.DataFrame
        With the method's name, its version, its parameters as JSON text, and the hash of its weights.

    Returns
    -------
    pandas.Series
        One label a run, as ``name (setting=value, weights 01234567)``; settings that all variants share are
        left out, and those of a preset are written ``name@preset``, also where they are all there are.
    """
    keys = runs[_VARIANT].fillna({"weights_sha256": ""})
    by_method: dict[str, set[_Variant]] = {}
    for row in keys.drop_duplicates().itertuples(index=False, name=None):
        by_method.setdefault(row[0], set()).add(row)
    labels = {variant: _label(variant, variants) for variants in by_method.values() for variant in variants}
    names = [labels[row] for row in keys.itertuples(index=False, name=None)]
    return pd.Series(names, index=runs.index, dtype=object)


def _label(variant: _Variant, variants: set[_Variant]) -> str:
    method, version, parameters, weights = variant
    name, parts = method, []
    if len({other[1] for other in variants}) > 1:
        parts.append(f"version {version}")
    of_all = {other[2] for other in variants}
    settings = _telling(parameters, of_all) if len(of_all) > 1 else json.loads(parameters)
    if preset := _preset(method, settings):
        name = f"{method}@{preset}"
    elif len(of_all) > 1:
        parts.append(", ".join(f"{key}={value}" for key, value in settings.items()) or "defaults")
    if len({other[3] for other in variants}) > 1:
        parts.append(f"weights {weights[:8] or 'none'}")
    return f"{name} ({', '.join(parts)})" if parts else name


def _telling(parameters: str, of_all: set[str]) -> dict[str, Any]:
    """Return the settings that not all variants share."""
    others = [json.loads(text).items() for text in of_all]
    return {
        key: value
        for key, value in json.loads(parameters).items()
        if not all((key, value) in items for items in others)
    }


def _preset(method: str, settings: Mapping[str, Any]) -> str:
    """Return the preset of a method that has exactly these settings, if one has."""
    try:
        presets = describe(method).presets
    except UnknownNameError:
        return ""  # a method that is not installed here
    return next((name for name, values in presets.items() if settings and values == settings), "")
