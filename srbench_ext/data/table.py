"""Loading the rows of a problem: from a PMLB cache, or regenerated; never over the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from srbench_ext.data.cache import altered_error, status
from srbench_ext.data.problem import Problem, Table
from srbench_ext.data.regeneration import regenerate
from srbench_ext.errors import DataError, InputError

__all__ = ["load_table", "require_finite"]


def load_table(problem: Problem, cache: Path | None) -> Table:
    """Return the rows of a problem.

    Parameters
    ----------
    problem : Problem
        Of a suite.
    cache : Path or None
        A PMLB cache folder (see :func:`srbench_ext.data.find_cache`). A file in it goes before regeneration,
        and one that is not the listed file is an error, never passed over.

    Returns
    -------
    Table
        With ``source`` ``"cache"`` or ``"regenerated"``.

    Raises
    ------
    DataError
        The cached file has another hash, another shape or no target; or there is none and the problem cannot
        be regenerated.
    InputError
        The cached file has NaN or infinite entries and no hash is listed that would have caught it.
    """
    if cache is not None:
        cached = status(problem, cache)
        if cached.state == "altered":
            raise altered_error(cached)
        if cached.found is not None:
            return _read(problem, cache, cached.path, cached.found)
    if problem.can_be_regenerated:
        return regenerate(problem)
    place = (
        "no PMLB cache was found" if cache is None else f"{cache / problem.name} has no {problem.name}.tsv.gz"
    )
    raise DataError(
        f"No table of {problem.name}: {place}, and it cannot be regenerated. Run "
        f"`srbench-ext data fetch {problem.suite}`, or name a cache by --pmlb-cache or SRBENCH_EXT_PMLB."
    )


def require_finite(
    X: npt.NDArray[np.float64], y: npt.NDArray[np.float64], names: Sequence[str], target: str = "y"
) -> None:
    """Raise when inputs or target hold NaN or infinity.

    Parameters
    ----------
    X : ndarray of float, shape (n, d)
        Inputs.
    y : ndarray of float, shape (n,)
        Targets.
    names : sequence of str
        Names of the d columns.
    target : str
        Name of the target.

    Raises
    ------
    InputError
        Naming each such column and its number of rows.
    """
    if np.isfinite(X).all() and np.isfinite(y).all():
        return
    counts = dict(
        zip([*names, target], [*(~np.isfinite(X)).sum(axis=0), (~np.isfinite(y)).sum()], strict=True)
    )
    columns = ", ".join(f"{name!r} ({count} of {len(y)} rows)" for name, count in counts.items() if count)
    raise InputError(f"NaN or infinity in {columns}. All values must be finite: drop or fill these rows.")


def _read(problem: Problem, cache: Path, path: Path, sha256: str) -> Table:
    """Read a cached file by the pmlb package, which reads a file that exists and does not go further."""
    import pmlb

    frame = pmlb.fetch_data(problem.name, local_cache_dir=str(cache), dropna=False)
    if problem.target_column not in frame.columns:
        raise DataError(
            f"{path} has no column {problem.target_column!r}. Its columns: {', '.join(frame.columns)}."
        )
    inputs = frame.drop(columns=problem.target_column)
    expected = (problem.n_rows, problem.n_features)
    if inputs.shape != expected:
        raise DataError(f"{path} has {inputs.shape} rows and features. The suite lists {expected}.")
    names = tuple(map(str, inputs.columns))
    if problem.feature_names and problem.feature_names != names:
        raise DataError(f"{path} has the columns {names}. The suite lists {problem.feature_names}.")
    X = np.array(inputs.to_numpy(), dtype=np.float64, order="C")
    y = np.array(frame[problem.target_column].to_numpy(), dtype=np.float64)
    require_finite(X, y, names, problem.target_column)
    X.setflags(write=False)
    y.setflags(write=False)
    return Table(X, y, names, "cache", sha256)
