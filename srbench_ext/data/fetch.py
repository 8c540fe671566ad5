"""Downloading the tables of a suite into a PMLB cache, on request; nothing else opens a connection."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from srbench_ext.data.cache import ProblemStatus, altered_error, status, table_path
from srbench_ext.data.problem import Problem
from srbench_ext.data.suite import Suite, load_suite
from srbench_ext.errors import DataError

__all__ = ["BASE_URL", "URL_VARIABLE", "fetch_problem", "fetch_suite"]

BASE_URL = "https://media.githubusercontent.com/media/EpistasisLab/pmlb"
URL_VARIABLE = "SRBENCH_EXT_PMLB_URL"
_SECONDS_WITHOUT_AN_ANSWER = 30.0


class _UnreachableError(DataError):
    """The server does not answer, so that trying further tables makes no sense."""


def fetch_suite(
    suite: Suite,
    cache: Path,
    base_url: str | None = None,
    *,
    on_status: Callable[[ProblemStatus], None] | None = None,
) -> list[ProblemStatus]:
    """Download the tables of a suite that are not in the cache yet.

    Parameters
    ----------
    suite : Suite
        What to fetch.
    cache : Path
        Where to; made when it does not exist.
    base_url : str, optional
        Goes before the environment variable ``SRBENCH_EXT_PMLB_URL``, which goes before PMLB's repository. A
        file is asked for at ``<base_url>/<ref>/datasets/<name>/<name>.tsv.gz``.
    on_status : callable, optional
        Called with the status of each problem as it is done.

    Returns
    -------
    list of ProblemStatus
        In state ``fetched`` or ``ok`` (was there), in the suite's order.

    Raises
    ------
    DataError
        The server cannot be reached; or, after all others were fetched, a table could not be had with the
        listed hash, or a file in the cache is another one. A file with a wrong hash is never left in the
        cache.
    """
    done, failures = [], []
    for problem in suite.problems:
        home = suite if problem.suite == suite.name else load_suite(problem.suite)
        try:
            result = fetch_problem(problem, home.refs, cache, base_url)
        except _UnreachableError:
            raise
        except DataError as error:
            failures.append(str(error))
            continue
        done.append(result)
        if on_status is not None:
            on_status(result)
    if failures:
        listed = "\n".join(failures)
        raise DataError(
            f"{len(failures)} of {len(suite.problems)} tables of {suite.name} are missing:\n{listed}"
        )
    return done


def fetch_problem(
    problem: Problem, refs: tuple[str, ...], cache: Path, base_url: str | None = None
) -> ProblemStatus:
    """Download one table, unless the cache has it.

    Parameters
    ----------
    problem : Problem
        With a listed sha256.
    refs : tuple of str
        Commits or branches to try in order; the hash decides.
    cache, base_url
        As in :func:`fetch_suite`.

    Raises
    ------
    DataError
        No ref has the file with the listed hash, the cache has another file in its place, or the server
        cannot be reached.
    """
    before = status(problem, cache)
    if before.state == "altered":
        raise altered_error(before)
    if before.state == "ok":
        return before
    if problem.sha256 is None or not refs:
        raise DataError(
            f"{problem.name}: suite {problem.suite!r} lists no sha256 or no refs to fetch it from."
        )
    base = (base_url or os.environ.get(URL_VARIABLE) or BASE_URL).rstrip("/")
    tried = []
    for ref in refs:
        url = f"{base}/{ref}/datasets/{problem.name}/{problem.name}.tsv.gz"
        failure = _download(url, problem.sha256, table_path(problem, cache))
        if failure is None:
            return ProblemStatus(problem, "fetched", before.path, problem.sha256)
        tried.append(f"  {url}: {failure}")
    raise DataError(f"{problem.name} could not be fetched:\n" + "\n".join(tried))


def _download(url: str, sha256: str, path: Path) -> str | None:
    """Download one file into its place; return what went wrong, or None.

    The file is written under another name and moved when its hash is right.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256}",
            fname=path.name,
            path=path.parent,
            downloader=pooch.HTTPDownloader(progressbar=False, timeout=_SECONDS_WITHOUT_AN_ANSWER),
        )
    except ValueError as error:  # pooch's word for another hash
        return f"not the listed file (expected sha256 {sha256}). {error}"
    except OSError as error:  # requests' errors are OSErrors; those with a response came from the server
        response = getattr(error, "response", None)
        if response is None:
            raise _UnreachableError(
                f"{url} cannot be reached: {error}. Check the connection, or name a mirror by {URL_VARIABLE}."
            ) from error
        return f"the server answered {response.status_code}"
    return None
