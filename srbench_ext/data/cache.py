"""The local folder of PMLB tables: where it is, what lies in it, and whether that is what the suite lists.

The layout is PMLB's own, ``<cache>/<name>/<name>.tsv.gz``, so that ``pmlb.fetch_data(name,
local_cache_dir=cache)`` reads the same files.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from srbench_ext.data.problem import Problem, SourceKind
from srbench_ext.data.suite import Suite, suites
from srbench_ext.errors import DataError

__all__ = [
    "CACHE_VARIABLE",
    "ProblemStatus",
    "SuiteLocation",
    "cache_folder",
    "find_cache",
    "source_kind",
    "table_path",
    "verify",
    "where",
]

CACHE_VARIABLE = "SRBENCH_EXT_PMLB"
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class ProblemStatus:
    """What lies in the cache for one problem.

    Attributes
    ----------
    problem : Problem
        Whose table it is.
    state : {"ok", "absent", "altered", "fetched"}
        ``ok``: the listed hash (or a file whose hash nobody lists); ``fetched``: the same, just downloaded.
    path : Path
        Where the file is or would be.
    found : str or None
        The sha256 of the file, None when there is none.
    """

    problem: Problem
    state: Literal["ok", "absent", "altered", "fetched"]
    path: Path
    found: str | None = None


@dataclass(frozen=True, slots=True)
class SuiteLocation:
    """Where the tables of one suite come from on this machine.

    Attributes
    ----------
    suite : str
        Its name.
    cache : Path or None
        The cache folder in use.
    n_problems, n_cached, n_regenerable, n_missing : int
        All problems; those with a file in the cache; those without that can be regenerated; those left.
    missing_bytes : int
        Size of the listed files that are not in the cache.
    """

    suite: str
    cache: Path | None
    n_problems: int
    n_cached: int
    n_regenerable: int
    n_missing: int
    missing_bytes: int


def cache_folder(explicit: Path | str | None = None) -> Path:
    """Return the cache folder that applies, existing or not: argument, variable, user's cache folder.

    Parameters
    ----------
    explicit : Path or str, optional
        Goes before the environment variable ``SRBENCH_EXT_PMLB``.
    """
    if explicit is not None:
        return Path(explicit).expanduser()
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE]).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("srbench-ext", appauthor=False)) / "pmlb"


def find_cache(explicit: Path | str | None = None) -> Path | None:
    """Return the cache folder to read from.

    Parameters
    ----------
    explicit : Path or str, optional
        Goes before the environment variable ``SRBENCH_EXT_PMLB``, which goes before the user's cache folder.

    Returns
    -------
    Path or None
        None when nothing was asked for and the user's cache folder does not exist.

    Raises
    ------
    DataError
        A folder was asked for and is not there.
    """
    folder = cache_folder(explicit)
    if folder.is_dir():
        return folder
    if explicit is None and not os.environ.get(CACHE_VARIABLE):
        return None
    origin = f"the environment variable {CACHE_VARIABLE}" if explicit is None else "the argument"
    raise DataError(
        f"The PMLB cache {folder} given by {origin} is not a folder. Correct it, or fill it with "
        f"`srbench-ext data fetch SUITE`."
    )


def table_path(problem: Problem, cache: Path) -> Path:
    """Return where a cache keeps the table of a problem."""
    return cache / problem.name / f"{problem.name}.tsv.gz"


def source_kind(problem: Problem, cache: Path | None) -> SourceKind | None:
    """Return where the table of a problem would come from, without reading it; None when it is nowhere."""
    if cache is not None and table_path(problem, cache).is_file():
        return "cache"
    return "regenerated" if problem.can_be_regenerated else None


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file; remembered in this process as long as size and time of change stay."""
    facts = path.stat()
    return _hash(path, facts.st_size, facts.st_mtime_ns)


def status(problem: Problem, cache: Path) -> ProblemStatus:
    """Compare the cached file of a problem with the hash its suite lists."""
    path = table_path(problem, cache)
    if not path.is_file():
        return ProblemStatus(problem, "absent", path)
    found = file_sha256(path)
    return ProblemStatus(problem, "ok" if problem.sha256 in (None, found) else "altered", path, found)


def altered_error(altered: ProblemStatus) -> DataError:
    """Return the error for a file that is not the listed one, with what to do about it."""
    with altered.path.open("rb") as stream:
        pointer = stream.read(len(_LFS_POINTER)) == _LFS_POINTER
    why = " It is a Git-LFS pointer, not the data it points to." if pointer else ""
    return DataError(
        f"{altered.path} is not the table that suite {altered.problem.suite!r} lists: expected sha256 "
        f"{altered.problem.sha256}, found {altered.found}.{why} Remove the file and run "
        f"`srbench-ext data fetch {altered.problem.suite}`."
    )


def verify(suite: Suite, cache: Path) -> list[ProblemStatus]:
    """Hash every cached table of a suite.

    Parameters
    ----------
    suite : Suite
        What is listed.
    cache : Path
        A cache folder (see :func:`find_cache`).

    Returns
    -------
    list of ProblemStatus
        One per problem, in the suite's order, in state ``ok``, ``absent`` or ``altered``.
    """
    return [status(problem, cache) for problem in suite.problems]


def where(cache: Path | None) -> list[SuiteLocation]:
    """Count, for every installed suite, the tables that are cached, regenerated or missing.

    Parameters
    ----------
    cache : Path or None
        A cache folder (see :func:`find_cache`).
    """
    return [_locate(suite, cache) for suite in suites().values()]


def _locate(suite: Suite, cache: Path | None) -> SuiteLocation:
    kinds = {p: source_kind(p, cache) for p in suite.problems}
    count = Counter(kinds.values())
    return SuiteLocation(
        suite=suite.name,
        cache=cache,
        n_problems=len(kinds),
        n_cached=count["cache"],
        n_regenerable=count["regenerated"],
        n_missing=count[None],
        missing_bytes=sum(p.n_bytes or 0 for p, kind in kinds.items() if kind != "cache"),
    )


@lru_cache(maxsize=4096)
def _hash(path: Path, size: int, modified: int) -> str:
    """Hash a file; size and time of change are part of the key, so that a changed file is read again."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
